#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Link-local IPv6: an address is unique only within its interface. Requests go to a second
# link-local address of the host; two peers with the same address, on two interfaces, stay apart.
#
#   container fe80::3 ── docker0 fe80::1, fe80::77 [host: [::]:56789] eth0 fe80::1, fe80::77 ── lan fe80::3
. "$(dirname "$0")/../lib/lib.sh"

topology_up
serve "$HOST" dual6 "$PORT"
for dev in docker0 eth0; do
	addr_add "$HOST" "$dev" fe80::77/64
done

# preferred: prints the address that the kernel prefers of the two; the fault shows at the other
preferred()
{
	ask "$1" --any --to "[fe80::1%eth0]:$PORT" | sed -n 's/^answered \[\(.*\)%.*/\1/p'
}

other()
{
	if [ "$1" = fe80::1 ]; then echo fe80::77; else echo fe80::1; fi
}

say "the kernel alone"
kept=$(preferred "$CONTAINER")
wanted=$(other "$kept")
want_wrong "$CONTAINER" "$wanted%eth0" "$PORT" "$kept%eth0"
want_wrong "$LAN" "$wanted%eth0" "$PORT" "$kept%eth0"

say "loaded"
reply_load
want_right "$CONTAINER" "$wanted%eth0" "$PORT"
want_right "$LAN" "$wanted%eth0" "$PORT"
want_right "$CONTAINER" "$kept%eth0" "$PORT"

say "the same peer address on two interfaces, different ports: each gets its answer from the address it used"
want_right "$CONTAINER" "$wanted%eth0" "$PORT" --from "[fe80::3%eth0]:4000"
want_right "$LAN" "$wanted%eth0" "$PORT" --from "[fe80::3%eth0]:4001"
want_right "$CONTAINER" "$wanted%eth0" "$PORT" --from "[fe80::3%eth0]:4000"

say "the same address and the same port: nothing is lost, whichever address answers"
for round in 1 2 3; do
	for name in "$CONTAINER" "$LAN"; do
		output=$(ask "$name" --any --from "[fe80::3%eth0]:4002" --to "[$wanted%eth0]:$PORT")
		[[ $output == *"lost 0 corrupt 0"* ]] || fail "round $round, $name: $output"
	done
done
no_errors "$LOG"
