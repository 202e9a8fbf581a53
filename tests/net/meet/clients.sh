#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Independent clients get correct answers, over IPv4 and IPv6: coturn's clients, a client for RFC
# 3489, and aioice. The server has already dropped its privileges.
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/meet.sh"

natdiscovery=$(server_path usr/bin/turnutils_natdiscovery)

meet_up
rendezvous_start --listen '192.0.2.1:3478,[2001:db8::1]:3478' \
	--alternate '192.0.2.2:3479,[2001:db8::2]:3479'

say "privileges"
want_equal "$(awk '$1 == "Uid:" { print $2, $3, $4, $5 }' "/proc/$RENDEZVOUS/status")" \
	"$(for _ in 1 2 3 4; do id -u nobody; done | paste -sd' ')"
want_equal "$(awk '/^(CapInh|CapPrm|CapEff|CapAmb|NoNewPrivs):/ { print $2 }' \
	"/proc/$RENDEZVOUS/status" | tr -d '0\n')" 1
want_equal "$(awk '$1 == "Groups:" { print NF }' "/proc/$RENDEZVOUS/status")" 1

say "turnutils_stunclient"
stunclients_bind

say "turnutils_natdiscovery: no NAT"
want_status 0 in_ns "$CONTAINER" timeout 60 "$natdiscovery" -m -f -L 192.0.2.10 192.0.2.1
want_text "No NAT! (Endpoint Independent Mapping)"
want_text "NAT with Endpoint Independent Filtering"
[[ $OUTPUT != *ALG* ]] || fail "an ALG was seen:" "$OUTPUT"

say "the client of RFC 3489"
want_status 0 in_ns "$CONTAINER" timeout 60 stun 192.0.2.1 1 -v
want_text "MappedAddress = 192.0.2.10:"
OUTPUT=$(in_ns "$CONTAINER" timeout 60 stun 192.0.2.1 2>&1 || true)
want_text "Open"

say "aioice"
in_ns "$CONTAINER" /usr/bin/python3 "$ROOT/tests/net/lib/gather.py" 192.0.2.1 192.0.2.10

say "the addresses of RFC 5780"
peers_run <<-'PYTHON'
	def ask(server, attributes=(), family=socket.AF_INET):
	    sock = socket.socket(family, socket.SOCK_DGRAM)
	    sock.settimeout(20)
	    sock.sendto(build(BINDING, REQUEST, os.urandom(12), attributes, fingerprint=True), server)
	    data, source = sock.recvfrom(2048)
	    return Message(data), source[:2]

	def change(flags):
	    return [(CHANGE_REQUEST, bytes([0, 0, 0, flags]))]

	addresses = [("192.0.2.1", 3478), ("192.0.2.1", 3479), ("192.0.2.2", 3478), ("192.0.2.2", 3479)]
	addresses6 = [(host.replace("192.0.2.", "2001:db8::"), port) for host, port in addresses]
	for family, known in (socket.AF_INET, addresses), (socket.AF_INET6, addresses6):
	    for i, server in enumerate(known):
	        for flags, other in ((0, i), (2, i ^ 1), (4, i ^ 2), (6, i ^ 3)):
	            answer, source = ask(server, change(flags), family)
	            assert source == known[other] == answer.address(RESPONSE_ORIGIN, False), (server, flags, source)
	            assert answer.address(OTHER_ADDRESS, False) == known[i ^ 3]
	            assert answer.get(FINGERPRINT)
PYTHON

say "the counters"
[ "$(shown "d['counters']['binding_classic']")" -gt 0 ] || fail "$(shown d)"
rendezvous_stop
