#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# TPROXY delivers datagrams for any address to a socket of this host. Such an address is not local,
# so the kernel chooses the source of a plain reply, as without sluice, and no search of the devices
# is repeated. A transparent proxy, which replies from the address that the client sent to, stays
# right in every mode.
#
#   container asks 10.66.0.1 ── docker0 172.17.0.1 [host: tproxy to a proxy, or a wildcard server]
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

# Replies through the socket that has received the request, or through one bound to its address and
# port.
cat >"$TEST_TMP/proxy.py" <<'PYTHON'
import socket, struct, sys

how, six, port = sys.argv[1], sys.argv[2] == "6", int(sys.argv[3])
# IP_TRANSPARENT, IP_RECVORIGDSTADDR; IPV6_TRANSPARENT, IPV6_RECVORIGDSTADDR
level, transparent, origdst = (41, 75, 74) if six else (0, 19, 20)

def opened(addr, port):
    s = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
    if six:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    s.setsockopt(level, transparent, 1)
    s.bind((addr, port))
    return s

receiver = opened("", port)
if how == "proxy":
    receiver.setsockopt(level, origdst, 1)
while True:
    data, control, _, peer = receiver.recvmsg(2048, 128)
    if how == "plain":
        receiver.sendto(data, peer)
        continue
    name = control[0][2]
    addr = socket.inet_ntop(socket.AF_INET6, name[8:24]) if six else socket.inet_ntoa(name[4:8])
    with opened(addr, struct.unpack("!H", name[2:4])[0]) as sender:
        sender.sendto(data, peer)
PYTHON

topology_up
# the bridge would run the chain first, and the socket would then be lost
bridge_netfilter 0
in_ns "$HOST" nft -f - <<-'NFT'
	table inet transparent {
		chain prerouting {
			type filter hook prerouting priority mangle
			ip daddr 10.66.0.1 udp dport 53 tproxy ip to :5300 meta mark set 1 accept
			ip daddr 10.66.0.1 udp dport 54 tproxy ip to :5301 meta mark set 1 accept
			ip6 daddr fd66::1 udp dport 53 tproxy ip6 to :5300 meta mark set 1 accept
			ip6 daddr fd66::1 udp dport 54 tproxy ip6 to :5301 meta mark set 1 accept
		}
	}
NFT
ip -n "$HOST" rule add fwmark 1 lookup 100
ip -n "$HOST" route add local 0.0.0.0/0 dev lo table 100
ip -n "$HOST" -6 rule add fwmark 1 lookup 100
ip -n "$HOST" -6 route add local ::/0 dev lo table 100
for family in 4 6; do
	spawn_in "$HOST" "$TEST_TMP/proxy$family.log" python3 "$TEST_TMP/proxy.py" proxy $family 5300
	spawn_in "$HOST" "$TEST_TMP/plain$family.log" python3 "$TEST_TMP/proxy.py" plain $family 5301
done
for table in udp udp6; do
	for port in 5300 5301; do
		wait_until 10 in_ns "$HOST" grep -q "$(printf ':%04X ' $port)" /proc/net/$table
	done
done

# want_kernel: checks the answers, which no mode changes
want_kernel()
{
	want_right "$CONTAINER" 10.66.0.1 53
	want_right "$CONTAINER" fd66::1 53
	want_line "answered $NEAR4:5301 3" "$(ask "$CONTAINER" --any --to 10.66.0.1:54 --count 3)"
	want_line "answered [$NEAR6]:5301 3" "$(ask "$CONTAINER" --any --to '[fd66::1]:54' --count 3)"
}

say "without sluice"
want_kernel
say "mode socket"
reply_load
want_kernel
want_equal "$(counter skipped_not_own)" 12 "datagrams to the address"
want_equal "$(counter learned)" 0 "learned"
# a search stores its result, so each address and namespace has one
want_equal "$(bpftool -j map dump pinned "$PINS/reply/sluice_locals" |
	python3 -c 'import json, sys; print(len(json.load(sys.stdin)))')" 2 "results of searches"
say "mode wire as well"
wire_load --follow docker0
want_kernel
want_equal "$(wire_counter reply_rewritten)" 0 "replies rewritten"
sluice reply unload --mode socket
say "mode wire"
want_kernel
want_equal "$(wire_counter reply_rewritten)" 0 "replies rewritten"
wire_unload
say "unloaded"
want_kernel
