# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What the tests of steered DNS servers share; sourced behind steer.sh. The test defines dns_start,
# which starts a server on port 53 of HOST that answers for www.example, all of its sockets bound
# when it returns, and leaves its process id in CURRENT.

DNS_CLIENTS=20
echo "www.example A" >"$TEST_TMP/queries"

datagrams()
{
	udp_counter "$HOST" InDatagrams
}

datagrams_more_than()
{
	[ "$(datagrams)" -gt "$1" ]
}

# queries_go_on: each client has had some, however long it takes here
queries_go_on()
{
	wait_until 60 datagrams_more_than $(($(datagrams) + 20 * DNS_CLIENTS)) ||
		fail "hardly any queries"
}

# dns_restarts ROUNDS ADDR PATIENCE COMMAND…: under dnsperf at ADDR a new server starts beside the
# old one, COMMAND runs with the old one's process id, and that is ended. SENT and LOST are the
# queries; one counts as lost after PATIENCE seconds.
dns_restarts()
{
	local rounds=$1 addr=$2 patience=$3 round old perf
	shift 3
	spawn_in "$HOST" "$TEST_TMP/dnsperf" dnsperf -s "$addr" -d "$TEST_TMP/queries" \
		-c "$DNS_CLIENTS" -Q 2000 -t "$patience" -l 600
	perf=$SPAWNED
	queries_go_on
	for ((round = 0; round < rounds; round++)); do
		old=$CURRENT
		dns_start
		"$@" "$old"
		queries_go_on
		stop "$old"
		queries_go_on
	done
	# what is lost is known when dnsperf has waited for it
	sleep "$patience.5"
	kill -INT "$perf"
	wait "$perf" || true
	SENT=$(awk '/Queries sent:/ { print $3 }' "$TEST_TMP/dnsperf")
	LOST=$(awk '/Queries lost:/ { print $3 }' "$TEST_TMP/dnsperf")
	[ -n "$LOST" ] || fail "dnsperf says nothing:" "$(cat "$TEST_TMP/dnsperf")"
	echo "queries $SENT, lost $LOST"
}

drain()
{
	sluice --netns "$HOST" steer load --port 53
	sluice steer drain --idle 1 --limit 1 "$1"
}

# want_lost ADDR: the kernel alone loses queries in restarts. A server that ends at once may leave none
# unread ten times, so they may be had ten times more.
want_lost()
{
	local try
	for ((try = 0; try < 10; try++)); do
		dns_restarts 10 "$1" 1 true
		[ "$LOST" = 0 ] || return 0
	done
	fail "no query was lost in $((10 * try)) restarts"
}

# want_handed_over ROUNDS ADDR: restarts with steering lose nothing, and each client moves once for
# each, as its server ends. An answer may be late where the server waits for a CPU
want_handed_over()
{
	local rounds=$1 addr=$2
	sluice --netns "$HOST" steer load --port 53
	dns_restarts "$rounds" "$addr" 5 drain
	want_at_least $((400 * rounds)) "$SENT" "queries"
	want_equal "$LOST" 0 "queries lost in restarts"
	want_equal "$(steer_counter moved_gone) $(steer_counter moved_idle)" "0 0" \
		"flows moved for other reasons"
	want_equal "$(steer_counter moved_drained)" $((DNS_CLIENTS * rounds)) "flows that moved"
	sluice steer unload
}
