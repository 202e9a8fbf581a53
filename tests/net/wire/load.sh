#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A load of mode wire is all or nothing. A dry run changes nothing, a failed load keeps the previous
# state, and a second load updates the first in place. The next load, and cleanup, can handle the
# state of a killed loader. A pin directory serves a single network namespace. ROUNDS sets the number
# of loads under traffic (1; 10 in tests/nightly/wire-load.sh).
#
#   container, container2 ═ docker0 172.17.0.1 [host: 0.0.0.0:56789] eth0 172.16.13.13 ── lan
#
# takes long: loads under traffic, and killed ones
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

# attached: prints the names of the attached interfaces
attached()
{
	json "' '.join(sorted(i['name'] for i in d['wire']['interfaces'] if not i['gone']))" \
		sluice -j --netns "$HOST" reply show
}

# want_refused CODE TEXT OPTION…: checks that the load is refused with TEXT, and that nothing is
# attached
want_refused()
{
	local code=$1 text=$2
	shift 2
	want_status "$code" "$SLUICE" --netns "$HOST" reply load --mode wire "$@"
	want_text "$text"
	want_clean
}

ROUNDS=${ROUNDS:-1}
topology_up second
serve "$HOST" sendto4 "$PORT"

say "refused options"
want_refused 2 "needs an interface"
want_refused 1 "no interface 'nope'" --iface nope
want_refused 1 "no interface 'nope'" --iface veth3,nope
want_refused 1 "is not a bridge" --follow eth0
want_refused 2 "two or more" --gateway eth0 --server 10.0.0.1
want_refused 2 "without --gateway" --iface eth0 --server 10.0.0.1,10.0.0.2
want_refused 2 "not an IP address" --gateway eth0 --server 10.0.0.1,here
want_refused 2 "empty" --iface veth3,
want_refused 2 "clsact" --iface veth3 --attach clsat
want_refused 2 "--port: '0'" --iface veth3 --port 0
want_status 2 "$SLUICE" reply load --mode socket --iface veth3
want_text "for --mode wire"

say "a dry run"
want_status 0 "$SLUICE" --netns "$HOST" reply load --mode wire --follow docker0 --dry-run
want_text veth3
want_text veth4
want_clean
want_wrong "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"

say "other interfaces, in place"
wire_load --follow docker0
want_equal "$(attached)" "veth3 veth4"
want_right "$CONTAINER" "$FAR4" "$PORT"
want_right "$CONTAINER2" "$FAR4" "$PORT"
wire_load --iface veth4,eth0
want_equal "$(attached)" "eth0 veth4"
want_wrong "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"
want_right "$CONTAINER2" "$FAR4" "$PORT"
want_right "$LAN" "$NEAR4" "$PORT"
wire_load --follow docker0

say "a load reports what it replaces"
want_status 0 wire_load --follow docker0
want_text "reply: unchanged"
wire_load --iface veth3 --port "$PORT" --age 60
want_status 0 wire_load --follow docker0
want_text "before: ports $PORT, interfaces veth3, age 60, table 16384"

# clients_start: starts four clients, each with one request in flight at a time
clients_start()
{
	local number name
	clients=()
	rm -f "$TEST_TMP"/client.*
	for number in 1 2; do
		for name in "$CONTAINER" "$CONTAINER2"; do
			spawn_in "$name" "$TEST_TMP/client.$number.$name" \
				"$CLIENT" --any --until-signal --to "$FAR4:$PORT"
			clients+=("$SPAWNED")
		done
	done
}

# clients_end [some]: checks that each client had traffic, and that no answers were left alone; with
# `some`, at most half
clients_end()
{
	local output sent right
	kill -TERM "${clients[@]}"
	wait "${clients[@]}" || true
	for output in "$TEST_TMP"/client.*; do
		read -r _ sent _ right _ wrong _ <"$output"
		[ "$sent" -gt 100 ] || fail "hardly any traffic: $(cat "$output")"
		want_equal "$((right + wrong))" "$sent" "answers under reload: $(cat "$output")"
		[ "$wrong" -le "$((${1:+right}))" ] || fail "most left alone: $(cat "$output")"
	done
}

