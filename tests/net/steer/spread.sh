#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# All datagrams arrive on one CPU, as from a network card with a single queue. Under policy cpu, XDP
# spreads the flows over the listed CPUs, and each flow goes to the worker on its CPU. XDP is native
# if the driver supports it, otherwise generic; the load reports the mode and the reason. A datagram
# with a partial checksum (checksum offload) is not lost.
#
#   lan, on CPU 0 ── eth0 172.16.13.13, fd16::13 [host: workers on CPU 0 and CPU 1, [::]:56789]
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/cpu.sh"

topology_host
topology_lan
workers a@0
workers b@1

load()
{
	sluice --netns "$HOST" steer load --port "$PORT" --policy cpu "$@"
}

# spread KEY: prints a counter
spread()
{
	json "d['xdp']['counters']['$1']" sluice -j --netns "$HOST" steer show
}

# sent: prints the numbers of datagrams by CPU
sent()
{
	json "' '.join(f\"{c['cpu']}:{c['datagrams']}\" for c in d['xdp']['cpus'])" \
		sluice -j --netns "$HOST" steer show
}

# checked: prints the line of sluice check about generic XDP
checked()
{
	sluice check --for steer | sed -n 's/^steer  *generic XDP to CPUs  *\([a-z]*\) .*/\1/p'
}

generic()
{
	say "generic, for a driver without XDP: lo"
	XDP=(--xdp lo --cpus 1)
	want_status 0 load "${XDP[@]}"
	want_text "lo: flows spread over CPUs 1, XDP generic, not native: "
	want_equal "$(json "d['xdp']['interfaces'][0]['mode']" sluice -j --netns "$HOST" steer load \
		--port "$PORT" --policy cpu "${XDP[@]}")" generic
	want_equal "$(tally "$HOST" 0 127.0.0.1)" "b:40"
	want_equal "$(tally "$HOST" 0 ::1)" "b:40"
	say "and no longer on eth0"
	want_equal "$(tally "$LAN" 0 "$FAR4")" "a:40"

	say "generic, with the driver's reason: a veth with large frames"
	ip -n "$LAN" link set eth0 mtu 9000
	ip -n "$HOST" link set eth0 mtu 9000
	XDP=(--xdp eth0 --cpus 1)
	want_status 0 load "${XDP[@]}"
	want_text "XDP generic, not native: "
	want_text "MTU"
	want_equal "$(tally "$LAN" 0 "$FAR4")" "b:40"
}

# before Linux 5.15
no_generic()
{
	say "without driver support, this kernel cannot spread: refused, and nothing changes"
	want_status 3 load --xdp lo --cpus 0
	want_text "generic XDP cannot redirect to CPUs"
	want_equal "$(tally "$LAN" 0 "$FAR4")" "b:40"
	want_equal "$(tally "$LAN" 0 172.16.14.13)" "a:40"
}

say "without sluice, and policy cpu without XDP: all arrives on CPU 0"
want_both "$(tally "$LAN" 0 "$FAR4")" a b
load
want_equal "$(tally "$LAN" 0 "$FAR4")" "a:40"
want_equal "$(tally "$LAN" 0 "$FAR6")" "a:40"

say "spread, native XDP"
XDP=(--xdp eth0 --cpus 0-1)
checksums_full "$LAN" eth0
want_status 0 load "${XDP[@]}"
want_text "eth0: flows spread over CPUs 0-1, XDP native"
want_both "$(tally "$LAN" 0 "$FAR4")" a b
want_both "$(tally "$LAN" 0 "$FAR6")" a b
want_equal "$(spread left_checksum)" 0
want_status 0 sluice --netns "$HOST" steer show
want_text "eth0: flows spread over CPUs 0-1, XDP native"
[[ $(sent) =~ ^0:([1-9][0-9]*)\ 1:([1-9][0-9]*)$ ]] || fail "not spread: $(sent)"
want_equal "$((BASH_REMATCH[1] + BASH_REMATCH[2]))" 80
want_equal "$(spread stayed) $(spread spread)" "${BASH_REMATCH[1]} ${BASH_REMATCH[2]}"

say "all to one CPU, in place"
XDP=(--xdp eth0 --cpus 1)
# the test's own link: other processes on this machine may have XDP links too
link_id()
{
	bpftool -j link show pinned "$(find "$PINS/steer" -name 'sluice_x_link_*')" | json "d['id']" cat
}
before=$(link_id)
load "${XDP[@]}"
want_equal "$(link_id)" "$before"
want_equal "$(tally "$LAN" 0 "$FAR4")" "b:40"

say "an unmanaged port"
before=$(spread spread)
spawn_in "$HOST" "$TEST_TMP/other.log" "$SERVER" --kind dual6 --port 5000
wait_udp "$HOST" 5000
want_line "sent 20 right 20 wrong 0 refused 0 lost 0 corrupt 0" \
	"$(ask "$LAN" --to "$FAR4:5000" --count 20)"
want_equal "$(spread spread)" "$before"

say "fragments stay on their CPU and are reassembled"
want_line "sent 3 right 3 wrong 0 refused 0 lost 0 corrupt 0" \
	"$(ask "$LAN" --to "$FAR4:5000" --count 3 --size 4000)"
want_equal "$(spread left_fragment)" 9

say "datagrams without a checksum are left alone, and none is lost"
ip -n "$HOST" link add eth1 type veth peer name eth1 netns "$LAN"
link_up "$HOST" eth1
link_up "$LAN" eth1
addr_add "$HOST" eth1 172.16.14.13/24
addr_add "$LAN" eth1 172.16.14.1/24
wait_link "$HOST" eth1
XDP=(--xdp eth0,eth1 --cpus 1)
load "${XDP[@]}"
want_equal "$(tally "$LAN" 0 172.16.14.13)" "a:40"
want_equal "$(spread left_checksum)" 40
want_equal "$(tally "$LAN" 0 "$FAR4")" "b:40"

if grep -qw cpu_map_generic_redirect /proc/kallsyms; then
	want_equal "$(checked)" ok
	generic
else
	want_equal "$(checked)" warn
	no_generic
fi

say "the interface is not listed any more"
want_status 0 load
want_text "no longer spread"
want_equal "$(tally "$LAN" 0 "$FAR4")" "a:40"
load "${XDP[@]}"
sluice steer unload
want_clean
[ -z "$(in_ns "$HOST" ip -d link show | grep 'prog/xdp' || true)" ] || fail "still attached"
want_both "$(tally "$LAN" 0 "$FAR4")" a b
