#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A server binds one socket per slot of a group at once, and then another. The daemon reports the
# socket without a slot, keeps no descriptor of it, and adds it once another socket is closed.
#
#   host: sockets.py with 1,024 sockets on PORT and one more
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/steer.sh"
. "$(dirname "$0")/../lib/daemon.sh"
. "$(dirname "$0")/../lib/sockets.sh"

SLOTS=1024

# open_and_left: prints the numbers of open sockets with and without a slot
open_and_left()
{
	json "d['groups'][0]['open'], d['groups'][0]['not_joined']" sluice -j steer show
}

has()
{
	[ "$(open_and_left)" = "$1" ]
}

# descriptors: prints the number of the daemon's descriptors, and fails while the daemon has a child
descriptors()
{
	[ -z "$(cat "/proc/$DAEMON/task/$DAEMON/children")" ] || return 1
	find "/proc/$DAEMON/fd" -mindepth 1 | wc -l
}

same_descriptors()
{
	[ "$(descriptors)" = "$before" ]
}

# are_settled: sets before, if the number stays the same over a sweep and the time after it
are_settled()
{
	before=$(descriptors) && sleep 1.5 && same_descriptors
}

netns_add "$HOST"
holder "$HOST"

hold open "$PORT" 1 1
configure '[steer]' "port = $PORT" 'sweep = 1'
daemon_start
wait_until 20 has "(1, 0)"
wait_until 20 are_settled
hold open "$PORT" 1 $((SLOTS - 1))
wait_until 60 has "($SLOTS, 0)"
hold open "$PORT" 1 1
want_logged "no slot is free: a group has at most 1024"
want_equal "$(open_and_left)" "($SLOTS, 1)" "sockets with and without a slot"
hold close $((SLOTS / 2))
wait_until 60 has "($SLOTS, 0)" || fail "the slot is not reused: $(open_and_left)"
wait_until 20 same_descriptors || fail "descriptors, before $before:" "$(ls -l "/proc/$DAEMON/fd")"
want_equal "$(grep -c 'no slot is free' "$DAEMON_LOG")" 1 "lines about the socket without a slot"
daemon_stop
sluice steer unload >/dev/null
holder_end

want_clean
