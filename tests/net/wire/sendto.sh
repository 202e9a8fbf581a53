#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Mode wire is on the ports of a bridge, with and without bridge netfilter and forwarding. A server
# on the wildcard address, and a server that connects back, reply from the requested address. Right
# servers are left alone, including TFTP servers, which reply from a fresh port.
#
#   container 172.17.0.3 ── veth3 ═ docker0 172.17.0.1 [host: servers] eth0 172.16.13.13
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

topology_up
servers_up "$HOST"
PAIRS=("$FAR4=$NEAR4" "$NEAR4=$NEAR4" "$FAR6=$NEAR6" "$NEAR6=$NEAR6")

NAMED=69,$DNS_PORT,$ATFTP_PORT,$RIGHT_PORT,$BACK_PORT,$PORT
LOADS=("wire_load --follow docker0" "wire_load --follow docker0 --port $NAMED")
for switches in "0 0" "1 1"; do
	read -r forwarding netfilter <<<"$switches"
	say "forwarding $forwarding, bridge netfilter $netfilter"
	forwarding "$forwarding"
	bridge_netfilter "$netfilter"
	want_proof "$CONTAINER" "${PAIRS[@]}"
done

want_verified
no_errors "$LOG"
