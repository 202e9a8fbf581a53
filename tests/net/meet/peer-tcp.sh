#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Hosts whose networks block UDP reach each other's services directly, by TCP: also after the server
# has stopped, and whether the SYN of one arrives at the other, or both cross. A NAT may drop an
# unsolicited SYN, or refuse it.
#
#   in1 [alice, dave: connect] ── nat1 ──┐
#   in2 [bob: run]             ── nat2 ──├── router ── peer [sluice rendezvous serve]
#   in3 [carol: run]           ── nat3 ──┘
#
# nat2 admits any SYN to a mapped port; the others only one from where theirs has gone, and nat3
# answers any other with a reset segment. So alice and bob connect by the SYN of alice alone, since
# that of bob is dropped before it leaves. Dave and carol each need the SYN of both.
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/peer.sh"

peers_server alice bob carol dave
peers_nat 1 address-and-port-dependent 30
peers_nat 2 endpoint-independent 30
LAB_REFUSAL=reset peers_nat 3 address-and-port-dependent 30
wait_link "$ROUTER" outside
for host in in1 in2 in3; do
	udp_block "$host"
done
in_ns in2 nft -f - <<NFT
add chain inet block syn { type filter hook output priority 0; }
add rule inet block syn ip daddr != $PEER4 tcp flags & (syn | ack) == syn oifname "eth0" drop
NFT
echo_start in2
echo_start in3

peer_run in2 bob --peer-key "alice=$(public alice)" --expose tcp:127.0.0.1:7 --transport tcp
bob=$SPAWNED
peer_run in3 carol --peer-key "dave=$(public dave)" --expose tcp:127.0.0.1:7 --transport tcp
peer_connect in1 alice --peer-key "bob=$(public bob)" --to bob --listen tcp:127.0.0.1:7000
alice=$SPAWNED
peer_connect in1 dave --peer-key "carol=$(public carol)" --to carol --listen tcp:127.0.0.1:7001 \
	--transport tcp --direct-only
for name in alice bob carol dave; do
	wait_until 40 peer_is_direct "$name" || fail "$name has no direct path:" \
		"$(cat "$TEST_TMP"/{alice,bob,carol,dave}.log)"
done
want_equal "$(grep -hF 'msg="path" ' "$TEST_TMP"/{alice,bob,carol,dave}.log | grep -F kind=server-reflexive |
	grep -cvF transport=tcp || true)" 0 "paths by UDP"

listed="{x['peer']: x for p in d['peers'] for x in p['paths']}"
want_equal "$(json "sorted(($listed).keys())" sluice -j peer list)" "['alice', 'bob', 'carol', 'dave']"
want_equal "$(json "{tuple(x[k] for k in ('transport', 'own_nat', 'peer_nat')) for x in ($listed).values()}" \
	sluice -j peer list)" "{('tcp', 'endpoint-independent', 'endpoint-independent')}"
# the port that both NATs have mapped to the same port
ports="[($listed)[peer][end].split(':')[1] for peer, end in (('bob', 'local'), ('alice', 'remote'))]"
want_equal "$(json "len(set($ports))" sluice -j peer list)" 1
want_status 0 sluice peer list --id alice
want_text "tcp"
say "the server stops, and the paths stay"
counted()
{
	[ "$(json "d['counters']['reported_direct'] >= 2" sluice -j rendezvous show)" = True ]
}
wait_until 20 counted
stop "$RENDEZVOUS"
for port in 7000 7001; do
	for size in 0 1 1200 3000000; do
		in_ns in1 python3 "$ROOT/tests/net/lib/transfer.py" "$port" "$size"
	done
done

say "strangers get no answer, and an end"
public=$(sed -n 's/.*msg="registered".* public=\([^ ]*\).*/\1/p' "$TEST_TMP/bob.log" | tail -n 1)
transfer_begin in1 7000
in_ns "$PEER" python3 - "${public%:*}" "${public#*:}" <<'PYTHON'
import os, socket, struct, sys

def record(data):
	return struct.pack(">H", len(data)) + data

# a Binding request without integrity, a packet of QUIC, and what other protocols send
check = struct.pack(">HHI12s", 1, 0, 0x2112a442, os.urandom(12))
sent = [b"", b"GET / HTTP/1.1\r\n\r\n", b"\0\0", b"\xff" * 5000, record(check), record(b"\x40" * 1200),
	record(os.urandom(1200)), record(check)[:5]]
connections = []
for data in sent:
	connection = socket.create_connection((sys.argv[1], int(sys.argv[2])))
	connection.settimeout(60)
	connection.sendall(data)
	connections.append(connection)
for data, connection in zip(sent, connections):
	try:
		got = connection.recv(1)
	except ConnectionResetError:
		got = b""
	assert got == b"", (data, got)
PYTHON
transfer_end alice.log bob.log

say "the connection breaks, and the path comes back without the server"
transfer_begin in1 7000
in_ns in2 ss -HtnK "sport = ${public#*:}" >"$TEST_TMP/killed"
contains -F 198.51.100.1 "$TEST_TMP/killed" || fail "no connection was closed" "$(cat "$TEST_TMP/killed")"
transfer_end alice.log bob.log
stop "$alice"
stop "$bob"
want_equal "$(cat "$TEST_TMP"/{alice,bob,carol,dave}.log | grep -c level=error || true)" 0
