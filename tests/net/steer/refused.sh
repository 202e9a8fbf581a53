#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A seccomp filter refuses pidfd_getfd(2) or pidfd_open(2) with EPERM or ENOSYS. Each command that
# copies sockets reports this, exits with status 4 and changes nothing. The daemon logs it and
# retries.
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/steer.sh"
. "$(dirname "$0")/../lib/daemon.sh"

OPEN=434 GETFD=438 EPERM=1 ENOSYS=38

# refused NUMBER ERRNO COMMAND…: runs COMMAND under a filter that fails system call NUMBER with
# ERRNO
refused()
{
	python3 "$ROOT/tests/net/lib/seccomp.py" "$@"
}

netns_add "$HOST"
workers "$HOST" --port "$PORT" --workers 2
old=$SERVER_PID
for error in "$EPERM" "$ENOSYS"; do
	say "error $error"
	want_status 4 refused "$GETFD" "$error" "$SLUICE" --netns "$HOST" steer load --port "$PORT"
	want_text "steer load: pidfd_getfd: a seccomp filter forbids it"
	want_text "allow pidfd_open and pidfd_getfd"
	want_status 4 refused "$OPEN" "$error" "$SLUICE" --netns "$HOST" steer load --port "$PORT"
	want_text "steer load: pidfd_open: a seccomp filter forbids it"
	want_clean
done

say "the loaded objects stay unchanged"
sluice --netns "$HOST" steer load --port "$PORT"
workers "$HOST" --port "$PORT"
for command in "steer drain $old" "steer promote $old" "steer unload" cleanup; do
	# shellcheck disable=SC2086 # words
	want_status 4 refused "$GETFD" "$EPERM" "$SLUICE" $command
	want_text "pidfd_getfd: a seccomp filter forbids it"
done
want_status 0 refused "$GETFD" "$EPERM" "$SLUICE" steer show
want_equal "$(json "d['groups'][0]['open'], d['groups'][0]['active']" sluice -j steer show)" "(2, 2)"
sluice steer unload

say "the daemon"
configure '[steer]' "port = $PORT" '[reply]' 'mode = socket'
: >"$DAEMON_LOG"
spawn_in "$HOST" "$DAEMON_LOG" python3 "$ROOT/tests/net/lib/seccomp.py" "$GETFD" "$EPERM" \
	"$SLUICE" run --config "$CONF"
DAEMON=$SPAWNED
want_logged 'msg="started"'
want_logged 'section=steer reason="steer load: pidfd_getfd: a seccomp filter forbids it"'
daemon_stop
sluice reply unload
stop "$old"
want_clean
