#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# socat, unmodified, as a forking UDP server (UDP-RECVFROM: one process for each datagram).
#
#   container: socat ── docker0 172.17.0.1, fd17::1 [host: socat on *:7000] eth0 172.16.13.13, fd16::13
. "$(dirname "$0")/lib.sh"

# echoed ADDRESS: what socat in CONTAINER gets back from there
echoed()
{
	# waits for the answer at most so long; one that never comes is the fault
	in_ns "$CONTAINER" bash -c 'echo hello | socat -t 1 - "$1"' - "$1"
}

topology_up
spawn_in "$HOST" "$TEST_TMP/socat4" socat UDP4-RECVFROM:7000,fork EXEC:cat
wait_udp "$HOST" 7000
spawn_in "$HOST" "$TEST_TMP/socat6" socat UDP6-RECVFROM:7001,fork EXEC:cat
wait_udp "$HOST" 7001

say "the kernel alone"
want_equal "$(echoed "UDP4:$NEAR4:7000")" hello
want_equal "$(echoed "UDP4:$FAR4:7000")" ""
want_equal "$(echoed "UDP6:[$FAR6]:7001")" ""
want_equal "$(echoed "UDP4:$FAR4:7001")" ""
say "loaded"
reply_load
want_equal "$(echoed "UDP4:$FAR4:7000")" hello
want_equal "$(echoed "UDP4:$NEAR4:7000")" hello
want_equal "$(echoed "UDP6:[$FAR6]:7001")" hello
want_equal "$(echoed "UDP4:$FAR4:7001")" hello
say "unloaded"
sluice reply unload
want_equal "$(echoed "UDP4:$FAR4:7000")" ""
