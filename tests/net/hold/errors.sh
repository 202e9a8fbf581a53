#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Bad input, exit statuses, and the JSON of each command.
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"

netns_add "$HOST"

say "not loaded"
for command in show flows unload; do
	want_status 1 sluice hold $command
	want_text "hold is not loaded"
	want_text "sluice hold load --port"
done

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
want_text "would be attached"
want_text "sluice_hold_out"
want_clean

say "loaded"
want_status 0 sluice --netns "$HOST" --cgroup "$TEST_CGROUP" -j hold load --port any
want_equal "$(json "(d['hold']['ports'], d['hold']['sending'], len(d['hold']['hooks']),
	d['hold']['sender'])" sluice -j hold show)" "('any', False, 3, None)"
want_equal "$(json "(d['flows'], d['sending'], d['size'])" sluice -j hold flows)" "([], False, 16384)"
want_equal "$(json "d['hold']['ports']" sluice -j status)" any
want_status 0 sluice status
want_text "hold: ports any"
want_equal "$(json "d['verdict']" sluice -j check --for hold)" "{'hold': 'ready'}"

say "without capabilities"
want_status 4 setpriv --bounding-set -all --inh-caps -all "$SLUICE" --cgroup "$TEST_CGROUP" \
	hold load --port 53
want_text "CAP_NET_ADMIN"

say "mistakes in the file, all at once"
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
want_clean
want_equal "$(json "d['hold']" sluice -j status)" None
