#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The age of a loaded object does not depend on the wall clock, which may be set at any time. The
# commands that show the age run with a clock that is a year behind or ahead.
#
#   host: two servers of one group on 0.0.0.0:56789
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/clock.sh"
. "$(dirname "$0")/../lib/see.sh"

clock_library

# at OFFSET COMMAND…: runs sluice with a wall clock that differs by OFFSET seconds
at()
{
	echo "$1" >"$TEST_TMP/clock"
	CLOCK_FILE=$TEST_TMP/clock LD_PRELOAD=$TEST_TMP/clock.so "$SLUICE" "${@:2}"
}

netns_add "$HOST"
group_up 2
sluice reply load --mode socket --cgroup "$TEST_CGROUP"
sluice --netns "$HOST" reply load --mode wire --iface lo
sluice --netns "$HOST" steer load --port "$PORT"
sluice hold load --port 4000 --cgroup "$TEST_CGROUP"

ages="[d['reply']['loaded_for_s'], d['wire']['loaded_for_s'], d['hold']['loaded_for_s']]"
groups="[d['loaded_for_s'], d['groups'][0]['loaded_for_s'], d['namespaces'][0]['loaded_for_s']]"
for offset in 0 -$YEAR $YEAR; do
	want_equal "$(json "[0 <= age < 600 for age in $ages]" at "$offset" -j status)" \
		"[True, True, True]" "ages with an offset of $offset s"
	want_equal "$(json "[0 <= age < 600 for age in $groups]" at "$offset" -j steer show)" \
		"[True, True, True]" "ages of steering with an offset of $offset s"
done

say "a time namespace, as a container may have"
shifted=(unshare --time --monotonic "$YEAR" --boottime "$YEAR" --fork "$SLUICE" -j)
want_equal "$(json "[0 <= age < 600 for age in $ages]" "${shifted[@]}" status)" "[True, True, True]"
want_equal "$(json "[0 <= age < 600 for age in $groups]" "${shifted[@]}" steer show)" \
	"[True, True, True]"
"${shifted[@]}" reply load --mode socket --cgroup "$TEST_CGROUP" --age 61 >/dev/null
want_equal "$(json "0 <= d['reply']['loaded_for_s'] < 600" sluice -j reply show)" True

say "a load while the clock is ahead"
at $YEAR reply load --mode socket --cgroup "$TEST_CGROUP" --age 60
want_equal "$(json "0 <= d['reply']['loaded_for_s'] < 600" sluice -j reply show)" True
sluice --netns "$HOST" cleanup
want_clean
