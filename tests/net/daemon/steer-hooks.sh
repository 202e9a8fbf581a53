#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Policy cpu attaches its programs on recvmsg to a cgroup. In a container that sees only its own
# subtree, 'steer load' refuses to guess the cgroup, as 'reply load' does. The daemon warns, and
# places workers by affinity. If the cgroup is missing, the daemon retries every ten seconds.
#
#   host: one process, threads on CPU 0 and CPU 1, on [::]:56789
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"
. "$(dirname "$0")/../lib/cpu.sh"

netns_add "$HOST"
workers a@0 b@1

# The cgroup namespace begins at the current cgroup. The host's root is no longer mounted.
mkdir "$TEST_CGROUP/container"
cat >"$TEST_TMP/contained" <<-END
	#!/bin/sh
	# contained COMMAND…
	echo \$\$ >'$TEST_CGROUP/container/cgroup.procs'
	exec unshare --cgroup --mount "$TEST_TMP/mount" "\$@"
END
cat >"$TEST_TMP/mount" <<-END
	#!/bin/sh
	awk '/ - cgroup/ { print \$5 }' /proc/self/mountinfo | sort -r | while read -r at; do
		umount -l "\$at"
	done
	mkdir -p '$TEST_TMP/subtree'
	mount -t cgroup2 none '$TEST_TMP/subtree'
	exec nsenter --net=/run/netns/$HOST "\$@"
END
chmod +x "$TEST_TMP/contained" "$TEST_TMP/mount"

recv_hooks()
{
	bpftool cgroup tree "$TEST_CGROUP" | grep -c sluice_recv || true
}

say "in a container, the command needs --cgroup"
want_status 2 "$TEST_TMP/contained" "$SLUICE" steer load --port "$PORT" --policy cpu
want_text "is a container's subtree, not the host's root"
want_clean
"$TEST_TMP/contained" "$SLUICE" --cgroup "$TEST_TMP/subtree" steer load --port "$PORT" --policy cpu
want_equal "$(recv_hooks)" 2
say "a missing cgroup does not mean that programs were detached"
want_status 0 sluice --cgroup "$TEST_CGROUP/none" --netns "$HOST" steer load --port "$PORT" \
	--policy cpu
want_text "the programs on recvmsg are not replaced: cgroup $TEST_CGROUP/none: No such file or directory"
want_equal "$(recv_hooks)" 2
sluice steer unload
want_equal "$(recv_hooks)" 0
say "policy flow needs no hooks"
"$TEST_TMP/contained" "$SLUICE" steer load --port "$PORT" --policy flow
sluice steer unload

say "in a container, the daemon warns and gives the reason"
printf '%s\n' '[steer]' "port = $PORT" 'policy = cpu' >"$CONF"
: >"$DAEMON_LOG"
spawn_in "$HOST" "$DAEMON_LOG" "$TEST_TMP/contained" "$SLUICE" run --config "$CONF"
DAEMON=$SPAWNED
want_logged 'msg="started"'
want_logged "cannot detect which thread receives on which CPU: cgroup $TEST_TMP/subtree is a container's subtree"
want_logged "reason=\"cgroup $TEST_TMP/subtree is a container's subtree"
want_equal "$(recv_hooks)" 0
daemon_stop
sluice steer unload

say "the warning names a cgroup that is not on a cgroup2"
printf '%s\n' '[global]' "cgroup = $TEST_TMP" '[steer]' "port = $PORT" >"$CONF"
daemon_start
want_logged "reason=\"cgroup $TEST_TMP: not on a cgroup2 file system\""
daemon_stop
sluice steer unload

say "the daemon retries until the cgroup exists, and warns once"
printf '%s\n' '[global]' "cgroup = $TEST_CGROUP/later" '[steer]' "port = $PORT" 'policy = cpu' \
	'sweep = 1' >"$CONF"
daemon_start
want_logged "cannot detect which thread receives on which CPU: cgroup $TEST_CGROUP/later: No such file or directory"
want_logged 'msg="steer: no socket events; only sweeps find new sockets"'
# the first retry fails
sleep 11
mkdir "$TEST_CGROUP/later"
want_logged 'msg="steer: programs on recvmsg attached: consumers are detected"'
want_logged 'msg="steer: receiving socket events again"'
want_equal "$(recv_hooks)" 2
want_equal "$(grep -c 'cannot detect which thread' "$DAEMON_LOG")" 1 "warnings"
want_equal "$(grep -c 'no socket events' "$DAEMON_LOG")" 1 "warnings"
daemon_stop
sluice steer unload
want_clean
