#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A DNAT rule forwards addresses of this host to a server elsewhere, on a port that a local server
# has too. Wire mode runs before the rule and would divert the requests to the local server.
# Addresses given with --except are left alone, and so are those that kube-proxy keeps on
# kube-ipvs0; all others are fixed as before.
#
#   container ── docker0 172.17.0.1 [host: 0.0.0.0:56789, which must get no request] eth0 ── lan
#                                   172.16.13.13:56789 → dnat →      172.16.13.1:56789
#                        kube-ipvs0 10.96.0.10:56789 → dnat ↗
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"
. "$(dirname "$0")/../lib/daemon.sh"

VIP4=10.96.0.10 OTHER4=10.9.9.9

# want_lost ADDR: no answer comes
want_lost()
{
	want_line "sent 1 right 0 wrong 0 refused 0 lost 1 corrupt 0" \
		"$(ask "$CONTAINER" --to "$1:$PORT" --timeout-ms 1000)"
}

# excepted: prints the excepted addresses
excepted()
{
	json "sorted(d['wire']['except'])" sluice -j --netns "$HOST" reply show
}

topology_up
forwarding 1
ip -n "$HOST" link add kube-ipvs0 type veth peer name ipvs0-peer
ip -n "$HOST" link set kube-ipvs0 up
ip -n "$HOST" link set ipvs0-peer up
addr_add "$HOST" kube-ipvs0 "$VIP4/32"
addr_add "$HOST" lo "$OTHER4/32"
in_ns "$HOST" nft -f - <<-NFT
	table ip services {
		chain prerouting {
			type nat hook prerouting priority dstnat
			ip daddr { $FAR4, $VIP4 } udp dport $PORT dnat to 172.16.13.1:$PORT
		}
	}
NFT
serve "$LAN" sendto4 "$PORT"
serve "$HOST" sendto4 "$PORT" --hold
held=$LOG

say "the kernel alone: the rule works"
want_right "$CONTAINER" "$FAR4" "$PORT"
want_right "$CONTAINER" "$VIP4" "$PORT"
want_equal "$(grep -c held "$held" || true)" 0 "requests at the wrong server"

say "wire mode diverts requests to an address without --except"
wire_load --follow docker0
conntrack_flush "$HOST"
want_lost "$FAR4"
grep -q held "$held" || fail "but they have not reached the wrong server"
want_equal "$(excepted)" "[]"

say "the address of a service is left alone without an option"
want_right "$CONTAINER" "$VIP4" "$PORT"

say "the other address is left alone with --except"
: >"$held"
want_status 2 "$SLUICE" --netns "$HOST" reply load --mode wire --follow docker0 --except here
want_text "not an IP address"
want_status 2 "$SLUICE" reply load --mode socket --except "$FAR4"
want_text "for --mode wire"
wire_load --follow docker0 --except "$FAR4,fd16::13"
want_equal "$(excepted)" "['$FAR4', 'fd16::13']"
sluice --netns "$HOST" reply show | contains "except  .*$FAR4" || fail "show lacks the exception"
conntrack_flush "$HOST"
want_right "$CONTAINER" "$FAR4" "$PORT"
want_right "$CONTAINER" "$VIP4" "$PORT"
want_equal "$(grep -c held "$held" || true)" 0 "requests at the wrong server"

say "all other addresses are fixed"
serve "$HOST" sendto4 50001
want_right "$CONTAINER" "$OTHER4" 50001
wire_load --follow docker0
want_equal "$(excepted)" "[]" "an option that is not given goes back to its default"
wire_unload

say "by the daemon, while routes change"
want_status 2 "$SLUICE" run --check-config --config <(printf '%s\n' '[wire]' 'iface = eth0' 'except = x')
want_text "except: 'x': not an IP address"
configure '[wire]' 'follow = docker0' "except = $FAR4"
daemon_start
want_right "$CONTAINER" "$FAR4" "$PORT"
addr_add "$HOST" lo 10.9.9.8/32
# this address is fixed once the daemon has read the routes again; forwarding is off, so that the
# table of routes is used
forwarding 0
wait_until 60 in_ns "$CONTAINER" "$CLIENT" --to "10.9.9.8:50001" --timeout-ms 500 || fail "$(cat "$DAEMON_LOG")"
forwarding 1
want_right "$CONTAINER" "$FAR4" "$PORT"
want_equal "$(grep -c held "$held" || true)" 0 "requests at the wrong server"
daemon_stop
wire_unload
