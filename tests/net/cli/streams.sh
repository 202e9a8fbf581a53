#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The standard streams are closed, limited in size, or read by a process that exits. A change is
# still applied completely, no output goes to another descriptor, and the exit status reports
# missing output. Escape sequences go only to terminals that interpret them.
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"

LOAD=(reply load --mode socket --cgroup "$TEST_CGROUP")
netns_add "$HOST"

# closed FD COMMAND…: runs COMMAND without descriptor FD; sets STATUS and OUTPUT
closed()
{
	local fd=$1
	shift
	STATUS=0
	case $fd in
	0) OUTPUT=$("$@" 2>&1 <&-) || STATUS=$? ;;
	1) OUTPUT=$( ("$@" >&-) 2>&1) || STATUS=$? ;;
	2) OUTPUT=$("$@" 2>&-) || STATUS=$? ;;
	esac
}

say "closed streams"
closed 1 "$SLUICE" "${LOAD[@]}"
want_equal "$STATUS" 1 "exit status: $OUTPUT"
want_text "standard output: Bad file descriptor"
want_text "the command was carried out"
want_equal "$(json "(d['reply']['mode'], d['reply']['complete'])" sluice -j reply show)" \
	"('socket', True)"
for command in status "reply show" "reply flows" "steer show" "check --for reply"; do
	# shellcheck disable=SC2086 # the words of a command
	closed 1 "$SLUICE" $command
	want_equal "$STATUS" 1 "exit status of $command: $OUTPUT"
done
closed 0 "$SLUICE" status
want_equal "$STATUS" 0 "exit status: $OUTPUT"

# The descriptors 0 to 2 of the process must not refer to a map, a socket or the lock.
say "no descriptor of the daemon replaces them"
configure '[reply]' 'mode = socket' '[hold]' 'port = 4000'
nsenter --net="/run/netns/$HOST" -- "$SLUICE" run --config "$CONF" <&- >&- 2>&- &
DAEMON=$!
daemon_is_up()
{
	[ "$(json "d['daemon'] and [s['state'] for s in d['daemon']['sections'] or []]" sluice -j status)" = \
		"['loaded', 'loaded']" ]
}
wait_until 20 daemon_is_up
for fd in 0 1 2; do
	want_equal "$(readlink "/proc/$DAEMON/fd/$fd")" /dev/null "descriptor $fd"
done
kill "$DAEMON"
wait "$DAEMON"
sluice reply unload
sluice hold unload

say "a closed pipe does not abort a change half-way"
for port in $(seq 40001 40060); do
	printf '%s\n' "$port"
done >"$TEST_TMP/ports"
cat >"$TEST_TMP/groups.py" <<'PYTHON'
import socket
import sys
import time

kept = []
for port in open(sys.argv[1]):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(("", int(port)))
    kept.append(sock)
print("ready", flush=True)
time.sleep(3600)
PYTHON
spawn_in "$HOST" "$TEST_TMP/groups" python3 "$TEST_TMP/groups.py" "$TEST_TMP/ports"
wait_until 20 grep -q ready "$TEST_TMP/groups"
# 60 lines of events exceed the buffer of stdio; no process reads from the pipe
mkfifo "$TEST_TMP/pipe"
status=0
(
	exec 3<>"$TEST_TMP/pipe" 4>"$TEST_TMP/pipe" 3<&-
	exec "$SLUICE" --netns "$HOST" steer load --port 40001-40060 >&4 4>&-
) 2>"$TEST_TMP/err" || status=$?
want_equal "$status" 1 "exit status: $(cat "$TEST_TMP/err")"
grep -q "standard output: Broken pipe" "$TEST_TMP/err" || fail "$(cat "$TEST_TMP/err")"
want_equal "$(json "len(d['groups'])" sluice -j steer show)" 60 "groups"

say "a command that only reads exits with its pipe"
(
	exec 3<>"$TEST_TMP/pipe" 4>"$TEST_TMP/pipe" 3<&-
	exec "$SLUICE" -j steer show >&4 4>&-
) 2>"$TEST_TMP/err" || status=$?
want_equal "$status" $((128 + $(kill -l PIPE))) "exit status: $(cat "$TEST_TMP/err")"
sluice steer unload >/dev/null
stop "$SPAWNED"

say "a limit on the size of files"
status=0
OUTPUT=$( (ulimit -f 0 && exec "$SLUICE" "${LOAD[@]}" >"$TEST_TMP/out") 2>&1) || status=$?
want_equal "$status" 1 "exit status: $OUTPUT"
want_text "standard output: File too large"
want_equal "$(json "d['reply']['complete']" sluice -j reply show)" True

# on_terminal VARIABLE…: prints what 'sluice status' writes to a terminal with these variables
on_terminal()
{
	script --quiet --return --command "env -u NO_COLOR $* $SLUICE status" /dev/null </dev/null
}

say "terminals"
ESCAPE=$'\033'
[[ $(on_terminal TERM=xterm) == *"$ESCAPE"* ]] || fail "no colour on a terminal"
[[ $(on_terminal TERM=xterm NO_COLOR=) == *"$ESCAPE"* ]] || fail "an empty NO_COLOR counts as set"
for variables in "TERM=dumb" "TERM=" "TERM=xterm NO_COLOR=1"; do
	[[ $(on_terminal "$variables") != *"$ESCAPE"* ]] || fail "escape sequences with $variables"
done
sluice reply unload
want_clean
