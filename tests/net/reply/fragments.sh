#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Datagrams of 8 KB and more are fragmented in both directions. sluice learns requests after
# reassembly, and every fragment of the reply leaves from the requested address.
#
#   container ── docker0 172.17.0.1, fd17::1 [host: [::]:56789] eth0 172.16.13.13, fd16::13
#               (MTU 1500)
. "$(dirname "$0")/../lib/lib.sh"

topology_up
serve "$HOST" dual6 "$PORT"

fragments()
{
	in_ns "$CONTAINER" cat /proc/net/snmp /proc/net/snmp6 |
		awk '/^Ip: F/ { for (i = 1; i <= NF; i++) if ($i == "ReasmOKs") column = i }
			/^Ip: [0-9]/ || /^Ip6ReasmOKs/ { sum += $1 == "Ip:" ? $column : $2 }
			END { print sum }'
}

before=$(fragments)
for size in 8192 60000; do
	want_fixed "$CONTAINER" "$FAR4" "$PORT" "$NEAR4" --size "$size"
	want_fixed "$CONTAINER" "$FAR6" "$PORT" "$NEAR6" --size "$size"
done
say "the answers were fragmented"
# two sizes, two families, three times three answers
want_equal "$(($(fragments) - before))" 36 "reassembled answers"
no_errors "$LOG"
