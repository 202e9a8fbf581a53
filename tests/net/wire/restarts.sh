#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A server is replaced by another kind of server on the same port, while the client keeps its source
# port. Right servers stay right, and wrong servers are fixed, after any other kind. A socket that
# is bound to an address other than the requested one receives nothing, as without sluice.
#
#   container ── docker0 172.17.0.1 [host] eth0 172.16.13.13, or s0 ── 10.8.0.5 [behind] 10.20.0.5
#
# takes long: every kind of server replaces every other
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

# kind NAME: prints the arguments of a server
kind()
{
	case "$1" in
	wrong) echo dual6 "$PORT" ;;
	back) echo connect6 "$PORT" ;;
	pktinfo) echo pktinfo6 "$PORT" ;;
	# only IPv4, or only IPv6
	bound) echo "sendto$family" "$PORT" --bind "$asked" ;;
	bound_elsewhere) echo "sendto$family" "$PORT" --bind "$answerer" ;;
	esac
}

# outcome NAME: prints the outcome of two requests to a server of this kind, from the client's port
outcome()
{
	local arguments
	read -ra arguments <<<"$(kind "$1")"
	serve "$SUBJECT" "${arguments[@]}"
	probe "$CONTAINER" --from "$client" "server=$protocol:$PORT" -- "$asked" | cut -d' ' -f3-
	stop "$SPAWNED"
}

# want_kinds NAME=OUTCOME…: checks servers of these kinds, one after another
want_kinds()
{
	local pair
	client=$((client + 1))
	for pair in "$@"; do
		want_equal "$(outcome "${pair%%=*}")" "${pair#*=}" "$* at $asked: ${pair%%=*}"
	done
}

topology_up
behind_up
forwarding 1
client=20000
for subject in host behind; do
	subject "$subject"
	# only a refusal tells a gateway the redirect target
	[ "$subject" = host ] && protocol=echo || protocol=patient
	in_ns "$SUBJECT" sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
	for family in 4 6; do
		[ "$family" = 4 ] && asked=$A4 answerer=$S4
		[ "$family" = 6 ] && asked=$A6 answerer=$S6
		say "$subject, $asked: without sluice"
		want_kinds "wrong=from $answerer" "back=from $answerer, refused" pktinfo=right bound=right \
			bound_elsewhere=refused
		say "$subject, $asked: loaded"
		"${LOAD[@]}"
		want_kinds wrong=right pktinfo=right bound=right
		want_kinds back=right pktinfo=right bound=right
		want_kinds wrong=right bound=right pktinfo=right
		want_kinds back=right bound=right pktinfo=right
		want_kinds wrong=right back=right wrong=right back=right
		# a gateway cannot detect the socket at the other address
		[ "$subject" = behind ] || want_kinds back=right bound_elsewhere=refused bound=right
		# after one right reply, a flow is left alone until it expires
		want_kinds pktinfo=right "wrong=from $answerer" bound=right
		wire_unload
		say "$subject, $asked: unloaded"
		want_kinds "wrong=from $answerer" "back=from $answerer, refused" pktinfo=right
	done
done
