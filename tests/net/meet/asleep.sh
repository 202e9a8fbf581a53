#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The server sleeps while XDP answers 100,000 Binding requests and the refreshes of an idle peer.
# top counts the answers, and neither the server's run time nor its number of wake-ups grows with
# the requests.
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/cpu.sh"
. "$(dirname "$0")/../lib/meet.sh"

meet_up
peer_add alice
checksums_full "$CONTAINER" eth0
rendezvous_start --listen 192.0.2.1:3478 --xdp eth0 --rate 0
peers_run >"$TEST_TMP/requests" <<-'PYTHON'
	alice = peer("alice", local=("192.0.2.10", 5000))
	assert alice.register().kind == SUCCESS
	mac = siphash(alice.token_key, alice.registration + mapped(*alice.mapped))
	token = alice.registration + struct.pack("<Q", mac)
	print(5000, build(REFRESH, REQUEST, bytes(12), [(TOKEN, token)]).hex())
	for port in range(5001, 5004):
	    print(port, build(BINDING, REQUEST, bytes(12), []).hex())
PYTHON

# slept: prints the server's number of sleeps and its run time
slept()
{
	awk '$1 == "voluntary_ctxt_switches:" { print $2 }' "/proc/$RENDEZVOUS/status"
	awk '{ print $1 }' "/proc/$RENDEZVOUS/schedstat"
}

began=$SECONDS
mapfile -t before < <(slept)
in_ns "$CONTAINER" "$BUILD/tests/udp-requests" 192.0.2.1 3478 120000 100000 \
	<"$TEST_TMP/requests" >"$TEST_TMP/sent" &
requests=$!
top -b -d 1 -n 2 -p "$RENDEZVOUS" >"$TEST_TMP/top"
wait "$requests"
mapfile -t after < <(slept)
seconds=$((SECONDS - began))
want_equal "$(awk -v pid="$RENDEZVOUS" '$1 == pid { print $8 }' "$TEST_TMP/top" | sort -u)" S
[ "$(json "d['answered'] >= 100000" cat "$TEST_TMP/sent")" = True ] || fail "$(cat "$TEST_TMP/sent")"
want_equal "$(shown "(d['xdp']['counters']['bindings'] > 70000, d['xdp']['counters']['refreshes'] > 20000,
	d['counters']['binding'], d['counters']['refreshed'], d['registered'][0]['seen_for_s'] < 20)")" \
	"(True, True, 0, 0, True)"
# it renews the lease every 3 s, and checks for expired registrations at most once per second
woken=$((after[0] - before[0])) ran=$((after[1] - before[1]))
[ "$woken" -le $((2 * seconds + 6)) ] || fail "woken $woken times in $seconds s"
[ "$ran" -lt 50000000 ] || fail "has run for $ran ns"
rendezvous_stop
