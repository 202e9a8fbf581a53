#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# --port accepts ports and ranges. sluice leaves other ports alone.
#
#   container ── docker0 172.17.0.1 [host: servers on 5300, 5310, 5399, 5400] eth0 172.16.13.13
. "$(dirname "$0")/../lib/lib.sh"

topology_up
for port in 53 5300 5310 5399 5400; do
	serve "$HOST" sendto4 "$port"
done

# only PORTS…: checks that these are fixed, and that all other ports behave as without sluice
only()
{
	local port
	for port in 53 5300 5310 5399 5400; do
		if [[ " $* " == *" $port "* ]]; then
			want_right "$CONTAINER" "$FAR4" "$port"
		else
			want_wrong "$CONTAINER" "$FAR4" "$port" "$NEAR4"
		fi
	done
}

only
reply_load --port 53,5300-5310
only 53 5300 5310
say "a new list replaces the first"
reply_load --port 5310-5399
only 5310 5399
reply_load --port 5400
only 5400
reply_load --port any
only 53 5300 5310 5399 5400
sluice reply unload
only
