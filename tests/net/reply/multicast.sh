#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# sluice must not learn a request to a multicast or broadcast address, because the kernel refuses
# these addresses as a source. The reply leaves as without sluice, even if the same client socket
# has sent a request to an address of the host before.
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

# the client counts these answers as wrong, since a group address is never a source; only the actual
# source matters here
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

# ask_both: sends requests from one client socket to FAR4 and FAR6, and then to each group
ask_both()
{
	local addr from=172.17.0.3:4000

	ask "$CONTAINER" --any --from "$from" --to "$FAR4:$PORT" >/dev/null
	for addr in 239.1.2.3 172.17.255.255 255.255.255.255; do
		want_line "answered $NEAR4:$PORT 1" \
			"$(ask "$CONTAINER" --any --broadcast --from "$from" --to "$addr:$PORT")"
	done
	from=[fd17::3]:4000
	ask "$CONTAINER" --any --from "$from" --to "[$FAR6]:$port6" >/dev/null
	want_line "answered [$NEAR6]:$port6 1" \
		"$(ask "$CONTAINER" --any --from "$from" --to "[ff02::4242%eth0]:$port6")"
}

say "without sluice"
ask_groups
ask_both
say "loaded"
reply_load
ask_groups
want_equal "$(counter skipped_not_own)" 12 "datagrams to groups"
want_equal "$(counter learned)" 0 "learned"
want_equal "$(bpftool -j map dump pinned "$PINS/reply/sluice_locals" |
	python3 -c 'import json, sys; print(len(json.load(sys.stdin)))')" 0 \
	"addresses that the host's were searched for"

say "the same socket still learns unicast"
want_right "$CONTAINER" "$FAR4" "$PORT"
want_right "$CONTAINER" "$FAR6" "$port6"
ask_groups

say "a multicast request ends the flow of a client that has used a unicast address before"
ask_both
want_equal "$(counter ended)" 2 "flows ended"
want_right "$CONTAINER" "$FAR4" "$PORT" --from 172.17.0.3:4000
sluice reply unload
ask_both
