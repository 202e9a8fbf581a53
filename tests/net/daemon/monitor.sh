#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# 'sluice monitor' does not wait for its interval: when notified, it prints the start and exit of
# the daemon, changes of its sections and workers, and removed cgroups and interfaces.
#
#   container ── docker0 172.17.0.1 [host: the daemon] eth0 172.16.13.13
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"
. "$(dirname "$0")/../lib/monitor.sh"
. "$(dirname "$0")/../lib/steer.sh"

topology_up
workers "$HOST" --port 4500 --workers 1
server=$SERVER_PID

say "the daemon starts: one section is applied, one waits"
# the interval is long, so only notifications arrive in time
monitor_start --interval 600
configure '[reply]' 'mode = socket' "port = $PORT" '[wire]' 'follow = missing0, eth0' 'port = 5201'
daemon_start
want_events 1 "e['event'] == 'started' and e['pid'] == $DAEMON"
want_events 1 "(e['object'], e['event'], e.get('by')) == ('reply', 'loaded', 'daemon')"
want_events 1 "(e['object'], e['event']) == ('reply', 'applied')"
want_events 1 "(e['object'], e['event']) == ('wire', 'waiting') and 'eth0' in e['reason']"

say "a reload"
configure '[reply]' 'mode = x'
daemon_reload 'msg="reload refused'
want_events 1 "e['event'] == 'reload-refused' and '$CONF' in e['reason']"
configure '[wire]' 'follow = docker0' 'port = 5201' '[steer]' 'port = 4500'
daemon_reload 'msg="reloaded"'
want_events 1 "(e['object'], e['event']) == ('reply', 'removed')"
want_events 1 "(e['object'], e['event']) == ('reply', 'unloaded')"
want_events 1 "(e['object'], e['event']) == ('wire', 'applied')"
want_events 1 "(e['object'], e['event']) == ('steer', 'applied')"

say "a new worker, and one that exits"
want_events 1 "e['event'] == 'worker-joined'"
workers "$HOST" --port 4500 --workers 1
want_events 2 "e['event'] == 'worker-joined'"
stop "$server"
want_events 1 "e['event'] == 'worker-left'"

say "the daemon exits"
daemon_stop
want_events 1 "e['event'] == 'stopped' and e['pid'] == $DAEMON"
want_events 0 "e['event'] == 'gap' and e['object'] != 'monitor'"
monitor_end
stop "$SERVER_PID"

say "a daemon that is killed"
monitor_start --interval 600 daemon wire
daemon_start
want_events 1 "e['event'] == 'started'"
# from here on, the daemon sends no notifications
want_events 1 "(e['object'], e['event']) == ('wire', 'applied')"
kill -KILL "$DAEMON"
wait "$DAEMON" 2>/dev/null || true
want_events 1 "e['event'] == 'stopped'"
want_events 0 "e['object'] not in ('daemon', 'wire', 'monitor')"
monitor_end

say "a cgroup and an interface that are removed"
sluice --netns "$HOST" cleanup >/dev/null
mkdir "$TEST_CGROUP/service"
monitor_start --interval 600
sluice reply load --mode socket --cgroup "$TEST_CGROUP/service"
sluice --netns "$HOST" reply load --mode wire --iface eth0 --port 5201
want_events 1 "(e['object'], e['event']) == ('reply', 'loaded')"
want_events 1 "(e['object'], e['event']) == ('wire', 'attached')"
rmdir "$TEST_CGROUP/service"
want_events 1 "(e['object'], e['event']) == ('reply', 'detached')"
in_ns "$HOST" ip link del eth0
want_events 1 "(e['object'], e['event'], e.get('interface')) == ('wire', 'detached', 'eth0')"
monitor_end
sluice --netns "$HOST" cleanup
want_clean
