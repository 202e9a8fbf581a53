#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Checks the messages and exit statuses for bad input, and the JSON of each command.
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"

netns_add "$HOST"

say "not loaded"
for command in show flows; do
	want_status 1 sluice hold $command
	want_text "hold is not loaded"
	want_text "sluice hold load --port"
done
want_status 1 sluice hold unload
want_text "hold is not loaded"

say "options"
want_status 2 sluice hold load
want_text "needs a --port"
want_status 2 sluice hold load --port 70000
want_status 2 sluice hold load --port 53 --table 1
want_text "from 64 to 4194304"
want_status 2 sluice hold load --port 53 --interval 20
want_text "unknown option '--interval'"
want_status 2 sluice hold lod --port 53
want_text "did you mean 'load'"
want_status 1 sluice --netns nowhere hold load --port 53
want_text "no network namespace 'nowhere'"
want_status 1 sluice --cgroup /proc hold load --port 53
want_text "not on a cgroup2"
want_clean

say "a dry run changes nothing"
want_status 0 sluice --netns "$HOST" --cgroup "$TEST_CGROUP" hold load --port 53 --dry-run
want_text "hold: verified: "
want_text "sluice_hold_out"
want_text "cgroup/sock_release"
want_status 1 sluice --cgroup "$TEST_CGROUP/cgroup.procs" hold load --port 53
want_text "cgroup.procs: Not a directory"
want_clean

say "loaded"
LOAD=(--netns "$HOST" --cgroup "$TEST_CGROUP" hold load)
want_equal "$(json "(d['outcome'], d['before'], d['max_s'], d['table'])" sluice -j "${LOAD[@]}" --port any)" \
	"('loaded', None, 3600, 16384)"
want_equal "$(json "(d['hold']['ports'], d['hold']['sending'], len(d['hold']['hooks']),
	d['hold']['sender'])" sluice -j hold show)" "('any', False, 3, None)"
want_equal "$(json "(d['flows'], d['sending'], d['size'])" sluice -j hold flows)" "([], False, 16384)"
want_equal "$(json "d['hold']['ports']" sluice -j status)" any
want_status 0 sluice status
want_text "hold: ports any"
want_equal "$(json "d['verdict']" sluice -j check --for hold)" "{'hold': 'ready'}"

say "loaded again: the message and the previous settings"
want_status 0 sluice "${LOAD[@]}" --port any
want_text "hold: unchanged: ports any"
want_equal "$(json "(d['outcome'], d['before'])" sluice -j "${LOAD[@]}" --port 53 --max 60 --table 1000)" \
	"('updated', {'ports': 'any', 'max_s': 3600, 'table': 16384, 'netns': $(
		stat -Lc %i "/run/netns/$HOST"), 'netns_name': '$HOST'})"
want_status 0 sluice --netns all --cgroup "$TEST_CGROUP" hold load --port any --max 60 --table 1000
want_text "hold: updated: ports any"
for change in 'ports +53 +any' "netns +[0-9]+ \($HOST\) +all"; do
	contains -Ex " +$change" <<<"$OUTPUT" || fail "no change '$change':" "$OUTPUT"
done
bpftool link detach pinned "$PINS/hold/link_in"
for command in status "hold show"; do
	# shellcheck disable=SC2086 # the words of a command
	want_status 0 sluice $command
	want_text "detached: by another process"
done
want_equal "$(json "(d['hold']['detached'], d['hold']['cgroup_gone'],
	[h['attached'] for h in d['hold']['hooks']])" sluice -j status)" "(True, False, [True, True, False])"
want_status 0 sluice --netns all --cgroup "$TEST_CGROUP" hold load --port any --max 60 --table 1000
want_text "hold: updated: "
want_equal "$(json "d['hold']['detached']" sluice -j hold show)" False

say "an option of the file"
want_status 2 sluice hold load --port 53 --interval 20
want_text "unknown option '--interval'"
want_text "a key of the daemon's file, sluice.conf(5)"
want_status 2 sluice hold load --port 53 --interval-max=60
want_text "'interval_max' is a key"

say "the cgroup cannot change, unless it was removed"
mkdir "$TEST_CGROUP/one" "$TEST_CGROUP/two"
sluice hold unload
sluice --cgroup "$TEST_CGROUP/one" hold load --port any
want_status 5 sluice --cgroup "$TEST_CGROUP/two" hold load --port any
want_text "sluice hold unload"
rmdir "$TEST_CGROUP/one"
is_gone()
{
	[ "$(json "(d['hold']['detached'], d['hold']['cgroup_gone'], d['hold']['cgroup'])" \
		sluice -j hold show)" = "(True, True, '(gone)')" ]
}
wait_until 20 is_gone
want_status 0 sluice hold show
want_text "detached: the cgroup is gone"
mkdir "$TEST_CGROUP/one"
want_status 0 sluice --cgroup "$TEST_CGROUP/one" hold load --port any
want_equal "$(json "(d['hold']['detached'], d['hold']['cgroup'])" sluice -j hold show)" \
	"(False, '$TEST_CGROUP/one')"

say "without capabilities"
want_status 4 setpriv --bounding-set -all --inh-caps -all "$SLUICE" --cgroup "$TEST_CGROUP" \
	hold load --port 53
want_text "CAP_NET_ADMIN"

say "errors in the file, all at once"
printf '%s\n' '[hold]' 'interval = 0' 'ttl = 256' 'payload = stn' 'rate = 0' 'outermost = perhaps' \
	'cgroup = relative' 'max = -1' >"$CONF"
want_status 2 sluice run --check-config --config "$CONF"
for text in '[hold] interval: 0 is out of range' '[hold] ttl: 256 is out of range' \
	"did you mean 'stun'" '[hold] rate: 0 is out of range' "unknown answer 'perhaps'" \
	'not an absolute path' "'-1' is not a number" '[hold] needs a port'; do
	want_text "$text"
done
printf '%s\n' '[hold]' 'port = 53' 'intervall = 20' >"$CONF"
want_status 2 sluice run --check-config --config "$CONF"
want_text "did you mean 'interval'"

sluice hold unload
rmdir "$TEST_CGROUP/one" "$TEST_CGROUP/two"
want_clean
want_equal "$(json "d['hold']" sluice -j status)" None
