#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# An administrator removes the pin directory of a running daemon. The daemon detects the loss of its
# lock, reports that its sections are unloaded, and takes the lock again. It exits if another daemon
# has started meanwhile.
#
#   container ── docker0 172.17.0.1 [host: the daemon, workers on [::]:56789] eth0 172.16.13.13
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"
. "$(dirname "$0")/../lib/cpu.sh"

topology_up
workers a@0 b@1

remove_all()
{
	find "$PINS" -mindepth 1 -delete
	rmdir "$PINS"
}

states()
{
	json "d['daemon'] and (d['daemon']['pid'], [s['state'] for s in d['daemon']['sections'] or []])" \
		sluice -j status
}

has_states()
{
	[ "$(states)" = "$1" ]
}

configure '[reply]' 'mode = socket' '[hold]' 'port = 4000' '[steer]' "port = $PORT"
daemon_start
want_equal "$(states)" "($DAEMON, ['loaded', 'loaded', 'loaded'])"

say "removed: the daemon takes the lock again, and its status is available"
remove_all
want_logged 'msg="the lock was removed by another process"'
wait_until 30 has_states "($DAEMON, ['unloaded', 'unloaded', 'unloaded'])"
want_status 5 in_ns "$HOST" "$SLUICE" run --config "$CONF"
want_text "process $DAEMON"
daemon_reload 'msg="reloaded"'
want_equal "$(states)" "($DAEMON, ['loaded', 'loaded', 'loaded'])"
want_equal "$(json "d['hold']['sender']['pid']" sluice -j hold show)" "$DAEMON"

say "removed, and another daemon has started: the first daemon exits without affecting it"
first=$DAEMON first_log=$DAEMON_LOG
# no check may run in between
halt "$first"
remove_all
DAEMON_LOG=$TEST_TMP/second.log
daemon_start
kill -CONT "$first"
status=0
wait "$first" || status=$?
want_equal "$status" 5 "exit status: $(cat "$first_log")"
contains -F "in use by another 'sluice run', process $DAEMON" <"$first_log" || fail "$(cat "$first_log")"
want_equal "$(states)" "($DAEMON, ['loaded', 'loaded', 'loaded'])"
want_status 5 in_ns "$HOST" "$SLUICE" run --config "$CONF"
daemon_stop
sluice --netns "$HOST" cleanup
want_clean
