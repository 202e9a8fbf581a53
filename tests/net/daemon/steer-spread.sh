#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The daemon keeps XDP on the interfaces of the key `xdp`. If an interface does not exist, or has
# another owner's program, the daemon logs this once, loads the other interfaces and sections, and
# attaches as soon as possible. It attaches again to interfaces that are deleted and created again,
# renamed, or detached by another process. A spread that a command has unloaded stays unloaded, even
# if the daemon was about to reattach it. An interface that refuses the program does not affect the
# other interfaces. The daemon warns about VLAN tags that the driver strips.
#
# The kernel sends no message when a program is detached, so the daemon checks every ten seconds.
# The test waits for this check once; elsewhere, netlink messages about the interface trigger it.
#
#   lan ── eth0 172.16.13.13 [host: workers on CPU 0 and CPU 1, [::]:56789] eth1, late0 ── lan
#
# takes long: many changes of interfaces
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"
. "$(dirname "$0")/../lib/cpu.sh"

topology_host
topology_lan
checksums_full "$LAN" eth0
workers a@0
workers b@1

pair_add()
{
	ip -n "$HOST" link add "$1" type veth peer name "$1" netns "$LAN"
	link_up "$HOST" "$1"
}

# xdp_of DEV: prints the name of the XDP program
xdp_of()
{
	in_ns "$HOST" ip -d -j link show dev "$1" |
		json "d[0].get('xdp', {}).get('prog', {}).get('name', 'none')" cat
}

# xdp_id DEV: prints the id of the XDP program
xdp_id()
{
	in_ns "$HOST" ip -d -j link show dev "$1" | json "d[0]['xdp']['prog']['id']" cat
}

xdp_is()
{
	[ "$(xdp_of "$1")" = "$2" ]
}

want_xdp()
{
	wait_until 60 xdp_is "$@" || fail "wanted $2 on $1, got $(xdp_of "$1")" "$(cat "$DAEMON_LOG")"
}

# detach DEV: detaches the link, as a user with bpftool might
detach()
{
	bpftool link detach pinned "$(find "$PINS/steer" -name \
		"sluice_x_link_*_$(ip -n "$HOST" -o link show dev "$1" | cut -d: -f1)")"
}

# event DEV: changes the alias of DEV, which must be up; the netlink message makes the daemon check
# it
event()
{
	ip -n "$HOST" link set dev "$1" alias "event $((EVENTS += 1))"
}
EVENTS=0

# others_end DEV NAME: detaches the other owner's program synchronously
others_end()
{
	rm "/sys/fs/bpf/$2"
	wait_until 20 others_off "$@"
}

others_off()
{
	[ "$(xdp_of "$1")" != "$2" ]
}

# pins_hold: takes the lock as a running command does; pins_release: releases the lock
pins_hold()
{
	exec {PINS_FD}<"$PINS"
	flock "$PINS_FD"
}

pins_release()
{
	exec {PINS_FD}<&-
}

# times TEXT: counts the lines with TEXT in the daemon's log
times()
{
	grep -cF -- "$1" "$DAEMON_LOG" || true
}

# rxvlan_off DEV: turns off VLAN tag stripping, as ethtool -K DEV rxvlan off does
rxvlan_off()
{
	in_ns "$HOST" python3 - "$1" <<-'PYTHON'
		import array, fcntl, socket, struct, sys

		SIOCETHTOOL, ETHTOOL_GFLAGS, ETHTOOL_SFLAGS, RXVLAN = 0x8946, 0x25, 0x26, 1 << 8
		sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

		def ask(command, flags):
		    value = array.array("B", struct.pack("II", command, flags))
		    request = struct.pack("16sP", sys.argv[1].encode(), value.buffer_info()[0])
		    fcntl.ioctl(sock, SIOCETHTOOL, request)
		    return struct.unpack("II", value.tobytes())[1]

		ask(ETHTOOL_SFLAGS, ask(ETHTOOL_GFLAGS, 0) & ~RXVLAN)
	PYTHON
}

pair_add eth1
id=$(in_ns "$HOST" "$FOREIGN" --dev eth1 --type xdp --name theirs --link /sys/fs/bpf/theirs)
sections=('[reply]' 'mode = audit' '[wire]' 'iface = docker0' "port = $PORT")
# no sweep takes the lock in between
steer=('[steer]' "port = $PORT" 'policy = cpu' 'cpus = 1' 'sweep = 3600')

say "one interface does not exist, one has another owner's program: the rest of the file is loaded"
configure "${sections[@]}" "${steer[@]}" 'xdp = late0, eth1, eth0'
daemon_start
want_logged "level=warning msg=\"steer: cannot spread flows over CPUs, retrying\" iface=late0 \
reason=\"no interface 'late0'\""
want_logged "iface=eth1 reason=\"eth1: already has XDP program 'theirs' (id $id)\""
want_equal "$(json "(d['reply']['mode'], [i['name'] for i in d['wire']['interfaces']])" \
	sluice -j --netns "$HOST" reply show)" "('audit', ['docker0'])"
want_equal "$(xdp_of eth0) $(xdp_of eth1)" "sluice_spread theirs"
want_equal "$(tally "$LAN" 0 "$FAR4")" "b:40"

say "the interface is created, deleted, and created again"
pair_add late0
want_xdp late0 sluice_spread
ip -n "$HOST" link del late0
want_logged "iface=late0 reason=\"no interface" 2
pair_add late0
want_xdp late0 sluice_spread
want_equal "$(xdp_of eth0) $(xdp_of eth1)" "sluice_spread theirs"

