#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A server sends first, from an address of its choice or the kernel's, behind a strict firewall that
# accepts only packets of known connections. The peer's replies reach the address that the server
# used. A server that keeps sending to a peer after its request sends from the requested address.
#
#   container: echo on 4000 ── veth3 ═ docker0 172.17.0.1 [firewall; host: *:56789] eth0 172.16.13.13
#                                        or s0 ── [behind: *:56789]
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

# From the container, accepts only packets of connections that the server has started.
strict()
{
	in_ns "$HOST" nft -f - <<-'NFT'
		table inet strict {
			chain input {
				type filter hook input priority filter; policy drop
				meta l4proto { 1, 58 } accept
				ct state established,related accept
			}
			chain forward {
				type filter hook forward priority filter; policy drop
				meta l4proto 58 accept
				iifname s0 accept
				ct state established,related accept
			}
			chain output {
				type filter hook output priority filter
				ct state invalid drop
			}
		}
	NFT
}

# speak.py HOW SOURCE PEER PORT COUNT: sends COUNT datagrams to PEER's port 4000, and prints the
# number of answers. HOW is `pktinfo` (the socket names the source of each datagram), `bind` (a
# socket that is bound to the source sends and is closed before the answer arrives), `kernel` or
# `connect` (the kernel chooses).
cat >"$TEST_TMP/speak.py" <<'PYTHON'
import socket, sys

how, source, peer, port, count = sys.argv[1:]
six = ":" in peer
family = socket.AF_INET6 if six else socket.AF_INET

def open_socket(addr):
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((addr, int(port)))
    s.settimeout(10)
    return s

def control():
    addr = socket.inet_pton(family, source)
    if six:
        return [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, addr + b"\0" * 4)]
    return [(socket.IPPROTO_IP, 8, b"\0" * 4 + addr + b"\0" * 4)] # ip(7): IP_PKTINFO, ipi_spec_dst

s = open_socket("::" if six else "0.0.0.0")
if how == "connect":
    s.connect((peer, 4000))
answers = 0
for i in range(int(count)):
    if how == "pktinfo":
        s.sendmsg([b"hello"], control(), 0, (peer, 4000))
    elif how == "bind":
        other = open_socket(source)
        other.sendto(b"hello", (peer, 4000))
        other.close()
        print("closed", flush=True)
    elif how == "connect":
        s.send(b"hello")
    else:
        s.sendto(b"hello", (peer, 4000))
    try:
        answers += s.recvfrom(2048)[1][0] == peer
    except TimeoutError:
        pass
print(answers)
PYTHON

# speak HOW SOURCE PEER COUNT
speak()
{
	in_ns "$SUBJECT" python3 "$TEST_TMP/speak.py" "$1" "$2" "$3" "$PORT" "$4"
}

# speak_closed SOURCE PEER: prints the number of answers at the wildcard socket after the bound
# socket was closed
speak_closed()
{
	: >"$HELD_LOG"
	rm -f "$TEST_TMP/closed"
	spawn_in "$SUBJECT" "$TEST_TMP/closed" python3 "$TEST_TMP/speak.py" bind "$1" "$2" "$PORT" 1
	local speaker=$SPAWNED
	wait_until 10 grep -q '^held' "$HELD_LOG"
	wait_until 10 grep -q closed "$TEST_TMP/closed"
	kill -USR1 "$HELD"
	wait "$speaker"
	tail -1 "$TEST_TMP/closed"
}

# want_spoken: checks that each way of sending first gets its answers, in both families
want_spoken()
{
	local pair from to held
	for pair in "$A4 172.17.0.3 172.17.0.4" "$A6 fd17::3 fd17::4"; do
		read -r from to held <<<"$pair"
		conntrack_flush "$HOST"
		want_equal "$(speak pktinfo "$from" "$to" 3)" 3 "answers to $from"
		want_equal "$(conntrack_count "$HOST" 4000)" 1 "entries"
		want_equal "$(speak kernel any "$to" 3)" 3 "answers to the kernel's choice"
		want_equal "$(speak connect any "$to" 3)" 3 "answers to a connected socket"
		want_equal "$(speak_closed "$from" "$held")" 1 "answers at the other socket"
	done
}

topology_up second
behind_up
forwarding 1
bridge_netfilter 1
strict
serve "$CONTAINER" dual6 4000
serve "$CONTAINER2" dual6 4000 --hold
HELD=$SPAWNED HELD_LOG=$LOG
for subject in host behind; do
	subject "$subject"
	say "$subject: without sluice"
	want_spoken
	say "$subject: loaded"
	"${LOAD[@]}"
	want_spoken
	wire_unload
	say "$subject: unloaded"
	want_spoken
done
