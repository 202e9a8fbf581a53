# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Helpers for the tests of steered DNS servers. Source it after steer.sh. The test defines
# dns_start, which starts a server on port 53 of HOST that answers for www.example; all of its
# sockets are bound when it returns, and its process id is in CURRENT.

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

# queries_go_on: waits until each client has sent queries, however long that takes
queries_go_on()
{
	wait_until 60 datagrams_more_than $(($(datagrams) + 20 * DNS_CLIENTS)) ||
		fail "hardly any queries"
}

# dns_queries ADDR PATIENCE: starts dnsperf, whose process id is in DNSPERF; a query is lost after
# PATIENCE seconds
dns_queries()
{
	spawn_in "$HOST" "$TEST_TMP/dnsperf" dnsperf -s "$1" -d "$TEST_TMP/queries" \
		-c "$DNS_CLIENTS" -Q 1000 -t "$2" -l 600
	DNSPERF=$SPAWNED DNS_PATIENCE=$2
	queries_go_on
}

# dns_queries_end: ends dnsperf; SENT and LOST count queries
dns_queries_end()
{
	# dnsperf counts a query as lost only after its timeout
	sleep "$DNS_PATIENCE.5"
	kill -INT "$DNSPERF"
	wait "$DNSPERF" || true
	SENT=$(awk '/Queries sent:/ { print $3 }' "$TEST_TMP/dnsperf")
	LOST=$(awk '/Queries lost:/ { print $3 }' "$TEST_TMP/dnsperf")
	[ -n "$LOST" ] || fail "dnsperf printed no result:" "$(cat "$TEST_TMP/dnsperf")"
	echo "queries $SENT, lost $LOST"
}

# dns_restarts ROUNDS ADDR PATIENCE COMMAND…: under dnsperf at ADDR, starts a new server beside the
# old one, runs COMMAND with the old server's process id, and ends the old server. SENT and LOST
# count queries.
dns_restarts()
{
	local rounds=$1 addr=$2 patience=$3 round old
	shift 3
	dns_queries "$addr" "$patience"
	for ((round = 0; round < rounds; round++)); do
		old=$CURRENT
		dns_start
		"$@" "$old"
		queries_go_on
		stop "$old"
		queries_go_on
	done
	dns_queries_end
}

# drain PID: as the man page prints it, with shorter times
drain()
{
	sluice steer drain "$1" --idle 1 --limit 1 --wait 10
}

# want_lost ADDR: the kernel alone loses queries in restarts. Five restarts may happen to leave no
# query unread, so this tries twenty times.
want_lost()
{
	local try
	for ((try = 0; try < 20; try++)); do
		dns_restarts 5 "$1" 1 true
		[ "$LOST" = 0 ] || return 0
	done
	fail "no query was lost in $((5 * try)) restarts"
}

# want_handed_over ROUNDS ADDR: restarts with steering lose no query, and each client moves once for
# each restart, as its server ends. An answer may be late where the server waits for a CPU.
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