say "another interface gets its name"
ip -n "$HOST" link set dev late0 down
ip -n "$HOST" link set dev late0 name early0
want_xdp early0 none
pair_add late1
ip -n "$HOST" link set dev late1 down
ip -n "$HOST" link set dev late1 name late0
link_up "$HOST" late0
want_xdp late0 sluice_spread
want_equal "$(xdp_of early0)" none

say "detached by another process: reattached, and logged"
halt "$DAEMON"
detach eth0
want_equal "$(xdp_of eth0)" none
kill -CONT "$DAEMON"
want_logged 'level=warning msg="steer: detached by another process" iface=eth0'
want_xdp eth0 sluice_spread
want_equal "$(tally "$LAN" 0 "$FAR4")" "b:40"

say "another process detaches it and attaches its own program: left alone until that program is detached"
halt "$DAEMON"
detach eth0
in_ns "$HOST" "$FOREIGN" --dev eth0 --type xdp --name thief --link /sys/fs/bpf/thief
kill -CONT "$DAEMON"
event eth0
want_logged "iface=eth0 reason=\"eth0: already has XDP program 'thief'"
want_equal "$(xdp_of eth0)" thief
others_end eth0 thief
event eth0
want_xdp eth0 sluice_spread

say "the other owner detaches: sluice attaches; each change is logged once"
want_equal "$(times "eth1: already has XDP program 'theirs'")" 1
others_end eth1 theirs
event eth1
want_xdp eth1 sluice_spread
want_logged 'level=info msg="steer: flows are spread over CPUs" iface=eth1 cpus=1 mode=native'
want_equal "$(times "eth1: already has XDP program 'theirs'")" 1

say "an interface that refuses the program is left alone until its next event; the others keep their programs"
ids="$(xdp_id eth0) $(xdp_id eth1)"
ip -n "$HOST" link add br1 type bridge
in_ns "$HOST" "$FOREIGN" --dev br1 --type xdp --name above --link /sys/fs/bpf/above
halt "$DAEMON"
detach late0
ip -n "$HOST" link set dev late0 master br1
kill -CONT "$DAEMON"
want_logged "iface=late0 reason=\"late0: br1, which is above it, has XDP program 'above'"
sleep 1
waits=$(times "waiting for the lock")
pins_hold
event eth0
sleep 1
want_equal "$(times "waiting for the lock")" "$waits"
event late0
want_logged "waiting for the lock" $((waits + 1))
pins_release
others_end br1 above
event late0
want_xdp late0 sluice_spread
want_equal "$(xdp_id eth0) $(xdp_id eth1)" "$ids"
ip -n "$HOST" link del br1

say "VLAN tags stripped by the driver"
rx='native XDP loses the VLAN tags that the network card strips (rx-vlan-offload is on)'
want_logged "level=warning msg=\"steer: $rx\" iface=eth1 hint=\"ethtool -K eth1 rxvlan off\""
want_status 0 sluice --netns "$HOST" steer show
want_text "eth0: flows spread over CPUs 1, XDP native (VLAN tags are lost: rx-vlan-offload is on)"
rxvlan_off eth0
want_status 0 sluice --netns "$HOST" steer load --port "$PORT" --policy cpu --cpus 1 --xdp eth0,eth1,lo
want_text "eth1: $rx; where packets have tags: ethtool -K eth1 rxvlan off"
[[ $OUTPUT != *"ethtool -K eth0"* && $OUTPUT != *"ethtool -K lo"* ]] || fail "$OUTPUT"
want_equal "$(json "[i['interface'] for i in d['xdp']['interfaces'] if i['loses_vlan']]" \
	sluice -j --netns "$HOST" steer show)" "['eth1']"

say "objects that a command last loaded or unloaded are left alone"
ip -n "$HOST" link del eth1
pair_add eth1
daemon_reload 'msg="reloaded"'
want_xdp eth1 sluice_spread
sluice --netns "$HOST" steer load --port "$PORT" --policy cpu
want_equal "$(xdp_of eth0) $(xdp_of eth1)" "none none"
# an event triggers the check
ip -n "$HOST" link del eth1
pair_add eth1
pair_add late2
sleep 1
want_equal "$(xdp_of eth0) $(xdp_of eth1)" "none none"
sluice steer unload
[ ! -e "$PINS/steer" ] || fail "still pinned: $(find "$PINS/steer")"

say "no interface in the file"
daemon_reload 'msg="reloaded"'
want_equal "$(xdp_of eth0)" sluice_spread
configure "${sections[@]}" '[steer]' "port = $PORT" 'policy = cpu'
daemon_reload "no longer spread"
want_equal "$(xdp_of eth0) $(xdp_of eth1)" "none none"

say "unloaded by another process while the daemon waits to attach again: left alone"
configure "${steer[@]}" 'xdp = eth0'
daemon_reload 'msg="reloaded"'
want_xdp eth0 sluice_spread
found=$(times "detached by another process")
pins_hold
detach eth0
event eth0
want_logged "detached by another process" $((found + 1))
halt "$DAEMON"
pins_release
sluice steer unload
kill -CONT "$DAEMON"
daemon_stop
want_equal "$(xdp_of eth0)" none
[ ! -e "$PINS/steer" ] || fail "pinned again: $(find "$PINS/steer")" "$(cat "$DAEMON_LOG")"

sluice --netns "$HOST" cleanup
want_clean
