#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Conntrack is active on the host. Without sluice, a request and its reply create two UNREPLIED
# entries; with sluice, they create one entry that has seen both directions.
#
#   container 172.17.0.3 ── docker0 172.17.0.1 [host: 0.0.0.0:56789, conntrack] eth0 172.16.13.13
. "$(dirname "$0")/../lib/lib.sh"

entries()
{
	conntrack_flush "$HOST"
	ask "$CONTAINER" --any --to "$(target "$1" "$PORT")" --count 3 >/dev/null
	conntrack_list "$HOST" | grep "dport=$PORT "
}

want_two()
{
	want_equal "$(wc -l <<<"$1")" 2 "entries without sluice"
	want_equal "$(grep -c UNREPLIED <<<"$1")" 2 "unreplied entries without sluice"
}

want_one()
{
	want_equal "$(wc -l <<<"$1")" 1 "entries with sluice"
	[[ $1 != *UNREPLIED* ]] || fail "conntrack saw no reply:" "$1"
}

topology_up
serve "$HOST" dual6 "$PORT"

say "without sluice"
want_two "$(entries "$FAR4")"
want_two "$(entries "$FAR6")"
say "loaded"
reply_load
want_one "$(entries "$FAR4")"
want_one "$(entries "$FAR6")"
say "unloaded"
sluice reply unload
want_two "$(entries "$FAR4")"
