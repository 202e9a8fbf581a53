#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A load that changes settings prints the old and new values, with the same names as the daemon's
# log. Load and status print the memory of a table as accounted by the kernel.
#
#   host: two servers of one group on 0.0.0.0:47085
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/see.sh"
. "$(dirname "$0")/../lib/daemon.sh"

# want_change SETTING BEFORE NOW: checks that OUTPUT of the last want_status has this row
want_change()
{
	grep -Eqx " +$1 +$2 +$3" <<<"$OUTPUT" || fail "wanted '$1 $2 $3' in:" "$OUTPUT"
}

# accounted PIN: prints the memory that the kernel accounts for a pinned map
accounted()
{
	json "d['bytes_memlock']" bpftool -j map show pinned "$1"
}

# close_to BYTES ACCOUNTED: returns true if ACCOUNTED is close to BYTES; the kernel adds its map
# struct, and rounds up to pages
close_to()
{
	[ "$1" -le "$2" ] && [ "$2" -le $(($1 + $1 / 100 + 8192)) ] ||
		fail "$1 bytes shown, the kernel accounts for $2"
}

# No other test uses this port: `--netns all` steers the servers of all namespaces of the machine.
PORT=47085
netns_add "$HOST"
group_up 2

say "reply"
reply=(reply load --mode socket --cgroup "$TEST_CGROUP")
want_status 0 sluice "${reply[@]}" --dry-run
want_text "reply: verified: mode socket"
want_text "table of 16384 flows (1.2 MB)"
want_status 0 sluice "${reply[@]}" --age 60
want_text "reply: loaded: mode socket"
want_status 0 sluice "${reply[@]}" --age 120 --table 200000
want_text "reply: updated: mode socket"
want_change age 60 120
want_change table 16384 200000
want_text "table of 200000 flows (14.4 MB)"
want_status 0 sluice "${reply[@]}" --age 120 --table 200000
want_text "reply: unchanged: "
[[ $OUTPUT != *before* ]] || fail "a change is reported without a change" "$OUTPUT"
want_equal "$(json "d['before'], d['age_s'], d['table'], d['outcome']" sluice -j "${reply[@]}" --port 53)" \
	"({'mode': 'socket', 'ports': 'any', 'cgroup': '$TEST_CGROUP', 'age_s': 120, 'table': 200000}, 120, 16384, 'updated')"
sluice "${reply[@]}" --table 200000
close_to "$(json "d['reply']['flows']['bytes']" sluice -j status)" "$(accounted "$PINS/reply/sluice_flows")"
want_status 0 sluice status
want_text "of 200000 (14.4 MB)"
sluice reply unload

say "steer"
steer=(--netns "$HOST" steer load --port "$PORT")
want_status 0 sluice "${steer[@]}" --dry-run
want_text "steer: verified: "
want_status 0 sluice "${steer[@]}" --flows 1000000
want_text "flow tables of 1000000 flows, 16.0 MB each, 16.0 MB in all"
close_to "$(json "d['steer']['groups'][0]['table_bytes']" sluice -j status)" \
	"$(accounted "$(find "$PINS/steer" -name sluice_table)")"
want_status 0 sluice status
want_text "flow tables of 16.0 MB"
want_status 0 sluice steer show
want_text "of 1000000 (16.0 MB)"

say "steer without --flows: the default counts as a change"
want_status 0 sluice "${steer[@]}" --policy load --idle 60
want_text "steer: updated: policy load"
want_change policy flow load
want_change flows 1000000 65536
want_change idle 120 60
want_text "flow tables of 65536 flows, 1000000 before, start empty"
want_equal "$(json "d['groups'][0]['flows']['size']" sluice -j steer show)" 65536
want_status 0 sluice "${steer[@]}" --policy load --idle 60
want_text "steer: unchanged: "
want_equal "$(json "(d['before']['policy'], d['policy'], d['before']['netns_name'], d['outcome'])" \
	sluice -j "${steer[@]}")" "('load', 'flow', '$HOST', 'updated')"
want_status 0 sluice --netns all steer load --port "$PORT"
want_text "netns    $(stat -Lc %i "/run/netns/$HOST") ($HOST)  all"
sluice steer unload

say "hold"
for size in 16384 20000; do
	want_equal "$(json "d['outcome'], d['table_bytes']" sluice -j hold load --port 4000 \
		--cgroup "$TEST_CGROUP" --table $size | sed 's/, .*//')" "$([ $size = 16384 ] &&
		echo "('loaded'" || echo "('updated'")"
	sum=0
	for map in flows kept index socks netns; do
		sum=$((sum + $(accounted "$PINS/hold/sluice_$map")))
	done
	shown=$(json "d['hold']['flows']['bytes']" sluice -j status)
	# five maps, each with its own struct, and one element per CPU
	[ "$shown" -le "$sum" ] && [ "$sum" -le $((shown + shown / 100 + 5 * 8192)) ] ||
		fail "$shown bytes shown, the kernel accounts for $sum"
done
want_status 0 sluice hold show
want_text "of 20000 ("
sluice hold unload

say "the daemon's log uses the same names"
configure '[reply]' 'mode = socket' '[steer]' "port = $PORT" '[hold]' 'port = 4000' '[wire]' 'iface = lo'
daemon_start
for section in reply wire hold steer; do
	contains -E "msg=\"$section is active\" outcome=loaded .*table_bytes=[0-9]+" <"$DAEMON_LOG" ||
		fail "$(cat "$DAEMON_LOG")"
done
daemon_reload 'msg="hold is active" outcome=unchanged'
want_logged 'msg="reply is active" outcome=loaded'
want_logged 'msg="steer is active" outcome=loaded'
daemon_reload 'msg="steer is active" outcome=unchanged'
configure '[reply]' 'mode = socket' '[steer]' "port = $PORT" 'idle = 60'
daemon_reload 'msg="steer is active" outcome=updated'
want_logged 'table_bytes=1048576'
daemon_stop
sluice --netns "$HOST" cleanup
want_clean
