#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A load or unload that is killed between two link changes never leaves a program that reads a flow
# table which no program updates. Otherwise replies would leave from the address of an earlier
# request. Meanwhile, replies may be left alone.
#
#   container ── docker0 172.17.0.1 [host: [::]:56789] eth0 172.16.13.13, 172.16.13.14
#
# takes long: a load is killed at every step
. "$(dirname "$0")/../lib/lib.sh"

OTHER4=172.16.13.14
CALLS=BPF_LINK_UPDATE,BPF_LINK_DETACH
topology_up
serve "$HOST" dual6 "$PORT"
ip -n "$HOST" addr add "$OTHER4/24" dev eth0

# load OPTION…: prints the command line of a load
load_command()
{
	COMMAND=("$SLUICE" reply load --cgroup "$TEST_CGROUP" "$@")
}

# answers ADDR: prints the sources of the answers to requests of the same client to ADDR
answers()
{
	in_ns "$CONTAINER" "$CLIENT" --any --from 172.17.0.3:4001 --to "$1:$PORT" --count 3 |
		awk '/^answered/ { sub(":.*", "", $2); print $2 }'
}

# link_calls: prints the positions of the link-changing calls among all bpf() calls of COMMAND
link_calls()
{
	strace -f -o "$TEST_TMP/calls" -e trace=bpf "${COMMAND[@]}" >/dev/null
	grep -o ' bpf([A-Z_]*' "$TEST_TMP/calls" | awk -v calls=" bpf(${CALLS//,/| bpf(}" \
		'BEGIN { split(calls, call, "|") } { for (i in call) if ($0 == call[i]) print NR }'
}

# killed_each BEFORE…: kills COMMAND at each link change, after BEFORE…, which also restores the
# earlier state. A client sends a request to one address before the kill, and to another address
# afterwards.
killed_each()
{
	local call calls answer
	"$@" >/dev/null
	calls=$(link_calls)
	[ "$(wc -l <<<"$calls")" -gt 1 ] || fail "not two changes of links: $calls"
	"$@" >/dev/null
	for call in $calls; do
		want_equal "$(answers "$FAR4")" "$FAR4" "before"
		strace -f -o /dev/null -e trace=bpf -e "inject=bpf:signal=KILL:when=$call" \
			"${COMMAND[@]}" >/dev/null 2>&1 && fail "call $call: not killed"
		for answer in $(answers "$OTHER4"); do
			[ "$answer" = "$OTHER4" ] || [ "$answer" = "$NEAR4" ] ||
				fail "call $call of ${COMMAND[*]}: answered from $answer"
		done
		"$@" >/dev/null
		# the recovered table has no flows from the time of the killed loader
		want_equal "$(answers "$OTHER4")" "$OTHER4" "after the next load"
	done
}

first()
{
	reply_load --table 5000
}

say "another table"
load_command --mode socket --table 16384
killed_each first
say "the same table"
load_command --mode socket --table 5000
killed_each first
say "mode audit, and a table of another size"
load_command --mode audit --table 16384
killed_each first
say "unload"
COMMAND=("$SLUICE" reply unload)
killed_each first

say "a killed loader has switched to another table: the next load does not use the first table"
load_command --mode socket --table 16384
first >/dev/null
want_equal "$(answers "$FAR4")" "$FAR4"
strace -f -o "$TEST_TMP/calls" -e trace=rename -e inject=rename:signal=KILL:when=1 \
	"${COMMAND[@]}" >/dev/null 2>&1 && fail "not killed"
spawn_in "$CONTAINER" "$TEST_TMP/slow" "$CLIENT" --any --until-signal --from 172.17.0.3:4001 \
	--to "$OTHER4:$PORT"
sleep 0.3
first >/dev/null
sleep 0.3
kill -TERM "$SPAWNED"
wait "$SPAWNED" || true
! grep "answered $FAR4:" "$TEST_TMP/slow" || fail "answered from a flow of the first table"

sluice cleanup
want_clean
no_errors "$LOG"
