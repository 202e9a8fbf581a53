#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Tests Docker's rules (masquerading, a published port, and a closed FORWARD chain), and a strict
# firewall on the host, which drops packets that conntrack classifies as invalid, and lets out only
# packets of known connections. Under Docker's rules, all servers are right. The strict firewall
# drops a wrong reply before it reaches the programs, so an unconnected server is not fixed. A
# server that connects back is fixed from the second request on. Right servers are right under all
# rules.
#
#   container ── veth3 ═ docker0 172.17.0.1 [firewall; host: [::]:56789] eth0 172.16.13.13 ── lan
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

PUBLISHED=5353

strict()
{
	in_ns "$HOST" nft -f - <<-NFT
		table inet strict {
			chain input {
				type filter hook input priority filter; policy drop
				iif lo accept
				meta l4proto { 1, 58 } accept
				ct state invalid drop
				ct state established,related accept
				udp dport { $PORT, $RIGHT_PORT, $BACK_PORT } ct state new accept
			}
			chain output {
				type filter hook output priority filter; policy drop
				oif lo accept
				meta l4proto { 1, 58 } accept
				ct state established,related accept
			}
		}
	NFT
}

# Docker's rules, with a published port of CONTAINER2.
docker_rules()
{
	in_ns "$HOST" nft -f - <<-NFT
		table ip docker_nat {
			chain docker {
				iifname docker0 return
				iifname != docker0 udp dport $PUBLISHED dnat to 172.17.0.4:$PORT
			}
			chain prerouting {
				type nat hook prerouting priority dstnat
				fib daddr type local jump docker
			}
			chain output {
				type nat hook output priority -100
				ip daddr != 127.0.0.0/8 fib daddr type local jump docker
			}
			chain postrouting {
				type nat hook postrouting priority srcnat
				ip saddr 172.17.0.0/16 oifname != docker0 masquerade
				ip saddr 172.17.0.4 ip daddr 172.17.0.4 udp dport $PORT masquerade
			}
		}
		table ip docker_filter {
			chain forward {
				type filter hook forward priority filter; policy drop
				oifname docker0 ct state established,related accept
				oifname docker0 ip daddr 172.17.0.4 udp dport $PORT accept
				iifname docker0 accept
			}
		}
	NFT
}

# want_dropped COMMAND…: checks that answers of an unconnected wrong server do not leave the host
want_dropped()
{
	conntrack_flush "$HOST"
	want_line "sent 3 right 0 wrong 0 refused 0 lost 3 corrupt 0" \
		"$(ask "$CONTAINER" --any --to "$FAR4:$PORT" --count 3 --timeout-ms 200)"
}

topology_up second
forwarding 1
serve "$HOST" dual6 "$PORT"
serve "$HOST" pktinfo6 "$RIGHT_PORT"
serve "$CONTAINER2" sendto4 "$PORT"
serve "$LAN" sendto4 "$PORT"

want_others()
{
	conntrack_flush "$HOST"
	for far in "$FAR4" "$FAR6"; do
		want_right "$CONTAINER" "$far" "$RIGHT_PORT"
		want_one_entry "$RIGHT_PORT"
		conntrack_flush "$HOST"
	done
	[ "$1" = docker ] || return 0
	# Docker's own traffic: out to the LAN, in to a published port
	want_right "$CONTAINER" 172.16.13.1 "$PORT"
	want_right "$LAN" "$FAR4" "$PUBLISHED"
	want_right "$CONTAINER" 172.17.0.4 "$PORT"
}

for switches in "docker 0" "docker 1" "strict 0" "both 1"; do
	read -r rules netfilter <<<"$switches"
	in_ns "$HOST" nft flush ruleset
	topology_conntrack
	[ "$rules" = strict ] || docker_rules
	[ "$rules" = docker ] || strict
	say "$rules rules, bridge netfilter $netfilter: without sluice"
	bridge_netfilter "$netfilter"
	if [ "$rules" = docker ]; then
		conntrack_flush "$HOST"
		want_wrong "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"
	else
		want_dropped
	fi
	want_others "$rules"

	say "$rules rules, bridge netfilter $netfilter: loaded"
	wire_load --follow docker0
	want_others "$rules"
	if [ "$rules" = docker ]; then
		want_right "$CONTAINER" "$FAR4" "$PORT"
		want_right "$CONTAINER" "$FAR6" "$PORT"
	else
		want_dropped
	fi
	for far in "$FAR4 172.17.0.3" "$FAR6 fd17::3"; do
		read -r far client <<<"$far"
		conntrack_flush "$HOST"
		serve "$HOST" connect6 "$BACK_PORT"
		ask "$CONTAINER" --to "$(target "$far" "$BACK_PORT")" --from "$(target "$client" 4000)" \
			--timeout-ms 300 >/dev/null
		want_right "$CONTAINER" "$far" "$BACK_PORT" --from "$(target "$client" 4000)"
		stop "$SPAWNED"
	done

	say "$rules rules, bridge netfilter $netfilter: unloaded"
	wire_unload
	want_others "$rules"
done
