#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A server of four processes daemonizes after its sockets have joined a group. The process that
# bound the sockets has exited, and four other processes hold one socket each. They are one
# instance, and a restart is a new generation. A drain accepts every process id that 'steer show'
# prints, even if the processes have no common ancestor left.
#
#   host: 100 flows ── lo ── four processes, old ▸ four processes, new
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/steer.sh"

COUNT=100

is_gone()
{
	! kill -0 "$1" 2>/dev/null
}

# daemon_up: starts a server, waits until its sockets have joined, and makes it daemonize; sets
# MASTER and WORKERS to its process ids
daemon_up()
{
	local parent
	SERVERS=$((${SERVERS:-0} + 1))
	LOG=$TEST_TMP/workers.$SERVERS
	spawn_in "$HOST" "$LOG" "$WORKER" --port "$PORT" --workers 4 --processes --daemonize
	parent=$SPAWNED
	wait_until 20 grep -qx bound "$LOG" || fail "the server did not start:" "$(cat "$LOG")"
	sluice --netns "$HOST" steer load --port "$PORT"
	kill -USR1 "$parent"
	wait "$parent" || fail "the server did not daemonize"
	wait_until 20 grep -qx ready "$LOG" || fail "the server did not start:" "$(cat "$LOG")"
	mapfile -t WORKERS < <(awk '$1 == "worker" { print $3 }' "$LOG")
	MASTER=$(ps -o ppid= -p "${WORKERS[0]}" | tr -d ' ')
}

# down PID: stops a server that is not a child of this shell
down()
{
	kill "$1"
	wait_until 20 is_gone "$1" || fail "process $1 does not exit"
}

# sockets_of PID: prints the number of sockets that a drain of the process would cover
sockets_of()
{
	json "d['sockets']" sluice -j steer drain --dry-run "$1"
}

shown()
{
	json "' '.join(str(s['pid']) for g in d['groups'] for s in g['slots'])" sluice -j steer show
}

netns_add "$HOST"
daemon_up
OLD=$MASTER OLD_WORKERS=("${WORKERS[@]}")
want_equal "$(shown)" "${OLD_WORKERS[*]}" "process ids that show prints"
flows "$HOST" --to "127.0.0.1:$PORT" --flows "$COUNT"

say "a restart is a new generation"
sleep 2.2
daemon_up
want_status 0 sluice --netns "$HOST" steer load --port "$PORT"
want_equal "$(json "[s['generation'] for g in d['groups'] for s in g['slots']]" sluice -j steer show)" \
	"[1, 1, 1, 1, 2, 2, 2, 2]" "generations"

say "any of its processes names the server"
for pid in "$OLD" "${OLD_WORKERS[@]}"; do
	want_equal "$(sockets_of "$pid")" 4 "sockets of the server of process $pid"
done
want_status 0 sluice steer drain --idle 1 --limit 1 "${OLD_WORKERS[2]}"
want_equal "$(json "sorted(s['pid'] for g in d['groups'] for s in g['slots']
	if s['state'] == 'drained')" sluice -j steer show)" \
	"$(printf '%s\n' "${OLD_WORKERS[@]}" | sort -n | paste -sd, | sed 's/,/, /g; s/.*/[&]/')" \
	"drained processes"
down "$OLD"
flows_go_on $((2 * COUNT))
flows_end
want_equal "$(result lost)" 0 "datagrams lost"
down "$MASTER"

say "the process that bound the sockets exits, and no other process is an ancestor of all workers"
workers "$HOST" --port "$PORT" --workers 2
OTHER=$SERVER_PID
spawn_in "$HOST" "$TEST_TMP/orphans" python3 -uc '
import os, signal, socket, sys

signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
sockets = []
for _ in range(4):
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind(("0.0.0.0", int(sys.argv[1])))
    sockets.append(bound)
print("bound")
signal.sigwait({signal.SIGUSR1})
for own in sockets:
    if not os.fork():
        for other in sockets:
            if other != own:
                other.close()
        print("worker", os.getpid())
        signal.pause()
' "$PORT"
wait_until 20 grep -qx bound "$TEST_TMP/orphans" || fail "no server: $(cat "$TEST_TMP/orphans")"
sluice --netns "$HOST" steer load --port "$PORT"
kill -USR1 "$SPAWNED"
wait "$SPAWNED" || fail "the server did not fork"
four_run()
{
	[ "$(grep -c worker "$TEST_TMP/orphans")" = 4 ]
}
wait_until 20 four_run
sluice --netns "$HOST" steer load --port "$PORT"
for pid in $(awk '$1 == "worker" { print $2 }' "$TEST_TMP/orphans"); do
	want_equal "$(sockets_of "$pid")" 4 "sockets of the server of process $pid"
done
awk '$1 == "worker" { print $2 }' "$TEST_TMP/orphans" | xargs kill
stop "$OTHER"

say "a process without sockets"
sleep 100 &
NONE=$!
want_status 1 sluice steer drain "$NONE"
want_text "process $NONE has no steered socket"
kill "$NONE"
sluice steer unload
