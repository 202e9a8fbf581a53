#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# 'sluice monitor' without a daemon: it prints loads and unloads by commands, detached programs,
# workers and drains of a steered group, and wrong replies. It prints each event once.
#
#   container ── docker0 172.17.0.1 [host: 0.0.0.0:56789] eth0 172.16.13.13
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/monitor.sh"
. "$(dirname "$0")/../lib/steer.sh"

topology_up

say "words and options"
want_status 2 sluice monitor repyl
want_text "did you mean 'reply'?"
want_status 2 sluice monitor --interval 0
want_status 1 sluice --bpffs "$TEST_TMP" monitor
want_text "no bpffs here"

say "objects"
monitor_start
sluice reply load --mode audit --cgroup "$TEST_CGROUP" --port "$PORT"
want_events 1 "e['event'] == 'loaded' and (e['mode'], e['ports'], e['by']) == ('audit', '$PORT', 'command')"
serve "$HOST" sendto4 "$PORT"
want_wrong "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"
# the three replies may appear in separate readings
want_sum 3 "e['replies'] if e['event'] == 'wrong' and (e['pid'], e['requested'], e['reply_source'], e['fixed_by']) == ($SPAWNED, '$FAR4', '$NEAR4', 'socket') else 0"
stop "$SPAWNED"
sluice reply load --mode socket --cgroup "$TEST_CGROUP" --port "$PORT"
want_events 1 "e['event'] == 'replaced' and e['mode'] == 'socket'"
bpftool link detach pinned "$PINS/reply/link_fix4"
want_events 1 "(e['object'], e['event']) == ('reply', 'detached')"
reply_load --port "$PORT"
want_events 1 "(e['object'], e['event']) == ('reply', 'attached')"
sluice --netns "$HOST" reply load --mode wire --iface eth0 --port "$PORT"
want_events 1 "(e['object'], e['event'], e.get('interface')) == ('wire', 'attached', 'eth0')"
sluice --netns "$HOST" reply unload
want_events 1 "(e['object'], e['event']) == ('reply', 'unloaded')"
want_events 1 "(e['object'], e['event']) == ('wire', 'unloaded')"
want_events 0 "(e['object'], e['event']) == ('wire', 'detached')"

say "groups, workers and drains"
workers "$HOST" --port "$PORT" --workers 2
old=$SERVER_PID
sluice --netns "$HOST" steer load --port "$PORT"
want_events 1 "e['event'] == 'group-added' and e['port'] == $PORT"
want_events 2 "e['event'] == 'worker-joined' and e['pid'] in (${WORKERS[0]}, ${WORKERS[1]}, $old)"
# servers that start within two seconds form one generation
sleep 2.2
workers "$HOST" --port "$PORT" --workers 2
sluice --netns "$HOST" steer load --port "$PORT"
want_events 4 "e['event'] == 'worker-joined'"
want_events 1 "e['event'] == 'generation' and (e['port'], e['generation_before'], e['generation']) == ($PORT, 1, 2)"
sluice steer drain "$old" --idle 1 --limit 10
want_sum 2 "e['sockets'] if e['event'] == 'drain-started' and e['pid'] == $old else 0"
want_sum 2 "e['sockets'] if e['event'] == 'drain-finished' and e['pid'] == $old else 0"
stop "$old"
want_events 2 "e['event'] == 'worker-left'"
sluice steer unload
want_events 1 "e['event'] == 'group-removed'"
want_events 4 "e['event'] == 'worker-left'"
want_events 0 "e['event'] == 'gap' and e['object'] != 'monitor'"
stop "$SERVER_PID"

say "an interrupt stops it with exit status 0"
monitor_end
say "text, and one object"
: >"$TEST_TMP/log"
TZ=UTC0 "$SLUICE" -v monitor --timestamp hold >"$TEST_TMP/text" 2>"$TEST_TMP/log" &
MONITOR=$!
wait_until 20 grep -q watching "$TEST_TMP/log"
reply_load
sluice hold load --port 4000 --cgroup "$TEST_CGROUP"
wait_until 20 grep -q "hold loaded" "$TEST_TMP/text"
sluice hold unload
wait_until 20 grep -q "hold unloaded" "$TEST_TMP/text"
monitor_end
want_equal "$(sed 's/^\[....-..-..T..:..:..\.......\] //' "$TEST_TMP/text")" \
	"hold loaded ports 4000 by command"$'\n'"hold unloaded"
sluice reply unload
want_clean
