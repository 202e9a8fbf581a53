#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A DNAT rule is in front of the server. The client sends to an address and port that exist only in
# the rule. The reply must leave from the address at which the request reached the server, so that
# NAT translates it back to the address that the client used.
#
#   container 172.17.0.3 asks 10.1.1.1:53 ── docker0 [dnat to 172.16.13.13:56789] ── 0.0.0.0:56789
. "$(dirname "$0")/../lib/lib.sh"

topology_up
in_ns "$HOST" nft -f - <<NFT
table inet forwarded {
	chain prerouting {
		type nat hook prerouting priority dstnat
		ip daddr 10.1.1.1 udp dport 53 dnat ip to $FAR4:$PORT
		ip6 daddr fd10::1 udp dport 53 dnat ip6 to [$FAR6]:$PORT
	}
}
NFT
serve "$HOST" dual6 "$PORT"

ask_rule()
{
	ask "$CONTAINER" --any --to "$(target "$1" 53)" --count 3
}

say "without sluice: the answer does not match the entry, and is not translated"
want_line "answered $NEAR4:$PORT 3" "$(ask_rule 10.1.1.1)"
want_line "answered [$NEAR6]:$PORT 3" "$(ask_rule fd10::1)"

say "loaded"
reply_load
want_right "$CONTAINER" 10.1.1.1 53
want_right "$CONTAINER" fd10::1 53

say "directly and through the rule, from the same client port"
want_right "$CONTAINER" 10.1.1.1 53 --from 172.17.0.3:4000
want_right "$CONTAINER" "$FAR4" "$PORT" --from 172.17.0.3:4001
want_right "$CONTAINER" "$NEAR4" "$PORT" --from 172.17.0.3:4001

sluice reply unload
conntrack_flush "$HOST"
want_line "answered $NEAR4:$PORT 3" "$(ask_rule 10.1.1.1)"
no_errors "$LOG"
