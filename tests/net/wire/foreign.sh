#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# tc programs of other owners are on the same interface, by tcx and by clsact, before and after
# sluice's. They keep their order through load, reload, unload and cleanup, and a foreign clsact
# qdisc keeps its filters. sluice is last on ingress and first on egress, so that the other programs
# get the packets as on the wire. If another program ends the chain before sluice on ingress, sluice
# changes nothing on egress either.
#
#   container ── veth3 (programs of others) ═ docker0 172.17.0.1 [host] eth0 172.16.13.13
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

# by_tcx NAME ingress|egress
by_tcx()
{
	in_ns "$HOST" "$FOREIGN" --dev veth3 --type "tc_$2" --name "$1" --link "/sys/fs/bpf/$1" >/dev/null
}

# by_filter NAME ingress|egress PRIORITY [VERDICT]
by_filter()
{
	in_ns "$HOST" "$FOREIGN" --dev veth3 --type "tc_$2" --name "$1" --prog "/sys/fs/bpf/$1" \
		--verdict "${4:--1}" >/dev/null
	in_ns "$HOST" tc filter add dev veth3 "$2" prio "$3" bpf da object-pinned "/sys/fs/bpf/$1"
}

# order ingress|egress: prints the names of the programs, from status; sluice's program is [own]
order()
{
	json "' '.join('[own]' if p['own'] else p['program'] for h in d['hooks'] if h['hook'] == 'veth3/$1' for p in h['order'])" \
		sluice -j --netns "$HOST" status
}

has_clsact()
{
	in_ns "$HOST" tc qdisc show dev veth3 | contains clsact
}

# others ingress|egress: prints the other owners' filters and program ids, in order
others()
{
	in_ns "$HOST" tc filter show dev veth3 "$1" | grep -oE 'other_[a-z_]+.* id [0-9]+' || true
}

topology_up
serve "$HOST" sendto4 "$PORT"

say "alone, by tcx: no clsact qdisc"
wire_load --follow docker0
want_equal "$(order ingress)" "[own]"
want_equal "$(order egress)" "[own]"
has_clsact && fail "a clsact was made"
wire_unload

say "alone, by clsact: unload removes the qdisc"
wire_load --follow docker0 --attach clsact
want_equal "$(order ingress)" "[own]"
want_right "$CONTAINER" "$FAR4" "$PORT"
wire_load --follow docker0 --port "$PORT"
want_equal "$(order ingress)" "[own]"
want_right "$CONTAINER" "$FAR4" "$PORT"
wire_unload
has_clsact && fail "sluice's clsact is still there"
want_wrong "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"

say "a clsact with filters of other owners stays"
wire_load --follow docker0 --attach clsact
by_filter other_guest ingress 7
wire_unload
has_clsact || fail "a clsact with another owner's filter was removed"
want_equal "$(others ingress | wc -l)" 1 "other owners' filters"

say "many programs of other owners"
by_tcx other_tcx_in ingress
by_tcx other_tcx_out egress
by_filter other_in ingress 7
by_filter other_late ingress 65535
by_filter other_out egress 1
by_filter other_behind egress 9
ingress=$(others ingress) egress=$(others egress)
for way in tcx clsact; do
	say "$way, among the others"
	wire_load --follow docker0 --attach "$way"
	if [ "$way" = tcx ]; then
		want_equal "$(order ingress)" \
			"other_tcx_in [own] other_in other_guest other_late"
		want_equal "$(order egress)" \
			"[own] other_tcx_out other_out other_behind"
	else
		want_equal "$(order ingress)" \
			"other_tcx_in other_in other_guest [own] other_late"
		want_equal "$(order egress)" \
			"other_tcx_out [own] other_out other_behind"
	fi
	want_right "$CONTAINER" "$FAR4" "$PORT"
	want_equal "$(others ingress)" "$ingress" "other owners' filters on ingress"
	want_equal "$(others egress)" "$egress" "other owners' filters on egress"
	if [ "$way" = tcx ]; then
		wire_unload
	else
		sluice --netns "$HOST" cleanup
	fi
	want_equal "$(others ingress)" "$ingress" "other owners' filters on ingress"
	want_equal "$(others egress)" "$egress" "other owners' filters on egress"
	want_clean
	want_wrong "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"
done

say "filters that occupy sluice's slot are reported, and nothing is changed"
want_blocked()
{
	want_status 5 "$SLUICE" --netns "$HOST" reply load --mode wire --follow docker0 --attach clsact
	want_text "tc filter slot already in use on egress: bpf $1"
	want_text "tc filter show dev veth3 egress"
	want_clean
	want_equal "$(others ingress)" "$ingress" "other owners' filters on ingress"
	want_wrong "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"
}
in_ns "$HOST" tc filter add dev veth3 egress prio 1 handle 0x511ce bpf da \
	object-pinned /sys/fs/bpf/other_out
want_blocked "other_out:["
in_ns "$HOST" tc filter del dev veth3 egress
in_ns "$HOST" tc filter add dev veth3 egress prio 1 protocol ip bpf da \
	object-pinned /sys/fs/bpf/other_out
want_blocked "other_out:["
in_ns "$HOST" tc filter del dev veth3 egress
wire_load --follow docker0 --attach clsact
wire_unload

say "a program before sluice's that ends the chain"
serve "$HOST" pktinfo4 50001
wire_load --follow docker0 --attach clsact
by_filter other_end ingress 3 0
want_wrong "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"
want_right "$CONTAINER" "$FAR4" 50001
wire_unload
