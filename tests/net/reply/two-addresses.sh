#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# One client socket uses two addresses of the host in turn. Replies come from the address of the
# last request.
#
#   container ── docker0 172.17.0.1, fd17::1 [host: [::]:56789] eth0 172.16.13.13, fd16::13
. "$(dirname "$0")/../lib/lib.sh"

topology_up
serve "$HOST" dual6 "$PORT"
both4="$FAR4:$PORT,$NEAR4:$PORT"
both6="[$FAR6]:$PORT,[$NEAR6]:$PORT"

# want_answers RIGHT WRONG: for each family
want_answers()
{
	local both
	for both in "$both4" "$both6"; do
		want_line "sent 20 right $1 wrong $2 refused 0 lost 0 corrupt 0" \
			"$(ask "$CONTAINER" --any --to "$both" --count 10)"
	done
}

say "without sluice"
want_answers 10 10
say "loaded"
reply_load
want_answers 20 0
say "unloaded"
sluice reply unload
want_answers 10 10
no_errors "$LOG"
