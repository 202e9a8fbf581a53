#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A flow expires: a reply later than --age after the request is left alone, and the next request
# renews the flow.
#
#   container ── docker0 172.17.0.1 [host: 0.0.0.0:56789, slow to answer] eth0 172.16.13.13
. "$(dirname "$0")/../lib/lib.sh"

live()
{
	json "d['reply']['flows']['live']" sluice -j reply show
}

none_live()
{
	[ "$(live)" = 0 ]
}

# answered_when COMMAND…: sends a request; the server answers once COMMAND succeeds
answered_when()
{
	local client
	: >"$LOG"
	spawn_in "$CONTAINER" "$TEST_TMP/client" "$CLIENT" --any --from 172.17.0.3:4000 \
		--to "$FAR4:$PORT" --timeout-ms 30000
	client=$SPAWNED
	wait_until 10 grep -q '^held 1$' "$LOG"
	wait_until 20 "$@"
	kill -USR1 "$server"
	wait "$client" || true
	cat "$TEST_TMP/client"
}

topology_up
serve "$HOST" sendto4 "$PORT" --hold
server=$SPAWNED

# the client's own socket is on the wildcard address too
reply_load --age 1 --port "$PORT"
want_line "answered $NEAR4:$PORT 1" "$(answered_when none_live)"
want_equal "$(counter left_expired)" 1 "answers left alone for their age"

say "a new request, answered within the age"
reply_load --age 3600 --port "$PORT"
want_line "answered $FAR4:$PORT 1" "$(answered_when true)"
want_equal "$(live)" 1 "live flows"
no_errors "$LOG"
