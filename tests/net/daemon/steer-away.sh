#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Servers start while the daemon is stopped (SIGSTOP) or not running. Recorded flows stay. When the
# daemon runs again, it adds the new sockets at once, as a separate generation. A second daemon on
# the same directory is refused meanwhile. Two servers that start on two ports at the same moment
# are both steered.
#
#   host: 50 flows ── lo ── two workers, and servers that start later
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"
. "$(dirname "$0")/../lib/steer.sh"

COUNT=50 OTHER=$((PORT + 1))

# print the process and state of every slot, retired slots first, since PIDs may wrap
states()
{
	json "sorted(((s['pid'], s['state']) for g in d['groups'] for s in g['slots']),
		key=lambda slot: slot[1], reverse=True)" \
		sluice -j steer show
}

joined()
{
	states | contains "($1, 'active')"
}

netns_add "$HOST"
workers "$HOST" --port "$PORT" --workers 2
first=$SERVER_PID
configure '[steer]' "port = $PORT,$OTHER" 'sweep = 600'
daemon_start
flows "$HOST" --to "127.0.0.1:$PORT" --flows "$COUNT" --rate 500
flows_go_on $((3 * COUNT))

say "the daemon is stopped"
halt "$DAEMON"
# the rule for generations needs two seconds between the servers
sleep 2.1
workers "$HOST" --port "$PORT" --workers 2
second=$SERVER_PID
flows_go_on $((3 * COUNT))
want_equal "$(result moved)" 0 "flows moved"
want_equal "$(states)" "[($first, 'active'), ($first, 'active')]"
kill -CONT "$DAEMON"
wait_until 20 joined "$second"
want_equal "$(states)" "[($first, 'retired'), ($first, 'retired'), ($second, 'active'), ($second, 'active')]"

say "a second daemon"
want_status 5 in_ns "$HOST" "$SLUICE" run --config "$CONF"
want_text "$DAEMON"
want_text "/sys/fs/bpf/sluice"

say "the daemon is not running, and starts again beside an older server"
kill -9 "$DAEMON"
wait "$DAEMON" || true
stop "$first"
sleep 2.1
workers "$HOST" --port "$PORT" --workers 2
third=$SERVER_PID
daemon_start
wait_until 20 joined "$third"
flows_go_on $((3 * COUNT))
want_equal "$(states)" "[($second, 'retired'), ($second, 'retired'), ($third, 'active'), ($third, 'active')]"
want_equal "$(of_process flows "$second")" "$COUNT" "flows with the second server"
want_equal "$(result moved)" "$COUNT" "flows moved, when the first one ended"

say "two servers at the same time"
: >"$TEST_TMP/one"
spawn_in "$HOST" "$TEST_TMP/one" "$WORKER" --port "$OTHER" --workers 2
one=$SPAWNED
spawn_in "$HOST" "$TEST_TMP/two" "$WORKER" --port "$OTHER" --bind 127.0.0.2 --workers 2
two=$SPAWNED
wait_until 20 joined "$one"
wait_until 20 joined "$two"
want_equal "$(json "sorted((g['address'], g['open']) for g in d['groups'])" sluice -j steer show)" \
	"[('0.0.0.0', 2), ('0.0.0.0', 4), ('127.0.0.2', 2)]"
flows_end
daemon_stop
sluice steer unload
for server in "$second" "$third" "$one" "$two"; do
	stop "$server"
done
want_clean
