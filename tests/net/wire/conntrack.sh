#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A client's requests to A are redirected to the address of a socket that has connected back. The
# conntrack entry of the requests to A expires soon if no reply has used it. An entry that has seen
# a reply before mode wire was loaded stays, as without sluice.
#
#   container ── docker0 172.17.0.1 [host] eth0 A 172.16.13.13
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

# answered: returns true if the entry of the client's requests to A has seen a reply; such an entry
# expires only after minutes
answered()
{
	conntrack_list "$HOST" | grep "src=$client dst=$far .*dport=$PORT " | grep -v UNREPLIED
}

topology_up
in_ns "$HOST" sysctl -qw net.netfilter.nf_conntrack_udp_timeout{,_stream}=600
for family in 4 6; do
	[ "$family" = 4 ] && client=172.17.0.3 far=$FAR4
	[ "$family" = 6 ] && client=fd17::3 far=$FAR6
	from=$(target "$client" 4000)

	for before in answered new; do
		say "IPv$family, $before: without sluice"
		conntrack_flush "$HOST"
		if [ "$before" = answered ]; then
			serve "$HOST" "sendto$family" "$PORT" --bind "$far"
			want_right "$CONTAINER" "$far" "$PORT" --from "$from"
			stop "$SPAWNED"
			answered >/dev/null
		fi
		say "loaded"
		wire_load --follow docker0
		serve "$HOST" connect6 "$PORT"
		want_right "$CONTAINER" "$far" "$PORT" --from "$from"
		[ "$(wire_counter request_rewritten)" -gt 0 ] || fail "no request was redirected"
		if [ "$before" = answered ]; then
			want_equal "$(wire_counter conntrack_cut)" 0 "entries cut short"
			[[ $(answered) =~ " "([0-9]+)" src=" && ${BASH_REMATCH[1]} -gt 60 ]] ||
				fail "the entry expires soon: $(conntrack_list "$HOST")"
		else
			want_one_entry "$PORT"
			[ "$(wire_counter conntrack_cut)" -gt 0 ] || fail "no entry was cut short"
		fi
		stop "$SPAWNED"
		say "unloaded"
		wire_unload
		serve "$HOST" "sendto$family" "$PORT" --bind "$far"
		want_right "$CONTAINER" "$far" "$PORT" --from "$from"
		answered >/dev/null
		stop "$SPAWNED"
	done
done
