#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A rendezvous server that hangs: its XDP program stops answering when the lease expires, and
# resumes with the server.
. "$(dirname "$0")/../net/lib/lib.sh"
. "$(dirname "$0")/../net/lib/cpu.sh"
. "$(dirname "$0")/../net/lib/meet.sh"

# answers: returns true if a request gets an answer
answers()
{
	peers_run <<-'PYTHON'
		sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		sock.settimeout(1)
		sock.sendto(build(BINDING, REQUEST, os.urandom(12), []), SERVER)
		sock.recv(2048)
	PYTHON
}

silent()
{
	! answers 2>/dev/null
}

meet_up
checksums_full "$CONTAINER" eth0
rendezvous_start --listen 192.0.2.1:3478 --xdp eth0
answers
kill -STOP "$RENDEZVOUS"
say "within the lease, XDP answers for a server that hangs"
answers
say "no answer after this time"
wait_until 30 silent
kill -CONT "$RENDEZVOUS"
wait_until 20 answers
[ "$(shown "d['xdp']['counters']['passed_lease']")" -gt 0 ] || fail "$(shown "d['xdp']")"
rendezvous_stop
