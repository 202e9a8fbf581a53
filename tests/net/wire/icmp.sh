#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Checks which ICMP errors about rewritten datagrams sockets receive. An error about a request
# reaches the client, with the address that it used. An error about a reply reaches the server's
# socket, which is bound to the other address.
#
#   container 172.17.0.3 ── veth3 ═ docker0 172.17.0.1 [host] eth0 172.16.13.13
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

topology_up
wire_load --follow docker0

for family in 4 6; do
	[ "$family" = 4 ] && far=$FAR4 near=$NEAR4 client=172.17.0.3 any=0.0.0.0
	[ "$family" = 6 ] && far=$FAR6 near=$NEAR6 client=fd17::3 any=::

	say "IPv$family: about a request, to the client that used $far"
	serve "$HOST" connect6 "$PORT"
	want_right "$CONTAINER" "$far" "$PORT" --from "$(target "$client" 4000)"
	before=$(wire_counter error_translated)
	# requests get a new destination, and a firewall behind the programs rejects them
	in_ns "$HOST" nft "add table inet refuse; add chain inet refuse input {
		type filter hook input priority filter; }; add rule inet refuse input udp dport $PORT reject"
	want_line "sent 1 right 0 wrong 0 refused 1 lost 0 corrupt 0" \
		"$(ask "$CONTAINER" --to "$(target "$far" "$PORT")" --from "$(target "$client" 4000)")"
	[ "$(wire_counter error_translated)" -gt "$before" ] || fail "no error was translated"
	before=$(wire_counter error_translated)
	in_ns "$HOST" nft delete table inet refuse
	want_right "$CONTAINER" "$far" "$PORT" --from "$(target "$client" 4000)"
	stop "$SPAWNED"

	say "IPv$family: about an answer, to the server's socket at $near"
	# the server connects back, and replies to a client that has closed its socket
	cat >"$TEST_TMP/back.py" <<-'PYTHON'
		import socket, sys
		family, any, port = sys.argv[1:]
		s = socket.socket(socket.AF_INET6 if family == "6" else socket.AF_INET, socket.SOCK_DGRAM)
		s.bind((any, int(port)))
		data, peer = s.recvfrom(100)
		s.connect(peer)
		print("from", s.getsockname()[0])
		s.settimeout(0.5)
		while True:
		    try:
		        s.send(b"answer")
		        s.recv(100)
		    except TimeoutError:
		        pass # arrived at a socket just before its close
		    except ConnectionRefusedError:
		        print("refused")
		        break
	PYTHON
	spawn_in "$HOST" "$TEST_TMP/server$family" python3 -u "$TEST_TMP/back.py" "$family" "$any" "$PORT"
	server=$SPAWNED
	wait_udp "$HOST" "$PORT"
	in_ns "$CONTAINER" python3 - "$family" "$client" "$far" "$PORT" <<-'PYTHON'
		import socket, sys
		family, source, target, port = sys.argv[1:]
		s = socket.socket(socket.AF_INET6 if family == "6" else socket.AF_INET, socket.SOCK_DGRAM)
		s.bind((source, 4001))
		s.connect((target, int(port)))
		s.send(b"x")
	PYTHON
	wait "$server"
	want_equal "$(cat "$TEST_TMP/server$family")" "from $near"$'\n'"refused" "what the server saw"
	[ "$(wire_counter error_translated)" -gt "$before" ] || fail "no error was translated"
done
