#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# An unmodified socat runs as a forking UDP server (UDP-RECVFROM): for each datagram, a new process
# replies with sendto(2) on the inherited socket.
#
#   container ── docker0 172.17.0.1, fd17::1 [host: socat on *:7000, [::]:7001] eth0 172.16.13.13
. "$(dirname "$0")/../lib/lib.sh"

topology_up
spawn_in "$HOST" "$TEST_TMP/socat4" socat UDP4-RECVFROM:7000,fork EXEC:cat
wait_udp "$HOST" 7000
spawn_in "$HOST" "$TEST_TMP/socat6" socat UDP6-RECVFROM:7001,fork EXEC:cat
wait_udp "$HOST" 7001

want_fixed "$CONTAINER" "$FAR4" 7000 "$NEAR4" --timeout-ms 10000
want_fixed "$CONTAINER" "$FAR6" 7001 "$NEAR6" --timeout-ms 10000
want_fixed "$CONTAINER" "$FAR4" 7001 "$NEAR4" --timeout-ms 10000
