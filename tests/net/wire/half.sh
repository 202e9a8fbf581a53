#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A loader of wire mode with another table, or an unload, that is killed between two changes of
# what is attached: no packet is rewritten by flows that are no longer recorded. A load that fails
# leaves the servers and the pinned programs of the load before.
#
#   container ═ docker0 172.17.0.1 [host: [::]:56789] eth0 172.16.13.13, 172.16.13.14
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"
. "$(dirname "$0")/../lib/daemon.sh"

OTHER4=172.16.13.14
topology_up
serve "$HOST" dual6 "$PORT"
ip -n "$HOST" addr add "$OTHER4/24" dev eth0

# answers ADDR: prints the sources of the answers to the same client's requests to ADDR
answers()
{
	in_ns "$CONTAINER" "$CLIENT" --any --from 172.17.0.3:4001 --to "$1:$PORT" --count 3 |
		awk '/^answered/ { sub(":.*", "", $2); print $2 }'
}

# killed_each COMMAND…: kills it at each change of a link, after the load of a smaller table
killed_each()
{
	local call calls answer
	wire_load --follow docker0 --table 5000 >/dev/null
	calls=$(strace -o "$TEST_TMP/calls" -e trace=bpf "$@" >/dev/null
		grep '^bpf(' "$TEST_TMP/calls" | grep -n 'BPF_LINK_\(UPDATE\|DETACH\)' | cut -d: -f1)
	[ "$(wc -l <<<"$calls")" -gt 1 ] || fail "not two changes of links: $calls"
	for call in $calls; do
		wire_load --follow docker0 --table 5000 >/dev/null
		want_equal "$(answers "$FAR4")" "$FAR4" "before"
		! strace -o /dev/null -e trace=bpf -e "inject=bpf:signal=KILL:when=$call" \
			"$@" >/dev/null 2>&1 || fail "call $call: not killed"
		for answer in $(answers "$OTHER4"); do
			[ "$answer" = "$OTHER4" ] || [ "$answer" = "$NEAR4" ] ||
				fail "call $call of $*: answered from $answer"
		done
		wire_load --follow docker0 --table 5000 >/dev/null
		want_equal "$(answers "$OTHER4")" "$OTHER4" "after the next load"
	done
}

LOAD=("$SLUICE" --netns "$HOST" reply load --mode wire --follow docker0 --table 16384)
say "killed: another table"
killed_each "${LOAD[@]}"
say "killed: unload"
killed_each "$SLUICE" --netns "$HOST" reply unload --mode wire
sluice --netns "$HOST" cleanup

say "a command that is killed in place of the daemon's load: the daemon loads again"
configure '[wire]' 'follow = docker0' 'table = 5000'
daemon_start
call=$(strace -o "$TEST_TMP/calls" -e trace=bpf "${LOAD[@]}" --dry-run >/dev/null
	grep -c '^bpf(' "$TEST_TMP/calls")
for more in $(seq "$call" $((call + 60))); do
	strace -o "$TEST_TMP/calls" -e trace=bpf \
		-e "inject=bpf:signal=KILL:when=$more" "${LOAD[@]}" >/dev/null 2>&1 || true
	! grep -q BPF_LINK_UPDATE "$TEST_TMP/calls" || break
done
want_logged 'outcome=recovered'
want_right "$CONTAINER" "$FAR4" "$PORT"
daemon_stop
sluice --netns "$HOST" cleanup

# pinned: prints the servers, and the pinned programs
pinned()
{
	bpftool -j map dump pinned "$PINS/wire/sluice_w_server"
	for pin in "$PINS"/wire/prog_*; do
		bpftool prog show pinned "$pin" | head -1
	done
}

say "a load that fails after each change"
wire_load --gateway eth0 --server 10.0.0.1,10.0.0.2 >/dev/null
before=$(pinned)
LOAD=("$SLUICE" --netns "$HOST" reply load --mode wire --gateway eth0 --server 10.0.0.3,10.0.0.4 --table 64)
# the pins of both programs, the pin of the map, and the owner's mark
for call in 1 2 3 4; do
	if strace -o /dev/null -e trace=rename -e "inject=rename:error=ENOMEM:when=$call" \
		"${LOAD[@]}" >/dev/null 2>&1; then
		[ "$call" = 4 ] || fail "rename $call: not refused"
	else
		want_equal "$(pinned)" "$before" "after a refused rename $call"
	fi
done
sluice --netns "$HOST" cleanup

say "two whole lists of servers"
for net in 1 2 3; do
	wire_load --gateway eth0 --server "$(seq -f "10.$net.0.%g" -s, 1 256)" >/dev/null
	want_equal "$(bpftool -j map dump pinned "$PINS/wire/sluice_w_server" | grep -o '"key"' |
		wc -l)" 256 "servers"
done

say "two unloads at once"
for round in 1 2 3 4 5; do
	reply_load >/dev/null
	"$SLUICE" cleanup >"$TEST_TMP/cleanup" 2>&1 &
	other=$!
	sluice cleanup >/dev/null
	wait "$other" || fail "$(cat "$TEST_TMP/cleanup")"
done
want_clean
no_errors "$LOG"