say "under traffic: other ports"
clients_start
for ((round = 0; round < ROUNDS; round++)); do
	wire_load --follow docker0 --port "$PORT" >/dev/null
	wire_load --follow docker0 >/dev/null
	wire_load --follow docker0 --port 1000-60000 >/dev/null
done
clients_end

say "under traffic: another table size; the table starts empty"
wire_load --follow docker0 >/dev/null
clients_start
for ((round = 0; round < ROUNDS; round++)); do
	wire_load --follow docker0 --table 100000 >>"$TEST_TMP/sizes"
	wire_load --follow docker0 >>"$TEST_TMP/sizes"
done
# at each change, the answers in flight
clients_end some
want_equal "$(grep -c 'table: 16384 flows before, 100000 now: it starts empty' "$TEST_TMP/sizes")" "$ROUNDS"
want_right "$CONTAINER" "$FAR4" "$PORT"
want_right "$CONTAINER2" "$FAR4" "$PORT"

say "a failed load keeps the earlier load active"
by_clsact()
{
	sluice --netns "$HOST" reply load --mode wire --attach clsact "$@"
}
in_ns "$HOST" tc qdisc add dev eth0 clsact
in_ns "$HOST" "$FOREIGN" --dev eth0 --type tc_egress --name other --prog /sys/fs/bpf/other >/dev/null
in_ns "$HOST" tc filter add dev eth0 ingress prio 60427 handle 0x511ce bpf da object-pinned /sys/fs/bpf/other
want_status 5 by_clsact --follow docker0 --iface eth0
want_text eth0
want_equal "$(attached)" "veth3 veth4"
want_right "$CONTAINER" "$FAR4" "$PORT"
wire_unload
want_status 5 by_clsact --follow docker0 --iface eth0
want_clean
for dev in veth3 veth4; do
	! in_ns "$HOST" tc qdisc show dev "$dev" | grep clsact || fail "a clsact is left on $dev"
done
want_equal "$(in_ns "$HOST" tc filter show dev eth0 ingress | grep -c other)" 1 "other owner's filter"
want_wrong "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"

say "another network namespace"
wire_load --follow docker0
want_status 5 "$SLUICE" --netns "$LAN" reply load --mode wire --iface eth0
want_text "another network namespace"
want_right "$CONTAINER" "$FAR4" "$PORT"
sluice --netns "$LAN" --bpffs /sys/fs/bpf/lan reply load --mode wire --iface eth0
sluice --netns "$LAN" --bpffs /sys/fs/bpf/lan reply unload
want_status 0 "$SLUICE" reply unload
want_clean
by_clsact --follow docker0
want_status 5 "$SLUICE" reply unload
want_status 5 "$SLUICE" cleanup
want_right "$CONTAINER" "$FAR4" "$PORT"
sluice --netns "$HOST" cleanup
want_clean
want_wrong "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"

say "a deleted interface"
wire_load --follow docker0
ip -n "$HOST" link del veth4
want_equal "$(attached)" "veth3"
want_status 0 "$SLUICE" --netns "$HOST" reply show
want_text "veth4 (gone)"
wire_load --follow docker0
want_equal "$(json "len(d['wire']['interfaces'])" sluice -j --netns "$HOST" reply show)" 1
want_equal "$(find "$PINS/wire" -name 'link_*' | wc -l)" 2 "pinned links"

say "both modes: each is unloaded separately"
reply_load
want_status 1 "$SLUICE" reply unload --mode audit
want_text "not loaded in mode audit"
want_right "$CONTAINER" "$FAR4" "$PORT"
sluice reply unload --mode socket
want_right "$CONTAINER" "$FAR4" "$PORT"
reply_load
sluice --netns "$HOST" reply unload --mode wire
want_right "$CONTAINER" "$FAR4" "$PORT"
wire_load --follow docker0
sluice --netns "$HOST" reply unload
want_clean
want_wrong "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"
no_errors "$LOG"
