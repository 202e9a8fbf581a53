#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The objects that the daemon loads stay active without it. The daemon is stopped, killed, restarted
# and reloaded under traffic. No reply is lost, and replies are left alone only right after a new
# table was created.
#
#   container ── docker0 172.17.0.1, fd17::1 [host: [::]:56789] eth0 172.16.13.13, fd16::13
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"

topology_up
serve "$HOST" dual6 "$PORT"
want_wrong "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"

say "loaded by the daemon"
configure '[reply]' 'mode = socket' "port = $PORT"
daemon_start
want_right "$CONTAINER" "$FAR4" "$PORT"
want_right "$CONTAINER" "$FAR6" "$PORT"

say "commands work while the daemon runs"
want_equal "$(json "d['reply']['mode']" sluice -j reply show)" socket
want_equal "$(json "len(d['flows'])" sluice -j reply flows)" 2
want_status 0 sluice status

say "a second daemon is refused, and reports the directory's owner"
want_status 5 in_ns "$HOST" "$SLUICE" run --config "$CONF"
want_text "process $DAEMON"
want_text "$PINS"
want_right "$CONTAINER" "$FAR4" "$PORT"

say "traffic from here to the end"
clients=()
for addr in "$FAR4" "$FAR6"; do
	spawn_in "$CONTAINER" "$TEST_TMP/client.$addr" \
		"$CLIENT" --any --until-signal --to "$(target "$addr" "$PORT")"
	clients+=("$SPAWNED")
done

say "reload with other table sizes"
configure '[reply]' 'mode = socket' "port = 1-100,$PORT" 'table = 2000'
daemon_reload 'msg="reloaded"'
want_equal "$(json "d['reply']['ports']" sluice -j reply show)" "1-100,$PORT"
for round in 1 2 3; do
	configure '[reply]' 'mode = socket' 'port = any' "table = ${round}0000"
	daemon_reload 'msg="reloaded"'
done

say "a file with an error is refused: the loaded settings stay"
before=$(link_ids)
settings=$(json "(d['reply']['ports'], d['reply']['flows']['size'])" sluice -j reply show)
configure '[reply]' 'mode = socket' 'port = 53,x'
daemon_reload 'reload refused'
want_logged "msg=\"[reply] port: 'x'"
want_logged 'line=5'
configure 'bpffs = /sys/fs/bpf/elsewhere' '[reply]' 'mode = socket'
daemon_reload 'reload refused'
want_logged "bpffs cannot change"
rm "$CONF"
daemon_reload 'reload refused'
want_equal "$(link_ids)" "$before" "links"
want_equal "$(json "(d['reply']['ports'], d['reply']['flows']['size'])" sluice -j reply show)" \
	"$settings"

say "killed and restarted: the same links, and no loss"
configure '[reply]' 'mode = socket'
kill -KILL "$DAEMON"
wait "$DAEMON" || true
want_right "$CONTAINER" "$FAR4" "$PORT"
daemon_start
want_equal "$(link_ids)" "$before" "links"
want_logged 'outcome=updated'

say "stopped: the fix stays active"
daemon_stop
want_right "$CONTAINER" "$FAR6" "$PORT"
want_equal "$(find "$PINS" -name daemon)" "" "the lock of a daemon that has ended"

kill -TERM "${clients[@]}"
wait "${clients[@]}" || true
for output in "$TEST_TMP"/client.*; do
	read -r _ sent _ right _ wrong _ <"$output"
	[ "$sent" -gt 100 ] || fail "hardly any traffic: $(cat "$output")"
	want_equal "$((right + wrong))" "$sent" "answers under all that: $(cat "$output")"
	# a new table is empty, so at each change, replies in flight are left alone
	[ "$wrong" -le "$right" ] || fail "most left alone: $(cat "$output")"
done
no_errors "$LOG"

say "a section removed from the file is unloaded"
configure '[reply]' 'mode = socket' '[wire]' 'follow = docker0' 'port = 1-99'
daemon_start
want_status 0 sluice reply show
configure '[wire]' 'follow = docker0' 'port = 1-99'
daemon_reload 'msg="reloaded"'
want_wrong "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"

say "cleanup while the daemon runs, and a reload afterwards"
sluice --netns "$HOST" cleanup 2>"$TEST_TMP/cleanup"
grep -q "process $DAEMON" "$TEST_TMP/cleanup" || fail "$(cat "$TEST_TMP/cleanup")"
configure '[reply]' 'mode = socket'
daemon_reload 'msg="reloaded"'
want_right "$CONTAINER" "$FAR4" "$PORT"
daemon_stop
sluice cleanup
want_verified

# loaded: prints the loaded objects
loaded()
{
	json "sorted(k for k in ('reply', 'wire') if d[k])" sluice -j --netns "$HOST" status
}

say "a section removed while the daemon was down is unloaded at its next start"
configure '[reply]' 'mode = socket' '[wire]' 'follow = docker0' 'port = 1-99'
daemon_start
daemon_stop
want_equal "$(loaded)" "['reply', 'wire']"
configure '[reply]' 'mode = socket'
daemon_start
want_logged 'section=wire'
want_equal "$(loaded)" "['reply']"
want_right "$CONTAINER" "$FAR4" "$PORT"
kill -KILL "$DAEMON"
wait "$DAEMON" || true
configure '[wire]' 'follow = docker0'
daemon_start
want_logged 'section=reply'
want_equal "$(loaded)" "['wire']"
daemon_stop

say "but not an object that a command has loaded, or has since reloaded"
reply_load
configure '[wire]' 'follow = docker0'
daemon_start
daemon_reload 'msg="reloaded"'
want_equal "$(loaded)" "['reply', 'wire']"
sluice --netns "$HOST" reply load --mode wire --iface eth0
configure '[reply]' 'mode = socket'
daemon_reload 'msg="reloaded"'
daemon_stop
daemon_start
want_equal "$(loaded)" "['reply', 'wire']"
daemon_stop
sluice --netns "$HOST" cleanup
want_verified

say "options override the file"
configure 'bpffs = /sys/fs/bpf/of_the_file' '[reply]' 'mode = audit'
daemon_start --bpffs "$PINS"
want_equal "$(json "d['reply']['mode']" sluice -j reply show)" audit
daemon_stop
sluice cleanup
want_verified
