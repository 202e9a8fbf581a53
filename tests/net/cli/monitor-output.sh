#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# 'sluice monitor' with a consumer that is slow, stopped, or exits; without permissions; and with
# objects that are unloaded and loaded again at once. When a second monitor prints an event, the
# first must have seen it too.
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/monitor.sh"

PIPE=$TEST_TMP/pipe
mkfifo "$PIPE"
netns_add "$HOST"

# pipe_full: fills the pipe; this process is its consumer
pipe_full()
{
	exec 3<>"$PIPE"
	python3 -IS - <<-'PYTHON'
		import os
		os.set_blocking(3, False)
		try:
		    while True:
		        os.write(3, b"\n" * 4096)
		except BlockingIOError:
		    pass
	PYTHON
}

# monitor_pipe [COMMAND…]: starts a monitor that writes to the pipe; sets PIPED to its process id
monitor_pipe()
{
	: >"$TEST_TMP/piped"
	"$@" "$SLUICE" -v -j monitor >"$PIPE" 2>"$TEST_TMP/piped" 3<&- &
	PIPED=$!
	wait_until 20 grep -q watching "$TEST_TMP/piped"
}

# want_end STATUS: waits for the exit of the monitor that writes to the pipe
want_end()
{
	local status=0
	wait_until 20 ended
	wait "$PIPED" || status=$?
	want_equal "$status" "$1" "exit status"
}

# The shell may or may not have reaped its child yet.
ended()
{
	[ ! -e "/proc/$PIPED" ] || grep -q '^State:.Z' "/proc/$PIPED/status"
}

# read_events COUNT: prints that many events from the pipe, without gaps
read_events()
{
	python3 -IS -c '
import sys
kept = []
for line in open(0):
    event = eval(line) if line.strip() else {"event": "gap"}
    if event["event"] != "gap":
        kept.append((event["object"], event["event"]))
    if len(kept) == int(sys.argv[1]):
        break
print(kept)' "$1" <&3
}

monitor_start
say "an object that is unloaded and loaded again at once does not count as replaced"
reply_load >/dev/null
want_events 1 "e['event'] == 'loaded'"
for round in 1 2 3; do
	sluice reply unload >/dev/null
	reply_load >/dev/null
	want_events "$round" "e['event'] == 'unloaded'"
	want_events $((round + 1)) "e['event'] == 'loaded'"
done
want_events 0 "e['event'] not in ('loaded', 'unloaded') and e['object'] != 'monitor'"

say "without permissions"
want_status 4 setpriv --reuid=65534 --clear-groups --inh-caps=-all "$SLUICE" monitor
want_text "Permission denied"
sluice reply unload >/dev/null
want_events 4 "e['event'] == 'unloaded'"

for signal in TERM INT; do
	say "SIG$signal stops it while the pipe is full"
	before=$(events_sum "e['event'] == 'loaded'")
	pipe_full
	monitor_pipe
	reply_load >/dev/null
	want_events $((before + 1)) "e['event'] == 'loaded'"
	sluice reply unload >/dev/null
	want_events $((before + 1)) "e['event'] == 'unloaded'"
	kill -"$signal" "$PIPED"
	want_end 0
	exec 3<&-
done

say "a consumer that resumes"
before=$(events_sum "e['event'] == 'loaded'")
pipe_full
monitor_pipe
for round in 1 2 3; do
	reply_load >/dev/null
	want_events $((before + round)) "e['event'] == 'loaded'"
	[ "$round" = 3 ] || sluice reply unload >/dev/null
done
want_equal "$(read_events 3)" "[('reply', 'loaded'), ('reply', 'unloaded'), ('reply', 'loaded')]"

say "a consumer that exits stops the monitor, without an event"
exec 3<&-
want_end $((128 + $(kill -l PIPE)))
exec 3<>"$PIPE"
monitor_pipe env --ignore-signal=PIPE
exec 3<&-
want_end 1
grep -q "standard output: Broken pipe" "$TEST_TMP/piped" || fail "$(cat "$TEST_TMP/piped")"
sluice reply unload >/dev/null
monitor_end
want_clean
