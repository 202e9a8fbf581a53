#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A server replies to a port that the request did not come from: SIP servers to the port in Via,
# DHCP servers to port 67 of a relay. By default sluice leaves such a datagram alone, and mode audit
# reports it. --any-peer-port fixes it.
#
#   container:4000 asks 172.16.13.13, listens on 5060 ── docker0 172.17.0.1 [host: wildcard server]
. "$(dirname "$0")/../lib/lib.sh"

cat >"$TEST_TMP/via.py" <<'PYTHON'
import socket, sys

family = socket.AF_INET6 if sys.argv[1] == "6" else socket.AF_INET
s = socket.socket(family, socket.SOCK_DGRAM)
if family == socket.AF_INET6:
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
s.bind(("", int(sys.argv[2])))
while True:
    data, peer = s.recvfrom(2048)
    s.sendto(data, (peer[0], int(data)))
PYTHON
cat >"$TEST_TMP/client.py" <<'PYTHON'
import socket, sys

target, port = sys.argv[1], int(sys.argv[2])
family = socket.AF_INET6 if ":" in target else socket.AF_INET
asking, listening = (socket.socket(family, socket.SOCK_DGRAM) for i in range(2))
asking.bind(("", 0))
listening.bind(("", 5060))
listening.settimeout(10)
asking.sendto(b"5060", (target, port))
print(listening.recvfrom(2048)[1][0])
PYTHON

# source_of ADDR: prints the source of the answer to a request of CONTAINER to ADDR
source_of()
{
	in_ns "$CONTAINER" python3 "$TEST_TMP/client.py" "$1" "$PORT"
}

# ask_all WANTED4 WANTED6: compares the sources of the answers to requests to FAR4 and FAR6
ask_all()
{
	want_equal "$(source_of "$FAR4")" "$1"
	want_equal "$(source_of "$FAR6")" "$2"
	want_equal "$(source_of "$NEAR4")" "$NEAR4"
}

topology_up
for family in 4 6; do
	spawn_in "$HOST" "$TEST_TMP/via$family.log" python3 "$TEST_TMP/via.py" "$family" "$PORT"
done
wait_until 10 in_ns "$HOST" grep -q "$(printf ':%04X ' "$PORT")" /proc/net/udp
wait_until 10 in_ns "$HOST" grep -q "$(printf ':%04X ' "$PORT")" /proc/net/udp6

say "without sluice"
ask_all "$NEAR4" "$NEAR6"
say "loaded: unchanged"
reply_load
ask_all "$NEAR4" "$NEAR6"
want_equal "$(counter left_no_flow)" 3
want_equal "$(counter fixed_other_port)" 0

say "audit reports it, and counts no wrong reply"
sluice reply load --mode audit --cgroup "$TEST_CGROUP"
ask_all "$NEAR4" "$NEAR6"
want_equal "$(counter audit_other_port)" 2
want_equal "$(counter audit_wrong)" 0
want_equal "$(json "sorted((row['other_port'], row['other_port_example']['peer_port'],
	row['other_port_example']['requested'], row['other_port_example']['reply_source'])
	for row in d['sockets'])" sluice -j reply audit)" \
	"[(1, 5060, '$FAR4', '$NEAR4'), (1, 5060, '$FAR6', '$NEAR6')]"
want_equal "$(json "d['other_port']" sluice -j reply audit)" 2
want_status 0 sluice reply audit
want_text "2 datagrams went to a port that the peer had not sent from"
want_text "--any-peer-port"

say "fixed with --any-peer-port"
reply_load --any-peer-port
ask_all "$FAR4" "$FAR6"
want_equal "$(counter fixed_other_port)" 3
want_equal "$(json "d['reply']['any_peer_port']" sluice -j reply show)" True
want_status 0 sluice reply flows
want_text "172.17.0.3, any port"
want_status 0 sluice reply load --mode socket --cgroup "$TEST_CGROUP"
want_text "any-peer-port"
ask_all "$NEAR4" "$NEAR6"

say "the option is only for mode socket"
for mode in audit wire; do
	want_status 2 sluice reply load --mode "$mode" --any-peer-port --cgroup "$TEST_CGROUP"
	want_text "--any-peer-port is for --mode socket"
done
sluice reply unload
ask_all "$NEAR4" "$NEAR6"
