# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What the tests of the daemon share; sourced behind lib.sh.

CONF=$TEST_TMP/sluice.conf
DAEMON_LOG=$TEST_TMP/daemon.log

# configure LINE…: the daemon's file; what it says of the cgroup is the test's own
configure()
{
	printf '%s\n' '[global]' "cgroup = $TEST_CGROUP" "$@" >"$CONF"
}

# logged TEXT [TIMES]: has the daemon written such a line, at least so many times?
logged()
{
	[ "$(grep -cF -- "$1" "$DAEMON_LOG")" -ge "${2:-1}" ]
}

want_logged()
{
	wait_until 60 logged "$@" || fail "the daemon did not say '$1' ${2:-1} times:" "$(cat "$DAEMON_LOG")"
}

# daemon_start [OPTION…]: in HOST, up when this returns; its process id is in DAEMON
daemon_start()
{
	: >"$DAEMON_LOG"
	spawn_in "$HOST" "$DAEMON_LOG" "$SLUICE" "$@" run --config "$CONF"
	DAEMON=$SPAWNED
	want_logged 'msg="started"'
	bpftool cgroup tree "$TEST_CGROUP" | awk '/sluice_/ { print $1 }' >>"$TEST_TMP/ours"
}

# daemon_stop [CODE]: ends it, and it exits with CODE
daemon_stop()
{
	local status=0
	kill "$DAEMON"
	wait "$DAEMON" || status=$?
	want_equal "$status" "${1:-0}" "exit code of the daemon: $(cat "$DAEMON_LOG")"
}

# daemon_reload TEXT: it reads the file again, and says TEXT once more than before
daemon_reload()
{
	local before
	before=$(grep -cF -- "$1" "$DAEMON_LOG" || true)
	kill -HUP "$DAEMON"
	want_logged "$1" $((before + 1))
}

# link_ids: of the links on the test's cgroup, by hook
link_ids()
{
	json "sorted((h['hook'], h['link_id']) for h in d['reply']['hooks'])" sluice -j reply show
}
