#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A process of another user is on a managed port. Its descriptor refers alternately to a socket and
# to a file on its own FUSE file system, where close(2) never returns. A process that copies the
# file instead of the socket hangs until the hostile process ends, even if killed. The daemon
# reports the hostile process, skips it, and continues to steer other servers.
#
#   host: udp-hostile (port 6001, user 4321) and workers (port PORT), with the daemon
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/steer.sh"
. "$(dirname "$0")/../lib/daemon.sh"
. "$(dirname "$0")/../lib/hostile.sh"

netns_add "$HOST"
mkdir "$TEST_TMP/fs"
workers "$HOST" --port "$PORT" --workers 2
first=$SERVER_PID
hostile --flip "$TEST_TMP/fs"
configure '[steer]' "port = $BLOCKED,$PORT" 'sweep = 1'
daemon_start
# sluice takes each new socket once; half of the time, it gets the file
want_logged "process $BLOCKER (udp-hostile) $BLOCKS"
want_live
daemon_stop
say "the process exits: its child exits too"
daemon_start
want_logged "process $BLOCKER (udp-hostile) $BLOCKS"
kill_hostile
wait_until 30 no_children
want_live
daemon_stop
sluice steer unload
stop "$first"
want_clean
