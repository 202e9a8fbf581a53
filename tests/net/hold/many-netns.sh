#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The daemon follows programs in twenty network namespaces, even with a low limit of open files, and
# closes its descriptors when the programs end.
#
#   n1 … n20 ── bridge of the host [the peer]
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"
. "$(dirname "$0")/../lib/hold.sh"

COUNT=20
HOST=hub PEER=hub
netns_add hub
ip -n hub link add br0 type bridge
link_up hub br0
addr_add hub br0 10.9.0.1/16
for i in $(seq $COUNT); do
	netns_add "n$i"
	ip -n "n$i" link add eth0 type veth peer name "p$i" netns hub
	link_up "n$i" eth0
	link_up hub "p$i"
	ip -n hub link set "p$i" master br0
	addr_add "n$i" eth0 "10.9.1.$i/16"
done
mkdir "$TEST_CGROUP/held"
export PLAIN_CGROUP=$TEST_CGROUP/held

# descriptors: prints the number of open descriptors of the daemon
descriptors()
{
	find "/proc/$DAEMON/fd" -mindepth 1 | wc -l
}

configure '[hold]' 'port = 7000' 'netns = all' 'interval = 1' 'payload = zero' \
	"cgroup = $TEST_CGROUP/held"
# the soft limit is too low for all descriptors, so the daemon raises it
ulimit -Sn 100
daemon_start
ulimit -Sn "$(ulimit -Hn)"
PLAIN_CGROUP='' peer_start 7000
idle=$(descriptors)
pids=()
for i in $(seq $COUNT); do
	plain_start "n$i" 10.9.0.1 7000
	pids+=("$PLAIN_PID")
done
all_kept()
{
	[ "$(hold_flow 'sum(x["state"] == "kept" for x in f)')" = $COUNT ]
}
wait_until 30 all_kept || fail "$(sluice hold flows)" "$(sluice hold show)"
want_at_least $((idle + 3 * COUNT)) "$(descriptors)" "descriptors"

say "half of the programs are killed, half exit"
kill "${pids[@]:0:COUNT/2}"
kill -KILL "${pids[@]:COUNT/2}"
returned()
{
	[ "$(descriptors)" -le "$idle" ]
}
wait_until 30 returned || fail "$(ls -l "/proc/$DAEMON/fd")"
daemon_stop
sluice hold unload
rmdir "$TEST_CGROUP/held"
