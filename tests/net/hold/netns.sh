#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Two network namespaces behind two NATs have the same address. In each, a program sends from the
# same port to the same peer. These are two flows, and both mappings are kept. The daemon runs in a
# third namespace. A namespace is freed with its last program, because the daemon holds no reference
# to it.
#
#   inside  10.0.0.2:4000 ── nat  198.51.100.1 ──┐
#                                                router ── peer 203.0.113.2
#   inside2 10.0.0.2:4000 ── nat2 198.51.100.2 ──┘
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"
. "$(dirname "$0")/../lib/hold.sh"

lab_up symmetric 4
lab_nat nat2 inside2 symmetric 4 2
netns_add elsewhere
# shellcheck disable=SC2034
HOST=elsewhere
# in all namespaces, but not the peer's processes
mkdir "$TEST_CGROUP/held"
configure '[hold]' 'port = 7000' 'netns = all' 'interval = 1' "cgroup = $TEST_CGROUP/held"
daemon_start
peer_start 7000
export PLAIN_CGROUP=$TEST_CGROUP/held
plain_start inside "$PEER4" 7000 --from 10.0.0.2:4000
first=$PLAIN_LOG first_pid=$PLAIN_PID
plain_start inside2 "$PEER4" 7000 --from 10.0.0.2:4000
want_equal "$(hold_flow 'sorted(x["netns_name"] for x in f)')" "['inside', 'inside2']"
sleep 14
push after_silence
wait_until 10 received after_silence "$first"
wait_until 10 received after_silence
want_equal "$(hold_flow 'sorted(x["state"] for x in f)')" "['kept', 'kept']"

say "a namespace without a name, as of a container"
ip netns del inside2
wait_until 20 sent_at_least "$(($(hold_sent) + 4))"
want_equal "$(hold_counter no_netns)" 0 "flows without a namespace"
push still_there
wait_until 10 received still_there

say "its program exits: the namespace is freed, with its end of the veth"
stop "$PLAIN_PID"
gone()
{
	! in_ns nat2 ip link show dev in
}
wait_until 20 gone
want_equal "$(hold_flow '[x["netns_name"] for x in f]')" "['inside']"
stop "$first_pid"
daemon_stop
sluice hold unload
rmdir "$TEST_CGROUP/held"
