#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A service manager binds the sockets of two services, the old and the new instance of a server, and
# keeps them open. A drain of a service's process drains only the sockets of that service.
#
#   host: 60 flows ── lo ── two sockets, old, and two, new, all held by one manager
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/steer.sh"

COUNT=60

# For each line of input, the manager starts a service with its own pair of sockets.
cat >"$TEST_TMP/manager" <<'PYTHON'
import os, socket, subprocess, sys

worker, port = sys.argv[1:]
kept = []

def sockets_move(pair):
    high = [os.dup2(s.fileno(), 100 + i) for i, s in enumerate(pair)]
    for i, fd in enumerate(high):
        os.dup2(fd, 3 + i)
        os.close(fd)

print("up", flush=True)
for line in sys.stdin:
    pair = []
    for _ in range(2):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        s.bind(("0.0.0.0", int(port)))
        pair.append(s)
    kept += pair
    if line.strip() == "bind":
        print("bound", flush=True)
        sys.stdin.readline()
    log = open(line.split()[1] if len(line.split()) > 1 else os.environ["LATE_LOG"], "w")
    subprocess.Popen([worker, "--port", port, "--workers", "2", "--inherit"], stdout=log,
                     close_fds=False, preexec_fn=lambda: sockets_move(pair))
PYTHON

service_up()
{
	wait_until 20 grep -qx ready "$1" || fail "the service did not start"
	SERVICE=$(awk '$1 == "worker" { print $3; exit }' "$1")
}

pids()
{
	json "[s['pid'] for g in d['groups'] for s in g['slots'] if s['state'] == '$1']" \
		sluice -j steer show
}

netns_add "$HOST"
mkfifo "$TEST_TMP/orders"
exec 7<>"$TEST_TMP/orders"
LATE_LOG=$TEST_TMP/old in_ns "$HOST" python3 "$TEST_TMP/manager" "$WORKER" "$PORT" \
	<"$TEST_TMP/orders" >"$TEST_TMP/manager.log" 2>&1 &
MANAGER_JOB=$!
wait_until 20 grep -qx up "$TEST_TMP/manager.log" || fail "no manager: $(cat "$TEST_TMP/manager.log")"

say "steered before the service starts"
echo bind >&7
wait_until 20 grep -qx bound "$TEST_TMP/manager.log"
sluice --netns "$HOST" steer load --port "$PORT"
echo start >&7
service_up "$TEST_TMP/old"
OLD=$SERVICE
flows "$HOST" --to "127.0.0.1:$PORT" --flows "$COUNT"

say "a second instance, by the same manager"
echo "start $TEST_TMP/new" >&7
service_up "$TEST_TMP/new"
NEW=$SERVICE
sluice --netns "$HOST" steer load --port "$PORT"
want_equal "$(json "d['sockets']" sluice -j steer drain --dry-run "$OLD")" 2 "sockets of the old one"
want_equal "$(json "d['sockets']" sluice -j steer drain --dry-run "$NEW")" 2 "sockets of the new one"

say "promoted, and drained"
want_status 0 sluice steer promote "$NEW"
want_equal "$(pids active)" "[$NEW, $NEW]" "processes that take new flows"
want_status 0 sluice steer drain --idle 1 --limit 1 "$OLD"
kill "$OLD"
flows_go_on $((2 * COUNT))
flows_end
want_equal "$(result lost)" 0 "datagrams lost"
want_equal "$(of_process flows "$NEW")" "$COUNT" "flows of the new one"
kill "$NEW"
exec 7>&-
kill "$MANAGER_JOB"
sluice steer unload
