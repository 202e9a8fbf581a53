#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A hostile host at the private address of the other peer learns nothing and gets no path; a hostile
# server that swaps keys is refused, or shown with --trust-server; and a hostile peer cannot make
# another one flood a victim.
#
#   in1 [alice: connect] ── nat1 [hostile host] ──┐
#                            10.0.0.3             ├── router ── peer [sluice rendezvous serve]
#   in2 [bob: run]       ── nat2 ─────────────────┘
#       10.0.0.3
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/peer.sh"

# the gateway of bob
VICTIM=10.0.0.1

peers_up endpoint-independent endpoint-independent 30
echo_start in2
ip_batch in2 <<-'IP'
	addr del 10.0.0.2/24 dev eth0
	addr add 10.0.0.3/24 dev eth0
	route add default via 10.0.0.1
IP

# Answers each datagram with the same bytes, with forged STUN responses and with a QUIC packet, and
# echoes TCP. Prints what arrives: stun, or other with the first byte.
cat >"$TEST_TMP/hostile.py" <<'PYTHON'
import os
import socket
import threading

udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("10.0.0.3", 4000))
tcp = socket.create_server(("10.0.0.3", 4000))


def echo():
    while True:
        connection = tcp.accept()[0]
        connection.settimeout(5)
        try:
            connection.sendall(connection.recv(65536))
        except OSError:
            pass


threading.Thread(target=echo, daemon=True).start()
while True:
    data, source = udp.recvfrom(65536)
    print("stun" if data[0] < 4 else f"other {data[0]}", flush=True)
    bare = b"\x01\x01\x00\x00" + data[4:20]
    signed = b"\x01\x01\x00\x24" + data[4:20] + b"\x00\x1c\x00\x20" + os.urandom(32)
    for answer in (data, bare, signed, b"\x40" + os.urandom(1199)):
        udp.sendto(answer, source)
PYTHON
ip -n nat1 addr add 10.0.0.3/24 dev in
in_ns nat1 nft -f - <<-'NFT'
	table ip hostile {
		chain prerouting {
			type nat hook prerouting priority dstnat - 1
			iifname "in" ip daddr 10.0.0.3 meta l4proto { tcp, udp } dnat to 10.0.0.3:4000
		}
	}
NFT
spawn_in nat1 "$TEST_TMP/hostile.log" python3 "$TEST_TMP/hostile.py"
wait_udp nat1 4000

# bob_blocks: bob's network drops what it sends to alice; so only the hostile host answers her
bob_blocks()
{
	in_ns in2 nft -f - <<-'NFT'
		table inet block {
			chain output {
				type filter hook output priority 0
				ip daddr 198.51.100.1 drop
			}
			chain input {
				type filter hook input priority 0
				ip saddr 198.51.100.1 drop
			}
		}
	NFT
}

# checked COUNT: has the hostile host received as many datagrams?
checked()
{
	[ "$(wc -l <"$TEST_TMP/hostile.log")" -ge "$1" ]
}

say "a hostile host at the private address of the other peer"
bob_blocks
peer_run in2 bob --peer-key "alice=$(public alice)" --peer-key "carol=$(public carol)" --expose tcp:127.0.0.1:7
bob=$SPAWNED
peer_connect in1 alice --peer-key "bob=$(public bob)" --to bob --listen tcp:127.0.0.1:7000
alice=$SPAWNED
wait_log "$TEST_TMP/alice.log" 'msg="connected" peer=bob'
wait_until 30 checked 5
want_equal "$(echo hello | in_ns in1 socat -t 20 - TCP:127.0.0.1:7000)" hello
want_equal "$(json "[p['kind'] for p in d['peers'][0]['paths']]" sluice -j peer list --id alice)" "['relayed']"
want_equal "$(json "{(c['state'] in ('checked', 'failed'), c['answers']) for c in d['peers'][0]['paths'][0]['candidates']
	if c['address'].startswith('10.0.0.3:')}" sluice -j peer list --id alice)" "{(True, 0)}"
