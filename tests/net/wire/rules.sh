#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Firewall rules for one address of a server hold for every client, while another address is fixed:
# a DNAT rule, by which a server elsewhere answers, and a rule that drops. The server is on this
# host, or behind it.
#
#   container ── docker0 [host: A → lan, B, C dropped] eth0 ── lan
#                                 └ s0 ── [behind: the same]
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

CONNECTED=50030

rules()
{
	in_ns "$HOST" nft -f - <<-NFT
		table inet rules {
			chain prerouting {
				type nat hook prerouting priority dstnat
				ip daddr $A4 udp dport { $PORT, $CONNECTED } dnat ip to 172.16.13.1
				ip6 daddr $A6 udp dport { $PORT, $CONNECTED } dnat ip6 to fd16::1
			}
			chain input {
				type filter hook input priority filter
				ip daddr $C4 udp dport { $PORT, $CONNECTED } drop
				ip6 daddr $C6 udp dport { $PORT, $CONNECTED } drop
			}
			chain forward {
				type filter hook forward priority filter
				ip daddr $C4 udp dport { $PORT, $CONNECTED } drop
				ip6 daddr $C6 udp dport { $PORT, $CONNECTED } drop
			}
		}
	NFT
}

# want_obeyed FROM OUTCOME4 OUTCOME6: B has this outcome, A is answered by the server elsewhere, and
# C by none; from the client ports FROM and FROM + 1
want_obeyed()
{
	local from=$1 four=$2 six=$3
	want_equal "$(probe "$CONTAINER" --one-port --from "$from" "b=echo:$PORT" -- "$B4" "$A4" "$A4")" \
		"$B4 b $four"$'\n'"$A4 b right"$'\n'"$A4 b right"
	want_equal "$(probe "$CONTAINER" --one-port --from "$from" "b=echo:$PORT" -- "$B6" "$A6" "$A6")" \
		"$B6 b $six"$'\n'"$A6 b right"$'\n'"$A6 b right"
	from=$((from + 1))
	want_equal "$(probe "$CONTAINER" --one-port --from "$from" --timeout 1 "b=echo:$PORT" -- "$B4" "$C4")" \
		"$B4 b $four"$'\n'"$C4 b none"
	want_equal "$(probe "$CONTAINER" --one-port --from "$from" --timeout 1 "b=echo:$PORT" -- "$B6" "$C6")" \
		"$B6 b $six"$'\n'"$C6 b none"
}

topology_up
behind_up
forwarding 1
serve "$LAN" pktinfo6 "$PORT"
serve "$LAN" pktinfo6 "$CONNECTED"
for subject in host behind; do
	subject "$subject"
	in_ns "$HOST" nft flush ruleset
	rules
	serve "$SUBJECT" dual6 "$PORT"
	wrong=$SPAWNED
	say "$subject: the kernel alone"
	want_obeyed 4000 "from $S4" "from $S6"
	say "$subject: loaded"
	"${LOAD[@]}"
	want_obeyed 4010 right right

	for family in 4 6; do
		[ "$family" = 4 ] && a=$A4 b=$B4 c=$C4
		[ "$family" = 6 ] && a=$A6 b=$B6 c=$C6
		say "$subject, IPv$family: a server is connected to the client that the rules are for"
		for other in "4001 $a right" "4002 $c none"; do
			read -r from addr outcome <<<"$other"
			serve "$SUBJECT" connect6 "$CONNECTED"
			want_equal "$(probe "$CONTAINER" --from "$from" "b=patient:$CONNECTED" -- "$b")" "$b b right"
			want_equal "$(probe "$CONTAINER" --from "$from" --timeout 1 "o=echo:$CONNECTED" -- "$addr")" \
				"$addr o $outcome"
			stop "$SPAWNED"
		done
	done

	say "$subject: unloaded"
	wire_unload
	want_obeyed 4020 "from $S4" "from $S6"
	stop "$wrong"
done
