# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Holds a large number of flows while the daemon is killed and restarted. Source it after hold.sh.
#
#   inside: sockets with many peers ── nat ── router ── peer: answers on all ports

MANY=$ROOT/tests/net/lib/many.py

# The peer sends again on each call, since a datagram may get lost. Its datagrams cannot open a
# mapping.
pushed_all()
{
	kill -USR1 "$MANY_SERVER"
	sleep 2
	kill -USR1 "$MANY_CLIENT"
	sleep 1
	[ "$(awk '$1 == "pushed" { n = $2 } END { print n + 0 }' "$TEST_TMP/many.client")" = "$1" ]
}

# at_nat COUNTER: prints a counter of the NAT
at_nat()
{
	in_ns "$NAT" nft -j list counter ip lab "$1" |
		python3 -c 'import json, sys; print(json.load(sys.stdin)["nftables"][1]["counter"]["packets"])'
}

# keep_many PORTS SECONDS TABLE LIFETIME: leaves 2 * PORTS flows silent for SECONDS, with a NAT
# timeout of LIFETIME seconds. Sets LATE and LATE_AT_NAT to the number of keepalives that were more
# than a second late, as counted by the daemon and by the NAT.
keep_many()
{
	local ports=$1 seconds=$2 table=$3 lifetime=$4 flows=$((2 * $1))

	lab_up symmetric 60
	in_ns "$PEER" nft 'add table ip quiet
		add chain ip quiet output { type filter hook output priority filter; }
		add rule ip quiet output icmp type destination-unreachable drop'
	# Counts the datagrams that leave INSIDE: first the client's own, then keepalives. A flow is
	# late if it has sent nothing for a second more than the interval.
	in_ns "$NAT" nft -f - <<-'NFT'
		table ip lab {
			counter sent { }
			counter late { }
			set recent {
				type inet_service . inet_service
				size 200000
				flags dynamic, timeout
				timeout 19s
			}
			chain count {
				type filter hook forward priority filter + 1
				iifname != "in" accept
				meta l4proto != udp accept
				counter name sent
				udp sport . udp dport != @recent counter name late
				update @recent { udp sport . udp dport }
			}
		}
	NFT
	configure '[hold]' "port = 10000-60000" "table = $table"
	daemon_start
	spawn_in "$PEER" "$TEST_TMP/many.server" python3 "$MANY" server 10000 "$ports"
	MANY_SERVER=$SPAWNED
	wait_until 20 grep -qx ready "$TEST_TMP/many.server"
	spawn_in "$INSIDE" "$TEST_TMP/many.client" python3 "$MANY" client "$PEER4" 10000 "$ports" 4000 4001
	MANY_CLIENT=$SPAWNED
	wait_until 200 grep -qx ready "$TEST_TMP/many.client" || fail "some requests got no answer"
	# the new timeout applies from the next datagram of a mapping
	lab_timeout "$NAT" "$lifetime"
	say "$flows flows are silent"
	# the first datagram of a flow is not late
	LATE_AT_NAT=-$(at_nat late)
	sleep $((seconds / 2))
	LATE=$(hold_counter late) LATE_AT_NAT=$((LATE_AT_NAT + $(at_nat late)))
	kill -KILL "$DAEMON"
	wait "$DAEMON" || true
	daemon_start
	# keepalives that became due meanwhile are late
	sleep 2
	LATE=$((LATE - $(hold_counter late))) LATE_AT_NAT=$((LATE_AT_NAT - $(at_nat late)))
	sleep $((seconds / 2 - 2))
	LATE=$((LATE + $(hold_counter late))) LATE_AT_NAT=$((LATE_AT_NAT + $(at_nat late)))
	want_equal "$(json "d['hold']['flows']['kept']" sluice -j hold show)" "$flows" "kept flows"
	want_equal "$(hold_counter send_failed)" 0 "keepalives that were refused"
	want_at_least $((flows * (seconds / 18 - 1))) "$(hold_sent)" "keepalives"
	want_at_least "$(hold_sent)" "$(at_nat sent)" "datagrams at the NAT"
	say "each flow is reached"
	wait_until 30 pushed_all "$flows" || fail "not all were reached:" \
		"$(tail -1 "$TEST_TMP/many.client")" "server: $(tail -3 "$TEST_TMP/many.server")" \
		"late at the NAT: $LATE_AT_NAT" "$(sluice hold show)"
	stop "$MANY_CLIENT"
	stop "$MANY_SERVER"
	daemon_stop
	sluice hold unload
}
