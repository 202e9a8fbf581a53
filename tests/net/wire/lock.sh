#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A load or unload of mode wire on many bridge ports is slow, since the kernel needs milliseconds to
# attach to each port. Other commands may get the lock between two ports, and so finish earlier. A
# command that loads or unloads mode wire meanwhile takes precedence.
#
#   container ── docker0 172.17.0.1 with 16 more ports [host: [::]:56789] eth0 172.16.13.13
#
# takes long: loads and unloads of many ports
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

COUNT=16
topology_up
serve "$HOST" dual6 "$PORT"
for number in $(seq "$COUNT"); do
	ip -n "$HOST" link add "p$number" type veth peer name "q$number"
	ip -n "$HOST" link set dev "p$number" master docker0 up
done
PORTS=$(ip -n "$HOST" -o link show master docker0 | wc -l)

# links: prints the number of pinned links of ports
links()
{
	find /sys/fs/bpf -path '*/wire/link_*' | wc -l
}

links_above()
{
	[ "$(links)" -gt "$1" ]
}

links_below()
{
	[ "$(links)" -lt "$1" ]
}

# slowly COMMAND…: starts COMMAND, and delays each of its bpf() calls by 20 ms
slowly()
{
	spawn_in "$HOST" "$TEST_TMP/slow" strace -f -o /dev/null -e trace=bpf \
		-e inject=bpf:delay_enter=20ms "$SLUICE" --verbose "$@"
	SLOW=$SPAWNED
}

# slow_end CODE [TEXT]: waits for the slow command to exit
slow_end()
{
	local status=0
	wait "$SLOW" || status=$?
	want_equal "$status" "$1" "exit status: $(cat "$TEST_TMP/slow")"
	grep -qF "${2:-}" "$TEST_TMP/slow" || fail "wanted '$2' in:" "$(cat "$TEST_TMP/slow")"
}

# meanwhile COMMAND…: runs COMMAND, which must finish before the slow command
meanwhile()
{
	"$@" >"$TEST_TMP/meanwhile" 2>&1 || fail "$*:" "$(cat "$TEST_TMP/meanwhile")"
	kill -0 "$SLOW" || fail "the slow command has ended before: $*" "$(cat "$TEST_TMP/slow")"
}

say "another object meanwhile"
slowly reply load --mode wire --follow docker0
wait_until 30 links_above 2
meanwhile reply_load
slow_end 0 "interfaces attached: "
want_equal "$(links)" $((2 * PORTS)) "links"
want_right "$CONTAINER" "$FAR4" "$PORT"
sluice reply unload --mode socket
want_right "$CONTAINER" "$FAR4" "$PORT"

say "also during an unload"
slowly reply unload --mode wire
wait_until 30 links_below $((2 * PORTS - 2))
meanwhile reply_load
slow_end 0
want_equal "$(links)" 0 "links"
sluice reply unload

say "unloaded during a load"
slowly reply load --mode wire --follow docker0
wait_until 30 links_above 2
wire_unload
slow_end 5 "another process has loaded or unloaded it meanwhile"
want_clean

say "loaded with other options during a load, and during an unload"
slowly reply load --mode wire --follow docker0
wait_until 30 links_above 2
wire_load --iface eth0
slow_end 5 "another process has loaded or unloaded it meanwhile"
want_equal "$(links)" 2 "links"
wire_load --follow docker0
slowly reply unload --mode wire
wait_until 30 links_below $((2 * PORTS - 2))
wire_load --follow docker0
slow_end 5 "another process has loaded it again meanwhile"
want_equal "$(links)" $((2 * PORTS)) "links"
want_right "$CONTAINER" "$FAR4" "$PORT"

wire_unload
want_clean
no_errors "$LOG"
