#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Mode audit changes no packet. For each socket, it counts the replies that leave from an address
# other than the requested one, and names the process.
#
#   container ── docker0 172.17.0.1, fd17::1 [host: wildcard and bound servers] eth0 172.16.13.13
. "$(dirname "$0")/../lib/lib.sh"

# row PORT KEY…: prints KEY of the audited socket on PORT
row()
{
	json "[row$(printf "['%s']" "${@:2}") for row in d['sockets'] if row['port'] == $1][0]" sluice -j reply audit
}

rows()
{
	json "sorted(row['port'] for row in d['sockets'])" sluice -j reply audit
}

topology_up
bound=$((PORT + 1))
six=$((PORT + 2))
serve "$HOST" sendto4 "$PORT"
server=$SPAWNED
serve "$HOST" sendto4 "$bound" --bind "$FAR4"
serve "$HOST" dual6 "$six"

say "hints before there is any result"
want_status 1 sluice reply audit
want_text "'sluice reply load --mode audit' starts the count"
sluice reply load --mode audit --cgroup "$TEST_CGROUP"
want_status 0 sluice reply audit
want_text "no reply seen yet"

say "answers are unchanged"
want_wrong "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"
want_wrong "$CONTAINER" "$FAR6" "$six" "$NEAR6"
want_right "$CONTAINER" "$FAR4" "$bound"
want_right "$CONTAINER" "$NEAR4" "$PORT"

say "wrong and right answers are counted, by socket"
want_equal "$(row "$PORT" wrong)" 3
want_equal "$(row "$PORT" right)" 3
want_equal "$(row "$six" wrong)" 3
want_equal "$(row "$PORT" pid)" "$server"
want_equal "$(row "$PORT" process)" udp-server
want_equal "$(row "$PORT" example requested)" "$FAR4"
want_equal "$(row "$PORT" example reply_source)" "$NEAR4"
want_equal "$(row "$six" example requested)" "$FAR6"
want_equal "$(row "$PORT" example peer)" 172.17.0.3
want_equal "$(rows)" "[$PORT, $six]" "a bound socket has nothing to audit"
want_equal "$(counter audit_wrong)" 6
want_equal "$(counter fixed)" 0

say "DNAT before the server does not make a right answer wrong"
in_ns "$HOST" nft -f - <<NFT
table ip forwarded {
	chain prerouting {
		type nat hook prerouting priority dstnat
		ip daddr 10.1.1.1 udp dport 53 dnat to $NEAR4:$PORT
	}
}
NFT
before=$(counter audit_wrong)
want_right "$CONTAINER" 10.1.1.1 53
want_equal "$(counter audit_wrong)" "$before" "wrong answers through DNAT"

say "the text report names the process"
sluice reply audit | grep udp-server | contains "$PORT" || fail "$(sluice reply audit)"
want_status 0 sluice reply audit
want_text "sockets: 2: 2 wrong"
want_text "mode socket fixes 2 of the wrong ones"

say "from audit to the fix, and back"
reply_load
want_right "$CONTAINER" "$FAR4" "$PORT"
sluice reply load --mode audit --cgroup "$TEST_CGROUP"
want_wrong "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"
want_equal "$(bpftool cgroup show "$TEST_CGROUP" | grep -c sendmsg)" 0 "programs that fix"
sluice cleanup
want_clean
