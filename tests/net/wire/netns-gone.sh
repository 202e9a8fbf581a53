#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The network namespace of mode wire is deleted. Then an unload removes the remaining pins, and a
# load in another namespace replaces them, with tcx and with clsact. A namespace that only a
# descriptor keeps alive does not count as deleted. An unload leaves the filters of another pin
# directory alone.
#
#   host [eth0, d2]   gone [d0]
#
# takes long: loads of each kind of attachment, twice
. "$(dirname "$0")/../lib/lib.sh"

# quietly COMMAND…: runs COMMAND, and checks that no library prints to standard error
quietly()
{
	"$@" >/dev/null 2>"$TEST_TMP/errors" || fail "$*:" "$(cat "$TEST_TMP/errors")"
	[ ! -s "$TEST_TMP/errors" ] || fail "$*:" "$(cat "$TEST_TMP/errors")"
}

# load_gone ATTACH: creates the namespace, and loads there
load_gone()
{
	netns_add gone
	ip -n gone link add d0 type veth peer name d1
	quietly sluice --netns gone reply load --mode wire --iface d0 --attach "$1"
}

# attached FD: prints the programs of d0 in the namespace of descriptor FD
attached()
{
	json "[hook for hook in d['hooks'] if 'd0' in hook['hook']]" \
		sluice -j --netns "/proc/$$/fd/$1" status
}

topology_host
topology_lan
for attach in clsact tcx; do
	say "$attach: unload"
	load_gone "$attach"
	ip netns del gone
	want_status 0 sluice reply unload
	want_clean

	say "$attach: load in another namespace"
	load_gone "$attach"
	want_status 5 sluice --netns "$HOST" reply load --mode wire --iface eth0
	want_text "loaded in another network namespace"
	ip netns del gone
	# the kernel deletes the namespace asynchronously
	load_host()
	{
		OUTPUT=$(sluice --netns "$HOST" reply load --mode wire --iface eth0)
	}
	wait_until 20 load_host
	want_text "recovered: mode wire"
	want_equal "$(json "[i['name'] for i in d['wire']['interfaces']]" sluice -j --netns "$HOST" status)" \
		"['eth0']"
	sluice --netns "$HOST" reply unload
	want_clean

	say "$attach: a namespace without a name that still exists"
	load_gone "$attach"
	exec {kept}</run/netns/gone
	ip netns del gone
	before=$(attached "$kept")
	[[ $before == *sluice_wire_out* || $before == *sluice_ct_out* ]] || fail "$before"
	want_status 5 sluice --netns "$HOST" reply load --mode wire --iface eth0
	want_text "loaded in another network namespace"
	if [ "$attach" = clsact ]; then
		for command in "reply unload" cleanup; do
			# shellcheck disable=SC2086 # words
			want_status 5 sluice $command
			want_text "enter that namespace with --netns"
		done
	fi
	want_equal "$(attached "$kept")" "$before" "attached"
	sluice --netns "/proc/$$/fd/$kept" reply unload
	exec {kept}<&-
	want_clean
done

say "the filters of another pin directory"
second=/sys/fs/bpf/sluice_second
ip -n "$HOST" link add d2 type veth peer name d3
quietly sluice --netns "$HOST" reply load --mode wire --iface eth0 --attach clsact
quietly sluice --netns "$HOST" --bpffs "$second" reply load --mode wire --iface d2 --attach clsact
for command in "reply unload" cleanup; do
	# shellcheck disable=SC2086 # words
	sluice --netns "$HOST" --bpffs "$second" $command
	# the directory that cleanup removes contains another object
	sluice --bpffs "$second" reply load --mode audit --cgroup "$TEST_CGROUP" >/dev/null
	in_ns "$HOST" tc filter show dev eth0 ingress | contains sluice || fail "removed by $command"
	in_ns "$HOST" tc filter show dev eth0 egress | contains sluice || fail "removed by $command"
done
sluice --bpffs "$second" reply unload
! in_ns "$HOST" tc filter show dev d2 ingress | contains sluice || fail "left on d2"
sluice --netns "$HOST" reply unload
want_clean
