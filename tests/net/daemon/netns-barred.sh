#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# For a while the daemon cannot enter the namespace of mode wire, where netlink messages are
# pending. It logs the failure, and retries with a delay, not in a busy loop. Afterwards it handles
# the changed interfaces. A preloaded library makes setns(2) fail.
#
#   daemon [lan]   docker0 ═ late0 [host]
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"

# Fails while the file exists, and appends one byte to the file for each call.
cat >"$TEST_TMP/bar.c" <<'C'
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int setns(int fd, int type)
{
	int bar = open(getenv("BAR"), O_WRONLY | O_APPEND);

	if (bar < 0)
		return (int)syscall(SYS_setns, fd, type);
	if (write(bar, ".", 1) != 1)
		_exit(1);
	close(bar);
	errno = ENOMEM;
	return -1;
}
C
"${CC:-cc}" -shared -fPIC -o "$TEST_TMP/bar.so" "$TEST_TMP/bar.c"
BAR=$TEST_TMP/bar

attached()
{
	json "sorted(i['name'] for i in d['wire']['interfaces'])" sluice -j --netns "$HOST" reply show
}

attached_are()
{
	[ "$(attached)" = "$1" ]
}

topology_host
netns_add "$LAN"
configure '[wire]' "netns = $HOST" 'follow = docker0' "port = $PORT"
: >"$DAEMON_LOG"
spawn_in "$LAN" "$DAEMON_LOG" env BAR="$BAR" LD_PRELOAD="$TEST_TMP/bar.so" \
	"$SLUICE" run --config "$CONF"
DAEMON=$SPAWNED
want_logged 'msg="started"'
want_equal "$(attached)" "[]"

say "barred, with pending messages about interfaces"
: >"$BAR"
ip -n "$HOST" link add late0 type veth peer name late0p
ip -n "$HOST" link set dev late0 master docker0
want_logged 'network namespace of mode wire: Cannot allocate memory'
daemon_reload 'msg="reloaded"'
# about one try per netlink socket; endless if an unread socket keeps waking the loop
tries=$(stat -c %s "$BAR")
[ "$tries" -ge 2 ] || fail "$tries tries: nothing was barred"
[ "$tries" -le 50 ] || fail "$tries tries" "$(tail -n 3 "$DAEMON_LOG")"
retried()
{
	[ "$(stat -c %s "$BAR")" -ge $((tries + 2)) ]
}
wait_until 30 retried
want_equal "$(grep -c 'msg="interface sync failed' "$DAEMON_LOG")" 1 "lines about one failure"
want_equal "$(attached)" "[]"

say "no longer"
rm "$BAR"
wait_until 60 attached_are "['late0']" || fail "got $(attached)" "$(tail -n 20 "$DAEMON_LOG")"
say "later messages are handled immediately"
# next_event_handled: checks that the netlink message of a new port triggers the attachment; a
# pending resync of all interfaces could attach too
next_event_handled()
{
	late=late$((${late#late} + 1))
	ip -n "$HOST" link add "$late" type veth peer name "${late}p"
	ip -n "$HOST" link set dev "$late" master docker0
	wait_until 60 logged "msg=\"attached\" iface=$late" || return 1
	grep -q "msg=\"attached\" iface=$late .*delay_us=" "$DAEMON_LOG"
}
late=late0
wait_until 60 next_event_handled || fail "$(tail -n 5 "$DAEMON_LOG")"
want_equal "$(json "'$late' in [i['name'] for i in d['wire']['interfaces'] if not i['gone']]" \
	sluice -j --netns "$HOST" reply show)" True
daemon_stop
sluice --netns "$HOST" cleanup
want_clean
