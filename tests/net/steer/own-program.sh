#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A server attaches its own reuseport program while sluice works on its group, after sluice has
# found no program or its own program on the group. The kernel replaces a program unconditionally,
# so sluice checks the group again right before attaching, and leaves the server's program alone.
#
#   host: 40 flows ── lo ── four workers; their program selects the first
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/steer.sh"

# strace first forks other children, to test which features the kernel can trace
sluice_started()
{
	STOPPED=$(pgrep -P "$STRACE" -x sluice)
}

# begin COMMAND…: starts sluice, and stops it after it has requested a socket from its child; sluice
# starts this child after the walk over the sockets
begin()
{
	spawn_in "$HOST" "$TEST_TMP/sluice" strace -o /dev/null -e trace=sendmsg \
		-e inject=sendmsg:signal=STOP:when=1 "$SLUICE" "$@"
	STRACE=$SPAWNED
	wait_until 20 sluice_started
	wait_until 20 pgrep -P "$STOPPED"
}

# go_on STATUS: makes the server attach its program, then continues sluice, which must exit with
# STATUS
go_on()
{
	local status=0
	kill -USR1 "$SERVER_PID"
	wait_until 20 grep -qx own "$LOG"
	# sluice may not have stopped yet
	while kill -CONT "$STOPPED" 2>/dev/null; do
		sleep 0.1
	done
	wait "$STRACE" || status=$?
	want_equal "$status" "$1" "exit status: $(cat "$TEST_TMP/sluice")"
}

# want_own: checks that the server's program is on the group: worker 0 has all flows
want_own()
{
	flows "$HOST" --to "127.0.0.1:$PORT" --flows 40
	flows_end
	want_equal "$(result workers) $(result lost)" "1 0" "answering workers, datagrams lost"
	stop "$SERVER_PID"
	wait_until 10 udp_unbound "$HOST" "$PORT"
}

netns_add "$HOST"
for own in classic ebpf; do
	say "$own, while a group is taken"
	workers "$HOST" --port "$PORT" --workers 4 --own "$own" --own-later
	begin steer load --port "$PORT"
	go_on 1
	contains "has just attached its own program" <"$TEST_TMP/sluice" ||
		fail "$(cat "$TEST_TMP/sluice")"
	want_equal "$(steer_groups)" "" "groups"
	want_own
	sluice steer unload

	say "$own, while another setting is loaded"
	workers "$HOST" --port "$PORT" --workers 4 --own "$own" --own-later
	sluice --netns "$HOST" steer load --port "$PORT"
	begin steer load --port "$PORT" --idle 60
	go_on 1
	want_own
	sluice steer unload

	say "$own, while the group is released"
	workers "$HOST" --port "$PORT" --workers 4 --own "$own" --own-later
	sluice --netns "$HOST" steer load --port "$PORT"
	begin steer unload
	go_on 0
	want_own
	want_clean
done
