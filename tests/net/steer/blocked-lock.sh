#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A process of another user is on a managed port and holds the lock of its socket. A process that
# reads the socket's address or sets an option hangs until the hostile process ends, even if killed.
# The daemon and the commands report the hostile process, skip it, and continue to steer other
# servers.
#
#   host: udp-hostile (port 6001, user 4321) and workers (port PORT), with the daemon
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/steer.sh"
. "$(dirname "$0")/../lib/daemon.sh"
. "$(dirname "$0")/../lib/hostile.sh"

netns_add "$HOST"

say "the lock of a socket that is not steered yet"
hostile
hold_lock
workers "$HOST" --port "$PORT" --workers 2
first=$SERVER_PID
want_status 1 timeout 30 "$SLUICE" --netns "$HOST" steer load --port "$BLOCKED,$PORT"
want_text "process $BLOCKER (udp-hostile) $BLOCKS"
want_text "its user, blocks access to its sockets"
want_text "2 sockets"
want_equal "$(json "[g['port'] for g in d['groups']]" sluice -j steer show)" "[$PORT]"
sluice steer unload
configure '[steer]' "port = $BLOCKED,$PORT" 'sweep = 1'
daemon_start
want_logged "process $BLOCKER (udp-hostile) $BLOCKS"
want_live
want_equal "$(grep -cF "$BLOCKS" "$DAEMON_LOG")" 1 "children that hang"
say "another process of the same user is skipped, too"
locker=$BLOCKER
hostile
want_logged "its user, blocks access" 1
want_equal "$(grep -cF "$BLOCKS" "$DAEMON_LOG")" 1 "children that hang"
kill_hostile
BLOCKER=$locker
say "the daemon exits and restarts while its child hangs"
daemon_stop
daemon_start
want_logged "process $BLOCKER (udp-hostile) $BLOCKS"
say "the process exits: its child exits too"
kill_hostile
wait_until 30 no_children
daemon_stop
sluice steer unload

say "the lock of a socket that is steered"
hostile
sluice --netns "$HOST" steer load --port "$BLOCKED,$PORT"
hold_lock
want_status 0 timeout 30 "$SLUICE" steer show
want_status 1 timeout 30 "$SLUICE" steer unload
want_text "port $BLOCKED"
want_status 1 timeout 30 "$SLUICE" cleanup
want_text "process $BLOCKER"
kill_hostile
sluice cleanup
want_clean

stop "$first"
