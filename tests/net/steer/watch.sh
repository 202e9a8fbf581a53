#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# steer show --watch refreshes in place on a terminal and restores the terminal at its end.
# Elsewhere, reports follow each other; in JSON, each is one line, with rates that match the counts.
#
#   container ── docker0 172.17.0.1 [host: two servers on 0.0.0.0:56789]
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/see.sh"

HOME_SEQUENCE=$'\033[H'
SHOW_CURSOR=$'\033[?25h'

# has_times TEXT COUNT FILE: FILE has TEXT at least COUNT times
has_times()
{
	[ "$(grep -oF "$1" "$3" 2>/dev/null | wc -l)" -ge "$2" ]
}

# shown_again TEXT FILE: two more reports have begun, so that the last one has read the current
# state
shown_again()
{
	local begun
	begun=$(grep -oF "$1" "$2" | wc -l)
	wait_until 20 has_times "$1" $((begun + 2)) "$2" || fail "no refresh" "$(cat "$2")"
}

topology_up
group_up 2
steer_load
want_answers 10 1 30000

say "options"
want_status 2 "$SLUICE" steer show 5
want_status 2 "$SLUICE" steer show --watch 0
want_status 2 "$SLUICE" steer show --watch often
want_status 2 "$SLUICE" steer show --watch=0
want_text "--watch: 0 is out of range"
want_status 2 "$SLUICE" steer show --watch 1 2
want_text "unexpected word '2'"

# watch_ended SIGNAL: runs it on a terminal of 12 lines, and ends it with SIGNAL
watch_ended()
{
	local screen=$TEST_TMP/screen.$1 watcher status=0
	script --quiet --flush --return --command \
		"stty rows 12 cols 80; echo \$\$ >$TEST_TMP/pid.$1; exec $SLUICE steer show --watch 1" \
		"$screen" </dev/null >/dev/null &
	watcher=$!
	wait_until 20 has_times "$HOME_SEQUENCE" 2 "$screen" || fail "no screen" "$(cat "$screen")"
	want_answers 10 1 30000
	shown_again "$HOME_SEQUENCE" "$screen"
	if has_times "$SHOW_CURSOR" 1 "$screen"; then
		fail "the cursor is visible during the watch"
	fi
	kill "-$1" "$(cat "$TEST_TMP/pid.$1")"
	wait "$watcher" || status=$?
	want_equal "$status" 0 "exit status of the watch"
	has_times "$SHOW_CURSOR" 1 "$screen" || fail "the cursor is still hidden" "$(cat -v "$screen")"
	# the last screen follows the last cursor-home sequence
	tr -d '\r' <"$screen" | awk -v RS='\033\\[H' 'END { print }' >"$TEST_TMP/last"
	grep -q "datagrams  $2," "$TEST_TMP/last" || fail "not refreshed" "$(cat -v "$TEST_TMP/last")"
	[ "$(grep -c $'\033\\[K' "$TEST_TMP/last")" -le 11 ] ||
		fail "more lines than the terminal has" "$(cat -v "$TEST_TMP/last")"
}

say "on a terminal"
watch_ended INT 20
watch_ended TERM 30

say "into a file"
"$SLUICE" steer show --watch=1 >"$TEST_TMP/reports" &
watcher=$!
wait_until 20 has_times "steer: policy" 2 "$TEST_TMP/reports"
stop "$watcher"
if grep -q $'\033' "$TEST_TMP/reports"; then
	fail "escape sequences in a file" "$(cat -v "$TEST_TMP/reports")"
fi

say "as JSON"
"$SLUICE" -j steer show --watch 1 >"$TEST_TMP/documents" &
watcher=$!
wait_until 20 has_times schema_version 1 "$TEST_TMP/documents"
want_answers 10 5 30000
shown_again schema_version "$TEST_TMP/documents"
kill -INT "$watcher"
wait "$watcher" || fail "exit $? of a watch that was interrupted"
python3 - "$TEST_TMP/documents" <<'PYTHON'
import json
import sys

views = [json.loads(line) for line in open(sys.argv[1])]
first, rest = views[0], views[1:]
assert len(rest) >= 2, views
assert "datagrams_per_s" not in first["groups"][0], "a rate in the first report"
slots = {s["socket_cookie"]: s["datagrams"] for s in first["groups"][0]["slots"]}
came = 0
for view in rest:
    for slot in view["groups"][0]["slots"]:
        new = slot["datagrams"] - slots[slot["socket_cookie"]]
        assert abs(slot["datagrams_per_s"] * view["elapsed_s"] - new) < 1e-3, (slot, view["elapsed_s"])
        slots[slot["socket_cookie"]] += new
        came += new
assert came == 50, came
PYTHON

say "unloaded meanwhile: it exits with the reason"
"$SLUICE" steer show --watch 1 >"$TEST_TMP/ending" 2>&1 &
watcher=$!
wait_until 20 has_times "steer: policy" 1 "$TEST_TMP/ending"
sluice steer unload
status=0
wait "$watcher" || status=$?
want_equal "$status" 1 "exit status"
grep -q "not loaded" "$TEST_TMP/ending" || fail "no reason" "$(cat "$TEST_TMP/ending")"
