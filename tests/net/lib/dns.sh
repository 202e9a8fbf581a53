# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Helpers for the tests of steered DNS servers. Source it after steer.sh. The test defines DNS_NAME,
# the name of the server's processes, and dns_start, which starts a server for www.example on port
# 53 of HOST, and returns once all its sockets are bound.
# shellcheck source=tests/net/lib/recipe.sh
. "$ROOT/tests/net/lib/recipe.sh"

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

# queries_go_on: waits without a timeout until each client has sent queries
queries_go_on()
{
	wait_until 60 datagrams_more_than $(($(datagrams) + 20 * DNS_CLIENTS)) ||
		fail "hardly any queries"
}

# dns_queries ADDR PATIENCE: starts dnsperf, which counts a query as lost after PATIENCE seconds.
# Sets DNSPERF to its process id.
dns_queries()
{
	spawn_in "$HOST" "$TEST_TMP/dnsperf" dnsperf -s "$1" -d "$TEST_TMP/queries" \
		-c "$DNS_CLIENTS" -Q 1000 -t "$2" -l 600
	DNSPERF=$SPAWNED DNS_PATIENCE=$2
	queries_go_on
}

# dns_queries_end: stops dnsperf, and sets SENT, ANSWERED and LOST to the numbers of queries
dns_queries_end()
{
	# dnsperf counts a query as lost only after its timeout
	sleep "$DNS_PATIENCE.5"
	kill -INT "$DNSPERF"
	wait "$DNSPERF" || true
	SENT=$(awk '/Queries sent:/ { print $3 }' "$TEST_TMP/dnsperf")
	LOST=$(awk '/Queries lost:/ { print $3 }' "$TEST_TMP/dnsperf")
	ANSWERED=$(awk '/Queries completed:/ { print $3 }' "$TEST_TMP/dnsperf")
	[ -n "$LOST" ] || fail "dnsperf printed no result:" "$(cat "$TEST_TMP/dnsperf")"
	echo "queries $SENT, answered $ANSWERED, lost $LOST," \
		"in flight when dnsperf was ended $((SENT - ANSWERED - LOST))"
}

# dns_pgrep OPTION…: pgrep(1) for the processes in HOST
dns_pgrep()
{
	# shellcheck disable=SC2016 # of the other shell
	in_ns "$HOST" bash -c 'exec pgrep --ns $$ --nslist net "$@"' pgrep "$@"
}

# dns_pid: prints the process id of the only running instance of the server
dns_pid()
{
	dns_pgrep -o -x "$DNS_NAME"
}

is_gone()
{
	! kill -0 "$1" 2>/dev/null
}

# want_gone PID: waits until the process has exited, even if it is not a child of this shell
want_gone()
{
	wait_until 20 is_gone "$1" || fail "process $1 does not exit"
}

# dns_stop: stops the server
dns_stop()
{
	local pid
	pid=$(dns_pid)
	kill "$pid"
	want_gone "$pid"
}

# restart_plainly: starts a new server beside the old server, and stops the old server
restart_plainly()
{
	local old
	old=$(dns_pid)
	dns_start
	queries_go_on
	kill "$old"
	want_gone "$old"
}

# restart_by_recipe: runs the commands of the man page, with this server's name and shorter times
restart_by_recipe()
{
	local lines
	lines=$(plain "$MAN_STEER" | recipe | sed "s/-x unbound/-x '$DNS_NAME'/
		s/^unbound -d/dns_start/; s/pgrep/dns_pgrep/; s/--wait/--idle 1 --limit 1 --wait/")
	want_equal "$(wc -l <<<"$lines")" 3 "lines in the man page"
	OLD=''
	eval "$lines" || fail "the restart:" "$lines"
	# dns_start
	wait $! || fail "the new server did not start"
	want_gone "$OLD"
}

# dns_restarts ROUNDS ADDR PATIENCE COMMAND…: restarts the server ROUNDS times by COMMAND, under
# dnsperf at ADDR. Sets SENT and LOST to the numbers of queries.
dns_restarts()
{
	local rounds=$1 addr=$2 patience=$3 round
	shift 3
	dns_queries "$addr" "$patience"
	for ((round = 0; round < rounds; round++)); do
		"$@"
		queries_go_on
	done
	dns_queries_end
}

# want_lost ADDR: checks that restarts lose queries without sluice. Five restarts may happen to
# leave no query unread, so this tries up to twenty times.
want_lost()
{
	local try
	for ((try = 0; try < 20; try++)); do
		dns_restarts 5 "$1" 1 restart_plainly
		[ "$LOST" = 0 ] || return 0
	done
	fail "no query was lost in $((5 * try)) restarts"
}

# want_handed_over ROUNDS ADDR [COMMAND…]: checks that restarts with steering, by COMMAND or by the
# commands of the man page, lose no query, and that each client moves once per restart. An answer
# may be late if the server waits for a CPU.
want_handed_over()
{
	local rounds=$1 addr=$2
	shift 2
	[ $# != 0 ] || set -- restart_by_recipe
	sluice --netns "$HOST" steer load --port 53
	dns_restarts "$rounds" "$addr" 15 "$@"
	echo "$rounds restarts, $(steer_counter moved_drained) flows moved"
	want_at_least $((400 * rounds)) "$SENT" "queries"
	want_equal "$LOST" 0 "queries lost in restarts"
	want_equal "$(steer_counter moved_gone) $(steer_counter moved_idle)" "0 0" \
		"flows moved for other reasons"
	want_equal "$(steer_counter moved_drained)" $((DNS_CLIENTS * rounds)) "flows that moved"
	sluice steer unload
}
