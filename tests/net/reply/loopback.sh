#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A DNAT rule redirects requests to 127.0.0.1. A reply from this address can leave only through an
# interface with route_localnet. On any other interface the send fails, although it would succeed
# without sluice. So sluice sets the source only if the send cannot fail: the reverse path filter
# has proven the route back, or all interfaces have route_localnet.
#
#   lan 172.16.13.1, 172.17.0.9 asks 10.1.1.1:53 ── eth0 [dnat to 127.0.0.1:56789] docker0 172.17.0.1/16
. "$(dirname "$0")/../lib/lib.sh"

topology_up
# replies to 172.17.0.9 leave through docker0
in_ns "$LAN" ip addr add 172.17.0.9/32 dev lo
in_ns "$HOST" nft -f - <<NFT
table inet forwarded {
	chain prerouting {
		type nat hook prerouting priority dstnat
		ip daddr 10.1.1.1 udp dport 53 dnat ip to 127.0.0.1:$PORT
	}
}
NFT
setting()
{
	in_ns "$HOST" sysctl -qw "net.ipv4.conf.$1"
}
setting all.rp_filter=0
setting eth0.rp_filter=0
setting eth0.route_localnet=1
serve "$HOST" sendto4 "$PORT"

# ask_rule FROM [OPTION…]: sends a request through the rule; it must reach the server
ask_rule()
{
	ask "$LAN" --any --to 10.1.1.1:53 --from "$@"
}

# ask_unanswered FROM: checks that no answer arrives
ask_unanswered()
{
	ask_rule "$1" --timeout-ms 300 >/dev/null
}

# want_counted NAME VALUE [WHY]: checks that the counter reaches VALUE once the server has answered,
# and does not exceed it
want_counted()
{
	wait_until 20 has_counted "$1" "$2" || true
	want_equal "$(counter "$1")" "$2" "${3:-$1}"
}

has_counted()
{
	[ "$(counter "$1")" -ge "$2" ]
}

# want_kernel PORT: the answer has a wrong source, but is sent
want_kernel()
{
	want_line "answered 172.16.13.13:$PORT 1" "$(ask_rule "172.16.13.1:$1")"
	ask_unanswered "172.17.0.9:$1"
	no_errors "$LOG"
}

say "without sluice: the answer has a wrong source, but is sent"
want_kernel 4000

say "loaded: no send fails on either interface"
reply_load
want_kernel 4001
want_counted skipped_loopback 2 "datagrams to 127.0.0.1"
want_equal "$(counter fixed)" 0

say "the reverse path filter has proven the route back"
setting eth0.rp_filter=1
want_right "$LAN" 10.1.1.1 53 --from 172.16.13.1:4002
ask_unanswered 172.17.0.9:4002
want_counted skipped_loopback 2 "the filter has dropped the request from elsewhere"
setting eth0.rp_filter=2
ask_unanswered 172.17.0.9:4003
want_counted skipped_loopback 3 "a loose filter proves nothing"

say "the setting of all interfaces counts too: the larger of the two applies"
setting all.rp_filter=2
setting eth0.rp_filter=1
ask_unanswered 172.17.0.9:4007
want_counted skipped_loopback 4 "the loose filter applies"
setting all.rp_filter=1
setting eth0.rp_filter=0
want_right "$LAN" 10.1.1.1 53 --from 172.16.13.1:4007
ask_unanswered 172.17.0.9:4008
want_counted skipped_loopback 4 "the strict filter has dropped the request from elsewhere"
setting all.rp_filter=0
setting eth0.rp_filter=2

say "all interfaces have route_localnet"
setting all.route_localnet=1
want_right "$LAN" 10.1.1.1 53 --from 172.16.13.1:4004
ask_unanswered 172.17.0.9:4004
want_counted skipped_loopback 4
no_errors "$LOG"

say "the flow ends when the setting changes"
setting all.route_localnet=0
ask_unanswered 172.16.13.1:4004
want_counted ended 1
no_errors "$LOG"

say "requests on the host itself are not affected"
want_right "$HOST" 127.0.0.1 "$PORT" --from 172.17.0.1:4005
want_right "$HOST" 127.1.2.3 "$PORT"

say "unloaded"
sluice reply unload
want_kernel 4006
