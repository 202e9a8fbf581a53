#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Mode socket leaves connected sockets alone, because connect(2) fixes their source. This holds for
# clients, and for servers that connect back to their first peer, as `nc -u -l` does. They behave
# exactly as without sluice.
#
#   container 172.17.0.3 ── docker0 172.17.0.1 [host: connects back] eth0 172.16.13.13
. "$(dirname "$0")/../lib/lib.sh"

# The server's socket is connected to 172.17.0.3:4000 from 172.17.0.1 after the first datagram.
ask_connecting()
{
	local port=$1
	serve "$HOST" connect4 "$port"
	want_line "answered $NEAR4:$port 1" \
		"$(ask "$CONTAINER" --any --from 172.17.0.3:4000 --to "$FAR4:$port")"
	want_right "$CONTAINER" "$NEAR4" "$port" --from 172.17.0.3:4000
	no_errors "$LOG"
	stop "$SPAWNED"
}

topology_up
serve "$CONTAINER" sendto4 "$PORT"

say "without sluice"
ask_connecting 6000
want_right "$HOST" 172.17.0.3 "$PORT"

say "loaded"
reply_load
ask_connecting 6001
before=$(counter fixed)
want_right "$HOST" 172.17.0.3 "$PORT" --from "$FAR4"
want_right "$HOST" 172.17.0.3 "$PORT"
want_equal "$(($(counter fixed) - before))" 6 "fixed: only the server's answers, not the client's sends"

say "unloaded"
sluice reply unload
ask_connecting 6002
want_right "$HOST" 172.17.0.3 "$PORT"
