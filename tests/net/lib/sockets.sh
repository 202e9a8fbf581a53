# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Runs tests/net/lib/sockets.py. Source it after lib.sh.

# holder NAME: starts sockets.py in namespace NAME on 127.0.0.1; sets HOLDER to its process id
holder()
{
	HOLDER_LOG=$TEST_TMP/holder
	rm -f "$TEST_TMP/commands"
	mkfifo "$TEST_TMP/commands"
	: >"$HOLDER_LOG"
	nsenter --net="/run/netns/$1" -- python3 "$ROOT/tests/net/lib/sockets.py" 127.0.0.1 \
		<"$TEST_TMP/commands" >"$HOLDER_LOG" 2>&1 &
	# shellcheck disable=SC2034
	HOLDER=$!
	exec {HOLDER_INPUT}>"$TEST_TMP/commands"
	DONE=0
}

is_done()
{
	[ "$(grep -c '^done$' "$HOLDER_LOG")" -ge "$DONE" ]
}

# hold COMMAND…: makes the holder execute a command
hold()
{
	DONE=$((DONE + 1))
	echo "$*" >&"$HOLDER_INPUT"
	wait_until 60 is_done || fail "sockets.py:" "$(cat "$HOLDER_LOG")"
}

# holder_end: stops the holder, but not its children
holder_end()
{
	exec {HOLDER_INPUT}>&-
	wait "$HOLDER"
}
