#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# 'steer show --watch' refreshes in place on a terminal, and restores the terminal at the end.
# Elsewhere it prints one report after another; in JSON, each report is one line, with rates that
# match the counts.
#
#   container ── docker0 172.17.0.1 [host: two servers on 0.0.0.0:56789]
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/see.sh"

# without one, the watch prints plain text even on a terminal
export TERM=xterm

HOME_SEQUENCE=$'\033[H'
SHOW_CURSOR=$'\033[?25h'

# has_times TEXT COUNT FILE: returns true if FILE contains TEXT at least COUNT times
has_times()
{
	[ "$(grep -oF "$1" "$3" 2>/dev/null | wc -l)" -ge "$2" ]
}

# shown_again TEXT FILE: waits until two more reports have begun, so that the last report shows the
# current state
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

# watch_begin ROWS COLUMNS: runs the command on a terminal of this size. SCREEN is its output; WATCH
# is its process id, TERMINAL that of the terminal. Text written to KEYS is typed.
watch_begin()
{
	SCREEN=$TEST_TMP/screen.$((++SCREENS))
	rm -f "$TEST_TMP/keys" "$TEST_TMP/pid"
	mkfifo "$TEST_TMP/keys"
	script --quiet --flush --return --command \
		"stty rows $1 cols $2; echo \$\$ >$TEST_TMP/pid; exec $SLUICE steer show --watch 1" \
		"$SCREEN" <"$TEST_TMP/keys" >/dev/null &
	TERMINAL=$!
	exec {KEYS}>"$TEST_TMP/keys"
	wait_until 20 has_times "$HOME_SEQUENCE" 2 "$SCREEN" || fail "no screen" "$(cat "$SCREEN")"
	WATCH=$(cat "$TEST_TMP/pid")
}

# watch_end: expects exit status 0; the last screen is in $TEST_TMP/last
watch_end()
{
	local status=0
	wait "$TERMINAL" || status=$?
	exec {KEYS}>&-
	want_equal "$status" 0 "exit code of the watch"
	has_times "$SHOW_CURSOR" 1 "$SCREEN" || fail "the cursor is still hidden" "$(cat -v "$SCREEN")"
	# the last screen follows the last cursor-home sequence
	tr -d '\r' <"$SCREEN" | awk -v RS='\033\\[H' 'END { print }' >"$TEST_TMP/last"
}

# want_fits ROWS COLUMNS: checks that the last screen fits into ROWS lines of COLUMNS characters
want_fits()
{
	python3 - "$TEST_TMP/last" "$1" "$2" <<-'PYTHON'
		import re
		import sys

		rows, columns = map(int, sys.argv[2:])
		text = open(sys.argv[1]).read().split("\033[J")[0]
		lines = [re.sub(r"\033\[[0-9;?]*[A-Za-z]", "", line) for line in text.split("\n")]
		assert len(lines) <= rows, lines
		assert max(map(len, lines)) <= columns, lines
	PYTHON
}

# watch_ended SIGNAL DATAGRAMS: stops the command with SIGNAL, on a terminal of 12 lines
watch_ended()
{
	watch_begin 12 80
	want_answers 10 1 30000
	shown_again "$HOME_SEQUENCE" "$SCREEN"
	if has_times "$SHOW_CURSOR" 1 "$SCREEN"; then
		fail "the cursor is visible during the watch"
	fi
	kill "-$1" "$WATCH"
	watch_end
	grep -q ": $2 datagrams," "$TEST_TMP/last" || fail "not refreshed" "$(cat -v "$TEST_TMP/last")"
	want_fits 12 80
}

SCREENS=0
say "on a terminal"
watch_ended INT 20
watch_ended TERM 30

say "80 columns and 24 lines: the rates come first, and the report fits"
watch_begin 24 80
shown_again "$HOME_SEQUENCE" "$SCREEN"
echo -n xq >&"$KEYS"
watch_end
want_fits 24 80
sed 's/\x1b\[[0-9;]*m//g; s/\x1b.*//' "$TEST_TMP/last" >"$TEST_TMP/plain"
grep -Eq '^ +/s +drops/s +open +closed +flows +group, netns' "$TEST_TMP/plain" ||
	fail "no rates of groups" "$(cat "$TEST_TMP/plain")"
grep -Eq '^ +/s +drops/s +process +pid +state' "$TEST_TMP/plain" ||
	fail "no rates of workers" "$(cat "$TEST_TMP/plain")"
grep -q "0.0.0.0:$PORT, [0-9]* ($HOST)" "$TEST_TMP/plain" || fail "no group" "$(cat "$TEST_TMP/plain")"
grep -q "unexplained" "$TEST_TMP/plain" || fail "the end is missing" "$(cat "$TEST_TMP/plain")"

say "a terminal that is too low: the last line counts the missing lines"
watch_begin 5 80
shown_again "$HOME_SEQUENCE" "$SCREEN"
echo -n q >&"$KEYS"
watch_end
want_fits 5 80
grep -q '^\.\.\. [0-9]* more lines' "$TEST_TMP/last" || fail "no note" "$(cat -v "$TEST_TMP/last")"

say "stopped and continued: the terminal is restored meanwhile"
python3 - "$SLUICE" <<'PYTHON'
import os
import pty
import select
import signal
import sys
import termios

HOME, SHOW_CURSOR = b"\x1b[H", b"\x1b[?25h"
child, terminal = pty.fork()
if not child:
    os.execv(sys.argv[1], [sys.argv[1], "steer", "show", "--watch", "1"])


def read_until(done):
    """Reads until done(text), however long that takes; the runner has a time limit."""
    text = b""
    while not done(text):
        select.select([terminal], [], [])
        text += os.read(terminal, 65536)
    return text


def reads_lines():
    return bool(termios.tcgetattr(terminal)[3] & termios.ICANON)


# a new terminal is in line mode
read_until(lambda text: text.count(HOME) >= 3)
assert not reads_lines(), "keys are not read one by one"
os.kill(child, signal.SIGTSTP)
read_until(lambda text: SHOW_CURSOR in text)
assert os.WIFSTOPPED(os.waitpid(child, os.WUNTRACED)[1]), "not stopped"
assert reads_lines(), "the terminal is not restored"
os.kill(child, signal.SIGCONT)
read_until(lambda text: text.count(HOME) >= 2)
assert not reads_lines()
os.write(terminal, b"q")
read_until(lambda text: SHOW_CURSOR in text)
assert os.waitpid(child, 0)[1] == 0
assert reads_lines(), "the terminal is not restored"
PYTHON

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

say "unloaded meanwhile: exits with the reason"
"$SLUICE" steer show --watch 1 >"$TEST_TMP/ending" 2>&1 &
watcher=$!
wait_until 20 has_times "steer: policy" 1 "$TEST_TMP/ending"
sluice steer unload
status=0
wait "$watcher" || status=$?
want_equal "$status" 1 "exit status"
grep -q "not loaded" "$TEST_TMP/ending" || fail "no reason" "$(cat "$TEST_TMP/ending")"
