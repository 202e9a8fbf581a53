#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# may be skipped: a shallow clone lacks the commit of the last release
#
# Another version of sluice loads over the loaded version, back and forth, by command and by daemon,
# while datagrams arrive. The other version is the last release (tests/nightly/upgrade-from), built
# by this test, or this version with all ABI versions raised.
#
# With the same ABI versions, no answer is wrong, no datagram is lost, and all flows stay, even
# those of a draining server. With different ABI versions, mode socket gives no wrong answer, mode
# wire gives at most one, to a request in flight, and steering loses no datagram. During a drain,
# steering refuses such a load.
#
#   container: clients ── docker0 172.17.0.1 [host: [::]:56789, a group on 5300] eth0 172.16.13.13
. "$(dirname "$0")/../net/lib/lib.sh"
. "$(dirname "$0")/../net/lib/daemon.sh"
. "$(dirname "$0")/../net/lib/steer.sh"
. "$(dirname "$0")/../net/lib/wire.sh"

HERE=$SLUICE
RAISED=$BUILD/raised/sluice
GROUP_PORT=5300
HELD_PORT=7000

# release_build: builds the release once, and sets RELEASE to its program; returns 1 if this clone
# lacks its commit
release_build()
{
	local commit='' name
	for name in $(sed 's/#.*//' "$ROOT/tests/nightly/upgrade-from"); do
		commit=$(git -C "$ROOT" rev-parse -q --verify "$name^{commit}") && break
	done
	[ -n "$commit" ] || return 1
	RELEASE=$BUILD/release/$commit
	[ ! -x "$RELEASE" ] || return 0
	mkdir -p "$TEST_TMP/release" "$BUILD/release"
	git -C "$ROOT" archive "$commit" | tar -x -C "$TEST_TMP/release"
	make -C "$TEST_TMP/release" -j"$(nproc)" build/sluice >"$TEST_TMP/make" 2>&1 ||
		fail "the release does not build:" "$(tail -n 20 "$TEST_TMP/make")"
	cp "$TEST_TMP/release/build/sluice" "$RELEASE"
}

# traffic: returns when further requests have been answered, in addition to those of the clients
traffic()
{
	want_line "sent 200 right 200 wrong 0 refused 0 lost 0 corrupt 0" \
		"$(ask "$CONTAINER" --to "$FAR4:$PORT" --count 200)"
}

# clients_end WRONG: checks that the clients had traffic, and that all their requests were answered,
# at most WRONG per client from a wrong address
clients_end()
{
	local output sent right wrong
	traffic
	kill -TERM "${clients[@]}"
	wait "${clients[@]}" || true
	for output in "$TEST_TMP"/client.*; do
		read -r _ sent _ right _ wrong _ <"$output"
		[ "$sent" -gt 0 ] || fail "no traffic: $(cat "$output")"
		want_equal "$((right + wrong))" "$sent" "answers: $(cat "$output")"
		[ "$wrong" -le "$1" ] || fail "wrong answers: $(cat "$output")"
	done
}

# want_outcome COMMAND…: checks that the load has one of the OUTCOMES
want_outcome()
{
	local outcome
	outcome=$(json "d['outcome']" "$@" 2>"$TEST_TMP/warning") || fail "$(cat "$TEST_TMP/warning")"
	[[ " $OUTCOMES " == *" $outcome "* ]] || fail "wanted: $OUTCOMES" "got:    $outcome"
	if [ "$OUTCOMES" = replaced ]; then
		grep -q "another version of sluice has loaded it" "$TEST_TMP/warning" || fail "no warning"
	fi
}

# flow_count: prints the number of flows from the container's ports 20000 to 20049
flow_count()
{
	json "sum(f.get('peer_port', f.get('client_port')) in range(20000, 20050) \
		for f in d['flows'] + d['wire_flows'])" sluice -j --netns "$HOST" reply flows
}

# load_over OTHER WRONG COMMAND…: loads with COMMAND, by this version over OTHER and back, under
# traffic. Flows without traffic stay if the ABI versions are the same.
load_over()
{
	local other=$1 wrong=$2 kept=50
	shift 2
	[ "$OUTCOMES" != replaced ] || kept=0
	SLUICE=$other
	"$@" >/dev/null
	for SLUICE in "$HERE" "$other" "$HERE"; do
		ask "$CONTAINER" --to "$FAR4:$PORT" --from 172.17.0.3:20000 --flows 50 --count 50 >/dev/null
		clients_start
		traffic
		want_outcome "$@"
		clients_end "$wrong"
		want_equal "$(flow_count)" "$kept" "flows without traffic"
	done
}

socket_load()
{
	sluice -j reply load --mode socket --cgroup "$TEST_CGROUP"
}

bridge_load()
{
	sluice -j --netns "$HOST" reply load --mode wire --follow docker0
}

group_load()
{
	sluice -j --netns "$HOST" steer load --port "$GROUP_PORT"
}

# states PID: prints the states of a server's slots
states()
{
	json "sorted({s['state'] for g in d['groups'] for s in g['slots'] if s['pid'] == $1})" \
		sluice -j steer show
}

