#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# An interface can have only one XDP program. sluice never replaces another owner's program: it
# reports the program, and changes no interface. Impossible requests are refused before anything
# changes. A deleted interface takes its program with it, and cleanup leaves nothing behind.
#
#   lan ── eth0 172.16.13.13 [host: workers on CPU 0 and CPU 1, [::]:56789] eth1 ── lan
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"
. "$(dirname "$0")/../lib/cpu.sh"

topology_host
topology_lan
ip -n "$HOST" link add eth1 type veth peer name eth1 netns "$LAN"
link_up "$HOST" eth1
link_up "$LAN" eth1
workers a@0
workers b@1

load()
{
	sluice --netns "$HOST" steer load --port "$PORT" --policy cpu "$@"
}

# xdp_of DEV: prints the name of the XDP program
xdp_of()
{
	in_ns "$HOST" ip -d -j link show dev "$1" |
		json "d[0].get('xdp', {}).get('prog', {}).get('name', 'none')" cat
}

xdp_is()
{
	[ "$(xdp_of "$1")" = "$2" ]
}

# want_refused CODE TEXT OPTION…: checks that the load is refused, and that no sluice program is on
# any interface
want_refused()
{
	local code=$1 text=$2
	shift 2
	want_status "$code" load "$@"
	want_text "$text"
	want_clean
	want_equal "$(xdp_of eth0)" none
}

say "impossible requests"
want_refused 2 "must be given together" --xdp eth0
want_refused 2 "must be given together" --cpus 0
want_refused 2 "is not a CPU list" --xdp eth0 --cpus 0-
want_refused 2 "is not a CPU list" --xdp eth0 --cpus 1-0
want_refused 2 "is not a CPU list" --xdp eth0 --cpus 0,,1
want_refused 2 "is not a CPU list" --xdp eth0 --cpus all
want_refused 2 "CPU 1023 is not online" --xdp eth0 --cpus 0,1023
want_refused 2 "--xdp: 'eth0,': a name is empty" --xdp eth0, --cpus 0
want_refused 2 "needs policy cpu" --xdp eth0 --cpus 0 --policy flow
want_refused 1 "no interface 'nope'" --xdp eth0,nope --cpus 0
names=$(printf 'nope%d,' {1..16})
want_refused 1 "no interface 'nope1'" --xdp "${names}nope1" --cpus 0
want_refused 2 "at most 16 interfaces" --xdp "${names}nope17" --cpus 0
ip -n "$HOST" tuntap add tun0 mode tun
want_refused 1 "no Ethernet header" --xdp eth0,tun0 --cpus 0

say "another owner's program, attached by a link"
id=$(in_ns "$HOST" "$FOREIGN" --dev eth1 --type xdp --name theirs --link /sys/fs/bpf/theirs)
want_refused 5 "eth1: already has XDP program 'theirs' (id $id)" --xdp eth1 --cpus 0-1
want_refused 5 "'theirs' (id $id)" --xdp eth0,eth1 --cpus 0-1
want_refused 5 "'theirs' (id $id)" --xdp eth1 --cpus 0-1 --dry-run
want_equal "$(xdp_of eth1)" theirs

say "a program on the bridge above the interface"
ip -n "$HOST" link add br1 type bridge
ip -n "$HOST" link add port1 type veth peer name port1 netns "$LAN"
ip -n "$HOST" link set dev port1 master br1
id=$(in_ns "$HOST" "$FOREIGN" --dev br1 --type xdp --name above --link /sys/fs/bpf/above)
want_refused 5 "port1: br1, which is above it, has XDP program 'above' (id $id)" --xdp port1 --cpus 0
want_text "use the upper interface or its ports, not both"
rm /sys/fs/bpf/above
ip -n "$HOST" link del br1

say "a refused load leaves the loaded programs unchanged"
load --xdp eth0 --cpus 1
want_status 5 load --xdp eth0,eth1 --cpus 0
want_text "'theirs'"
want_equal "$(xdp_of eth0) $(xdp_of eth1)" "sluice_spread theirs"
checksums_full "$LAN" eth0
want_equal "$(tally "$LAN" 0 "$FAR4")" "b:40"

say "a load that the groups refuse leaves the loaded programs unchanged"
want_status 4 in_ns "$HOST" setpriv --bounding-set=-sys_ptrace --inh-caps=-sys_ptrace "$SLUICE" \
	steer load --port "$PORT" --policy cpu --xdp eth0 --cpus 0
