# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# A gateway that maps ports, for the tests of peers: miniupnpd on a NAT of tools/lab/nat.sh, with
# nftables. Source this file before peer.sh, since it changes the addresses of the outside network.

# miniupnpd maps no port if the outside address is in a documentation range
# shellcheck disable=SC2034
LAB_OUTSIDE=12.0.0

# gateway_start NAME WORD…: runs miniupnpd in namespace NAME, with natpmp or upnp or both; with
# `old`, its epoch equals the uptime of this machine. Sets GATEWAY to its process id.
gateway_start()
{
	local name=$1 conf=$TEST_TMP/$1.miniupnpd.conf word upnp=no natpmp=no old=no
	shift
	for word in "$@"; do
		declare "$word=yes"
	done
	# empties the chains, as a restart of the gateway does
	in_ns "$name" nft -f - <<-'NFT'
		table inet miniupnpd
		delete table inet miniupnpd
		table inet miniupnpd {
			chain forward {
				type filter hook forward priority filter
				jump miniupnpd
			}
			chain miniupnpd { }
			chain prerouting {
				type nat hook prerouting priority dstnat
				jump prerouting_miniupnpd
			}
			chain prerouting_miniupnpd { }
			chain postrouting {
				type nat hook postrouting priority srcnat
				jump postrouting_miniupnpd
			}
			chain postrouting_miniupnpd { }
		}
	NFT
	cat >"$conf" <<-CONF
		ext_ifname=out
		listening_ip=in
		enable_natpmp=$natpmp
		enable_upnp=$upnp
		system_uptime=$old
		ipv6_disable=yes
		upnp_table_name=miniupnpd
		upnp_nat_table_name=miniupnpd
		minissdpdsocket=$TEST_TMP/none
		uuid=11111111-2222-3333-4444-555555555555
		secure_mode=yes
		allow 1024-65535 10.0.0.0/24 1024-65535
		deny 0-65535 0.0.0.0/0 0-65535
	CONF
	spawn_in "$name" "$TEST_TMP/$name.miniupnpd.log" "$(server_path usr/sbin/miniupnpd)" -d \
		-f "$conf" -P "$TEST_TMP/$name.miniupnpd.pid"
	# shellcheck disable=SC2034
	GATEWAY=$SPAWNED
	[ "$natpmp" = no ] || wait_udp "$name" 5351
	[ "$upnp" = no ] || wait_udp "$name" 1900
}

# gateway_mapped NAME COUNT: returns true if the gateway has COUNT mappings
gateway_mapped()
{
	[ "$(in_ns "$1" nft list chain inet miniupnpd prerouting_miniupnpd | grep -c ' dnat ')" = "$2" ]
}