states_are()
{
	[ "$(states "$1")" = "$2" ]
}

# steer_over OTHER: the same for steering, also with a drain in progress
steer_over()
{
	local other=$1 drain before
	workers "$HOST" --port "$GROUP_PORT" --workers 2
	local old=$SERVER_PID
	SLUICE=$other
	group_load >/dev/null
	flows "$HOST" --to "127.0.0.1:$GROUP_PORT" --flows 20
	for SLUICE in "$HERE" "$other" "$HERE"; do
		want_outcome group_load
		flows_go_on 200
	done
	settle_results
	want_equal "$(result lost) $(result moved)" "0 0" "lost and moved datagrams"

	# flows stay with the old server while the previously loaded version drains it
	workers "$HOST" --port "$GROUP_PORT" --workers 2
	group_load >/dev/null
	before=$(of_process flows "$old")
	SLUICE=$HERE
	"$HERE" steer drain "$old" --idle 60 --limit 600 >"$TEST_TMP/drain" 2>&1 &
	drain=$!
	wait_until 20 states_are "$old" "['draining']" || fail "no drain: $(cat "$TEST_TMP/drain")"
	SLUICE=$other
	if [ "$OUTCOMES" = replaced ]; then
		want_status 5 group_load
		want_text "a drain is in progress"
	else
		want_outcome group_load
		want_equal "$(states "$old")" "['draining']"
	fi
	flows_go_on 200
	settle_results
	want_equal "$(result lost) $(result moved)" "0 0" "lost and moved datagrams during a drain"
	want_equal "$(of_process flows "$old")" "$before" "flows of the drained server"
	kill -INT "$drain"
	wait "$drain" || true
	SLUICE=$other
	want_outcome group_load
	flows_go_on 200
	settle_results
	want_equal "$(result lost)" 0 "lost datagrams"
	flows_end
	sluice steer unload >/dev/null
	stop "$SERVER_PID"
	stop "$old"
}

# daemon_over OTHER: the daemon of one version takes over all objects from the daemon of the other
daemon_over()
{
	local other=$1 outcome flows held peer
	configure '[reply]' 'mode = socket' "port = $PORT" '[wire]' 'follow = docker0' \
		'[steer]' "port = $GROUP_PORT" '[hold]' "port = $HELD_PORT"
	workers "$HOST" --port "$GROUP_PORT" --workers 2
	SLUICE=$other
	daemon_start
	flows "$HOST" --to "127.0.0.1:$GROUP_PORT" --flows 20
	spawn_in "$CONTAINER" "$TEST_TMP/held.peer" python3 "$LIB/plain.py" server "$HELD_PORT"
	peer=$SPAWNED
	wait_until 20 grep -q '^ready' "$TEST_TMP/held.peer"
	for SLUICE in "$HERE" "$other" "$HERE"; do
		spawn_in "$HOST" "$TEST_TMP/held" python3 "$LIB/plain.py" client 172.17.0.3 "$HELD_PORT"
		held=$SPAWNED
		wait_until 20 grep -q '^got ' "$TEST_TMP/held" || fail "no answer"
		clients_start
		traffic
		daemon_stop
		daemon_start
		for outcome in reply wire hold steer; do
			grep -qE "msg=\"$outcome is active\" outcome=(${OUTCOMES// /|})" "$DAEMON_LOG" ||
				fail "$outcome: wanted $OUTCOMES" "$(cat "$DAEMON_LOG")"
		done
		clients_end 0
		flows_go_on 200
		# a flow tracked by the program of the loaded version
		flows=$(json "sum(f['peer_port'] == $HELD_PORT for f in d['flows'])" sluice -j hold flows)
		want_equal "$flows" "$([ "$OUTCOMES" = replaced ] && echo 0 || echo 1)" "held flows"
		stop "$held"
	done
	settle_results
	want_equal "$(result lost)" 0 "lost datagrams"
	flows_end
	daemon_stop
	sluice --netns "$HOST" cleanup >/dev/null
	want_clean
	stop "$SERVER_PID"
	stop "$peer"
}

# upgrade OTHER WRONG OUTCOME…: tests all objects
upgrade()
{
	local other=$1 wrong=$2
	shift 2
	OUTCOMES=$*
	say "mode socket"
	load_over "$other" 0 socket_load
	sluice reply unload >/dev/null
	say "mode wire"
	load_over "$other" "$wrong" bridge_load
	sluice --netns "$HOST" reply unload >/dev/null
	say "steering"
	steer_over "$other"
	say "the daemon, with all objects"
	daemon_over "$other"
}

topology_up
serve "$HOST" dual6 "$PORT"
say "this version with raised ABI versions"
upgrade "$RAISED" 1 replaced

if release_build; then
	say "the last release: $("$RELEASE" --version)"
	upgrade "$RELEASE" 0 updated unchanged
else
	echo "the last release was not tested, as this clone lacks its commit: git fetch --unshallow"
	exit 77
fi
