#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A host sends first, from an address of its choice (IP_PKTINFO), behind a strict firewall that
# accepts only packets of known connections. The peer's answers must reach the address that the host
# used. A request to a wildcard socket is rewritten to the address that the kernel would choose;
# rewriting these answers in the same way would make the firewall drop them.
#
#   container: echo on 4000 ── veth3 ═ docker0 172.17.0.1 [firewall; host: *:56789] eth0 172.16.13.13
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

strict()
{
	in_ns "$HOST" nft -f - <<-NFT
		table inet strict {
			chain input {
				type filter hook input priority filter; policy drop
				meta l4proto { 1, 58 } accept
				ct state established,related accept
			}
			chain output {
				type filter hook output priority filter
				ct state invalid drop
			}
		}
	NFT
}

# Sends from a wildcard socket with an explicit source, and prints the number of answers. With
# `close`, another socket has bound the source address and is closed.
cat >"$TEST_TMP/speak.py" <<'PYTHON'
import socket, sys

source, peer, port, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
family = socket.AF_INET6 if ":" in source else socket.AF_INET
any_addr = "::" if family == socket.AF_INET6 else "0.0.0.0"

def open_socket(addr):
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((addr, port))
    s.settimeout(10)
    return s

def control():
    addr = socket.inet_pton(family, source)
    if family == socket.AF_INET6:
        return [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, addr + b"\0" * 4)]
    return [(socket.IPPROTO_IP, 8, b"\0" * 4 + addr + b"\0" * 4)] # ip(7): IP_PKTINFO, ipi_spec_dst

s = open_socket(any_addr)
answers = 0
for i in range(count):
    if sys.argv[5:] == ["close"]:
        other = open_socket(source)
        other.sendto(b"hello", (peer, 4000))
        other.close()
        print("closed", flush=True)
    else:
        s.sendmsg([b"hello"], control(), 0, (peer, 4000))
    try:
        answers += s.recvfrom(2048)[1][0] == peer
    except TimeoutError:
        pass
print(answers)
PYTHON

# speak SOURCE PEER COUNT [close]
speak()
{
	in_ns "$HOST" python3 "$TEST_TMP/speak.py" "$1" "$2" "$PORT" "${@:3}"
}

# speak_closed: prints the number of answers at the wildcard socket after the bound one was closed
speak_closed()
{
	: >"$LOG"
	spawn_in "$HOST" "$TEST_TMP/closed" python3 "$TEST_TMP/speak.py" "$FAR4" 172.17.0.4 \
		"$PORT" 1 close
	local speaker=$SPAWNED
	wait_until 10 grep -q '^held' "$LOG"
	wait_until 10 grep -q closed "$TEST_TMP/closed"
	kill -USR1 "$holder"
	wait "$speaker"
	tail -1 "$TEST_TMP/closed"
}

topology_up second
strict
serve "$CONTAINER" dual6 4000
serve "$CONTAINER2" dual6 4000 --hold
holder=$SPAWNED

say "the kernel alone"
want_equal "$(speak "$FAR4" 172.17.0.3 3)" 3 "answers"
want_equal "$(speak "$FAR6" fd17::3 3)" 3 "answers"
want_equal "$(speak_closed)" 1 "answers"

for switches in "1 0" "0 1"; do
	read -r forwarding netfilter <<<"$switches"
	say "loaded, forwarding $forwarding, bridge netfilter $netfilter"
	forwarding "$forwarding"
	bridge_netfilter "$netfilter"
	wire_load --follow docker0 >/dev/null
	for pair in "$FAR4 172.17.0.3" "$FAR6 fd17::3"; do
		read -r from to <<<"$pair"
		conntrack_flush "$HOST"
		want_equal "$(speak "$from" "$to" 3)" 3 "answers"
		want_one_entry 4000
	done
	want_equal "$(wire_counter host_first)" 2 "flows started by the host"
	wire_unload
done

say "by bind(2), from a socket that is closed when the answer arrives"
forwarding 1
wire_load --follow docker0
conntrack_flush "$HOST"
conntrack_flush "$HOST"
want_equal "$(speak_closed)" 1 "answers"
wire_unload

say "no flow is stored for the address that the kernel chooses, or for forwarded datagrams"
wire_load --follow docker0
want_equal "$(speak "$NEAR4" 172.17.0.3 2)" 2 "answers"
want_right "$HOST" 172.17.0.3 4000
want_right "$CONTAINER2" 172.17.0.3 4000
want_equal "$(wire_counter host_first)" 0 "flows started by the host"
