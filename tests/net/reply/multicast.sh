#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A datagram sent to a multicast or broadcast address must not be learned: the kernel refuses such a
# source. Its answer leaves as without sluice.
#
#   container asks 239.1.2.3, ff02::4242, 172.17.255.255 and 255.255.255.255
#       └── docker0 172.17.0.1, fd17::1 [host: servers that joined the groups]
. "$(dirname "$0")/../lib/lib.sh"

topology_up
serve "$HOST" sendto4 "$PORT" --join 239.1.2.3%docker0
log4=$LOG
port6=$((PORT + 1))
serve "$HOST" sendto6 "$port6" --join ff02::4242%docker0
log6=$LOG

# the client counts these as wrong, since a group address is never a source; the source is what
# matters
ask_groups()
{
	local addr
	for addr in 239.1.2.3 172.17.255.255 255.255.255.255; do
		want_line "answered $NEAR4:$PORT 3" \
			"$(ask "$CONTAINER" --any --broadcast --to "$addr:$PORT" --count 3)"
	done
	want_line "answered [fe80::1%eth0]:$port6 3" \
		"$(ask "$CONTAINER" --any --to "[ff02::4242%eth0]:$port6" --count 3)"
	no_errors "$log4"
	no_errors "$log6"
}

say "the kernel alone"
ask_groups
say "loaded"
reply_load
ask_groups
want_equal "$(counter skipped_not_own)" 12 "datagrams to groups"
want_equal "$(counter learned)" 0 "learned"

say "the same socket still learns unicast"
want_right "$CONTAINER" "$FAR4" "$PORT"
want_right "$CONTAINER" "$FAR6" "$port6"
ask_groups
