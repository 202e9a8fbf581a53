#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# An unmodified memcached replies over UDP.
#
#   container ── docker0 172.17.0.1 [host: memcached -U 11211] eth0 172.16.13.13
. "$(dirname "$0")/../lib/lib.sh"

# version_from ADDR [SECONDS]: queries the version through a connected socket; prints "nothing"
# without an answer within SECONDS
version_from()
{
	in_ns "$CONTAINER" python3 - "$1" "${2:-10}" <<-'PYTHON'
		import socket
		import sys

		client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		client.settimeout(int(sys.argv[2]))
		client.connect((sys.argv[1], 11211))
		# request id, sequence number, datagrams in this message, reserved
		client.send(b"\x00\x07" b"\x00\x00" b"\x00\x01" b"\x00\x00" b"version\r\n")
		try:
		    print(client.recv(2048)[8:].split()[0].decode())
		except socket.timeout:
		    print("nothing")
	PYTHON
}

topology_up
spawn_in "$HOST" "$TEST_TMP/memcached.log" "$(server_path usr/bin/memcached)" \
	-u root -l 0.0.0.0 -p 0 -U 11211
wait_udp "$HOST" 11211

say "without sluice"
want_equal "$(version_from "$NEAR4")" VERSION
want_equal "$(version_from "$FAR4" 1)" nothing "memcached does not show the fault"
say "loaded"
reply_load
want_equal "$(version_from "$FAR4")" VERSION
want_equal "$(version_from "$NEAR4")" VERSION
say "unloaded"
sluice reply unload
want_equal "$(version_from "$FAR4" 1)" nothing "still fixed after unload"