in_ns in2 nft delete table inet block
stop "$alice"
peer_connect in1 alice --peer-key "bob=$(public bob)" --to bob --listen tcp:127.0.0.1:7000
alice=$SPAWNED
wait_until 30 peer_is_direct alice
in_ns in1 python3 "$ROOT/tests/net/lib/transfer.py" 7000 1000000
! grep -F 'msg="path"' "$TEST_TMP/alice.log" | contains -F 10.0.0.3 || fail "$(cat "$TEST_TMP/alice.log")"
want_equal "$(grep -cvx stun "$TEST_TMP/hostile.log" || true)" 0 "datagrams to the hostile host besides checks"
stop "$alice"

say "candidates that name a victim: the server refuses those that cannot be the peer's own"
in_ns nat2 nft -f - <<-NFT
	table inet victim {
		counter checks {
		}
		chain input {
			type filter hook input priority 0
			ip daddr $VICTIM udp dport 4000-4006 counter name checks drop
		}
	}
NFT
# at_victim: prints the number of packets that the victim has received
at_victim()
{
	in_ns nat2 nft list counter inet victim checks | sed -n 's/.*packets \([0-9]*\) .*/\1/p'
}

hit()
{
	[ "$(at_victim)" -gt 0 ]
}

PYTHONPATH=$ROOT/tests/net/lib in_ns in1 python3 -B - "$PEER4" "$VICTIM" "$(public server)" "$TEST_TMP/carol.key" <<'PYTHON'
import os
import sys

from rendezvous import *

server, victim, public, key = sys.argv[1:]
carol = Peer("carol", open(key).read().strip(), public, (server, 3478))
for host, port in (("203.0.113.3", 4000), (victim, 53), ("127.0.0.1", 4000), ("169.254.169.254", 4000),
                   ("224.0.0.251", 5353)):
    assert carol.register([(host, port)]).error() == 403, host
assert carol.register([(victim, port) for port in range(4000, 4007)]).kind == SUCCESS
answer = carol.transact(CONNECT, [(PEER_NAME, b"bob"), (EPHEMERAL, public_of(os.urandom(32)))])
assert answer.kind == SUCCESS, answer.error()
PYTHON
wait_until 20 hit
# an address without an answer gets at most 24 checks
wait_log "$TEST_TMP/bob.log" 'msg="disconnected" peer=carol'
[ "$(at_victim)" -le $((7 * 24)) ] || fail "the victim has received $(at_victim) packets"

say "a hostile server swaps the keys"
stop "$bob"
real=$(public bob)
mv "$TEST_TMP/bob.key" "$TEST_TMP/real.key"
cp "$TEST_TMP/dave.key" "$TEST_TMP/bob.key"
sed -i "s,^bob .*,bob $(public dave)," /mnt/peers
stop "$RENDEZVOUS"
server_start
peer_run in2 bob --trust-server --expose tcp:127.0.0.1:7
BOB=$SPAWNED
identity alice
want_status 4 in_ns in1 "$SLUICE" peer connect "${IDENTITY[@]}" --peer-key "bob=$real" --to bob --stdio </dev/null
want_text "bob: "
peer_connect in1 alice --trust-server --to bob --listen tcp:127.0.0.1:7000
wait_log "$TEST_TMP/alice.log" 'msg="connected" peer=bob'
want_equal "$(json "[p['trust'] for p in d['peers'][0]['paths']]" sluice -j peer list --id alice)" "['server']"
stop "$SPAWNED"

say "and poses as alice"
stop "$BOB"
sed -i "s,^alice .*,alice $(public dave),; s,^bob .*,bob $real," /mnt/peers
stop "$RENDEZVOUS"
server_start
alice=$(public alice)
cp "$TEST_TMP/real.key" "$TEST_TMP/bob.key"
cp "$TEST_TMP/dave.key" "$TEST_TMP/alice.key"
peer_run in2 bob --peer-key "alice=$alice" --expose tcp:127.0.0.1:7
identity alice
want_status 4 in_ns in1 "$SLUICE" peer connect "${IDENTITY[@]}" --peer-key "bob=$real" --to bob --stdio </dev/null
wait_log "$TEST_TMP/bob.log" 'msg="peer refused" peer=alice reason="not the known key"'
