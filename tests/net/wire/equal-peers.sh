#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Two peers with the same address and port are behind two interfaces, and a separate server is bound
# to each interface. State about one peer does not apply to the other peer. Similarly, a gateway's
# state about a server does not apply to a server behind another interface.
#
#   container  10.9.0.2 ── v1 10.9.0.1 [host: a server on v1, another on v2] lo 10.20.0.1, .2
#   container2 10.9.0.2 ── v2 10.9.0.3
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

# peers PORT WRONG4 WRONG6: sends a request from each peer, from the same port; the peer behind v1
# uses a wrong server
peers()
{
	local port=$1 wrong4=$2 wrong6=$3
	for _ in 1 2; do
		want_equal "$(probe "$CONTAINER2" --from "$port" "s=echo:$PORT" -- 10.20.0.2)" \
			"10.20.0.2 s right"
		want_equal "$(probe "$CONTAINER" --from "$port" "s=echo:$PORT" -- 10.20.0.1)" \
			"10.20.0.1 s $wrong4"
		want_equal "$(probe "$CONTAINER" --from "$port" "s=echo:$PORT" -- fd20::1)" "fd20::1 s $wrong6"
		want_equal "$(probe "$CONTAINER2" --from "$port" "s=echo:$PORT" -- fd20::2)" "fd20::2 s right"
	done
}

cable "$HOST" v1 "$CONTAINER" eth0
cable "$HOST" v2 "$CONTAINER2" eth0
in_ns "$HOST" sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.rp_filter=0
addrs "$HOST" v1 10.9.0.1/24 fd09::1/64 fe80::1/64
addrs "$HOST" v2 10.9.0.3/24 fd09::3/64 fe80::3/64
addrs "$HOST" lo 10.20.0.1/32 10.20.0.2/32 fd20::1/128 fd20::2/128
for peer in "$CONTAINER 1" "$CONTAINER2 3"; do
	read -r name number <<<"$peer"
	addrs "$name" eth0 10.9.0.2/24 fd09::2/64 fe80::2/64
	routes "$name" "default via 10.9.0.$number" "default via fd09::$number"
	wait_link "$name" eth0
done
serve "$HOST" dual6 "$PORT" --device v1
serve "$HOST" pktinfo6 "$PORT" --device v2
right=$SPAWNED

say "without sluice"
peers 4000 "from 10.9.0.1" "from fd09::1"
say "loaded"
wire_load --iface v1,v2
peers 4001 right right
say "and two wrong servers"
stop "$right"
serve "$HOST" dual6 "$PORT" --device v2
peers 4002 right right
say "unloaded"
wire_unload
want_equal "$(probe "$CONTAINER2" --from 4003 "s=echo:$PORT" -- 10.20.0.2)" \
	"10.20.0.2 s from 10.9.0.3"

# servers FIRST4 FIRST6 [SECOND4 SECOND6]: sends requests from one port of a client to the two
# servers, which now have the addresses of the peers
servers()
{
	for _ in 1 2; do
		want_equal "$(probe "$LAN" --from "$FROM" --one-port "s=echo:$PORT" -- 10.30.1.1)" \
			"10.30.1.1 s $1"
		want_equal "$(probe "$LAN" --from "$FROM" --one-port "s=echo:$PORT" -- 10.30.2.1)" \
			"10.30.2.1 s ${3:-right}"
		want_equal "$(probe "$LAN" --from "$FROM" --one-port "s=echo:$PORT" -- fd30:1::1)" \
			"fd30:1::1 s $2"
		want_equal "$(probe "$LAN" --from "$FROM" --one-port "s=echo:$PORT" -- fd30:2::1)" \
			"fd30:2::1 s ${4:-right}"
	done
}

say "servers with the same address behind a gateway: one is wrong"
cable "$HOST" c "$LAN" eth0
addrs "$HOST" c 203.0.113.1/24 2001:db8::1/64 fe80::1/64
addrs "$LAN" eth0 203.0.113.43/24 2001:db8::43/64 fe80::2/64
routes "$LAN" "default via 203.0.113.1" "default via 2001:db8::1"
for peer in "$CONTAINER 1" "$CONTAINER2 2"; do
	read -r name number <<<"$peer"
	addrs "$name" lo "10.30.$number.1/32" "fd30:$number::1/128"
	routes "$HOST" "10.30.$number.1 via 10.9.0.2 dev v$number" \
		"fd30:$number::1 via fd09::2 dev v$number"
done
routers "$HOST"
wait_link "$LAN" eth0
serve "$CONTAINER" dual6 "$PORT"
serve "$CONTAINER2" pktinfo6 "$PORT"
right=$SPAWNED
FROM=4000 servers "from 10.9.0.2" "from fd09::2"
sluice --netns "$HOST" reply load --mode wire --gateway v1,v2 \
	--server 10.30.1.1,10.30.2.1,10.9.0.2,fd30:1::1,fd30:2::1,fd09::2
FROM=4001 servers right right
say "both are"
stop "$right"
serve "$CONTAINER2" dual6 "$PORT"
FROM=4002 servers right right
wire_unload
FROM=4003 servers "from 10.9.0.2" "from fd09::2" "from 10.9.0.2" "from fd09::2"
no_errors "$LOG"