want_text "CAP_SYS_PTRACE"
want_equal "$(xdp_of eth0)" sluice_spread
want_equal "$(tally "$LAN" 0 "$FAR4")" "b:40"
configure '[steer]' "port = $PORT" 'policy = cpu' 'xdp = eth0' 'cpus = 1'
daemon_start
# the load can no longer write its record
bpftool map freeze pinned "$PINS/steer/sluice_steering"
configure '[steer]' "port = $PORT" 'policy = cpu' 'idle = 60'
daemon_reload 'msg="section not applied, retrying" section=steer'
want_equal "$(xdp_of eth0)" sluice_spread
want_equal "$(tally "$LAN" 0 "$FAR4")" "b:40"
daemon_stop
sluice steer unload
load --xdp eth0 --cpus 1

say "a load that fails halfway and cannot read the earlier programs leaves the loaded programs unchanged"
ip -n "$HOST" link add br1 type bridge
ip -n "$HOST" link set dev port1 master br1
in_ns "$HOST" "$FOREIGN" --dev br1 --type xdp --name above --link /sys/fs/bpf/above >/dev/null
want_status 5 in_ns "$HOST" setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin "$SLUICE" \
	steer load --port "$PORT" --policy cpu --xdp eth0,port1 --cpus 1
want_text "eth0 keeps its new program"
want_equal "$(xdp_of eth0) $(xdp_of port1)" "sluice_spread none"
want_equal "$(json "[i['interface'] for i in d['xdp']['interfaces']]" \
	sluice -j --netns "$HOST" steer show)" "['eth0']"
want_equal "$(tally "$LAN" 0 "$FAR4")" "b:40"
rm /sys/fs/bpf/above
ip -n "$HOST" link del br1

say "a load that cannot write its record leaves the loaded programs unchanged"
bpftool map freeze pinned "$PINS/steer/sluice_x_meta"
want_status 4 load --xdp eth0 --cpus 0
want_equal "$(xdp_of eth0)" sluice_spread
want_equal "$(tally "$LAN" 0 "$FAR4")" "b:40"
sluice steer unload
load --xdp eth0 --cpus 1

say "conversely, another owner does not replace sluice's program"
want_status 1 in_ns "$HOST" "$FOREIGN" --dev eth0 --type xdp --name theirs2 --link /sys/fs/bpf/two
want_equal "$(xdp_of eth0)" sluice_spread
rm /sys/fs/bpf/theirs
# the kernel detaches an unpinned link a moment later
wait_until 20 xdp_is eth1 none

say "another owner's program without a link, generic"
id=$(in_ns "$HOST" "$FOREIGN" --dev eth1 --type xdp --name theirs3 --prog /sys/fs/bpf/three)
in_ns "$HOST" ip link set dev eth1 xdpgeneric pinned /sys/fs/bpf/three
want_status 5 load --xdp eth1 --cpus 0
want_text "eth1: already has XDP program 'theirs3' (id $id)"
want_equal "$(xdp_of eth0) $(xdp_of eth1)" "sluice_spread theirs3"
in_ns "$HOST" ip link set dev eth1 xdpgeneric off
rm /sys/fs/bpf/three

say "a dry run changes nothing"
want_status 0 load --xdp eth1 --cpus 0 --dry-run
want_equal "$(xdp_of eth0) $(xdp_of eth1)" "sluice_spread none"

say "an interface is deleted, and another gets its name"
load --xdp eth0,eth1 --cpus 1
ip -n "$HOST" link del eth1
want_equal "$(xdp_of eth0)" sluice_spread
ip -n "$HOST" link add eth1 type veth peer name eth1 netns "$LAN"
link_up "$HOST" eth1
want_equal "$(xdp_of eth1)" none
load --xdp eth0,eth1 --cpus 1
want_equal "$(xdp_of eth0) $(xdp_of eth1)" "sluice_spread sluice_spread"
want_equal "$(find /sys/fs/bpf/sluice/steer -name 'sluice_x_link_*' | wc -l)" 2
want_equal "$(tally "$LAN" 0 "$FAR4")" "b:40"

say "a loader that was killed before it wrote its record"
rm "$PINS/steer/sluice_x_meta"
load --xdp eth0 --cpus 1
want_equal "$(xdp_of eth0) $(xdp_of eth1)" "sluice_spread none"
want_equal "$(tally "$LAN" 0 "$FAR4")" "b:40"

say "cleanup"
sluice cleanup
want_clean
want_equal "$(xdp_of eth0)" none
