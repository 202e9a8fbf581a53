# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Helpers for the tests of the daemon. Source it after lib.sh.

CONF=$TEST_TMP/sluice.conf
DAEMON_LOG=$TEST_TMP/daemon.log

# configure LINE…: writes the daemon's file, with the cgroup of the test
configure()
{
	printf '%s\n' '[global]' "cgroup = $TEST_CGROUP" "$@" >"$CONF"
}

# logged TEXT [TIMES]: returns true if the daemon has logged TEXT at least TIMES times
logged()
{
	[ "$(grep -cF -- "$1" "$DAEMON_LOG")" -ge "${2:-1}" ]
}

want_logged()
{
	wait_until 60 logged "$@" || fail "the daemon did not log '$1' ${2:-1} times:" "$(cat "$DAEMON_LOG")"
}

# daemon_start [OPTION…]: starts the daemon in HOST, and returns once it is up. Sets DAEMON to its
# process id.
daemon_start()
{
	: >"$DAEMON_LOG"
	spawn_in "$HOST" "$DAEMON_LOG" "$SLUICE" "$@" run --config "$CONF"
	DAEMON=$SPAWNED
	want_logged 'msg="started"'
	bpftool cgroup tree "$TEST_CGROUP" | awk '/sluice_/ { print $1 }' >>"$TEST_TMP/own_programs"
}

# daemon_stop [CODE]: stops the daemon, and expects exit status CODE
daemon_stop()
{
	local status=0
	kill "$DAEMON"
	wait "$DAEMON" || status=$?
	want_equal "$status" "${1:-0}" "exit status of the daemon: $(cat "$DAEMON_LOG")"
}

# daemon_reload TEXT: makes the daemon reload its file, and waits until it logs TEXT again
daemon_reload()
{
	local before
	before=$(grep -cF -- "$1" "$DAEMON_LOG" || true)
	kill -HUP "$DAEMON"
	want_logged "$1" $((before + 1))
}

# link_ids: prints the hook and the id of each link on the test's cgroup
link_ids()
{
	json "sorted((h['hook'], h['link_id']) for h in d['reply']['hooks'])" sluice -j reply show
}
