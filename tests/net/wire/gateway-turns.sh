#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Gateway mode with a client port that changes from one of the server's addresses to the other. Each
# request reaches its destination address, also if the earlier address is down. If requests were
# rewritten to the server's reply source and that address goes down, they go to the requested
# address again. If a client uses both addresses in turn, as ntpd does, a late answer from the first
# keeps its source.
#
#   client 172.17.0.3 ── docker0 [HOST] s0 10.8.0.254 ── 10.8.0.5 [a server each, or one] 10.20.0.5
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

BEHIND=${TOPOLOGY_PREFIX:-}behind
B1=10.20.0.5 B2=10.8.0.5

# ask_once ADDR [OPTION…]
ask_once()
{
	ask "$CONTAINER" --from 172.17.0.3:4000 --to "$1:$PORT" "${@:2}"
}

# want_answer ADDR: waits for an answer, however long it takes
want_answer()
{
	want_line "sent 1 right 1 wrong 0 refused 0 lost 0 corrupt 0" "$(ask_once "$1")"
}

# want_none ADDR
want_none()
{
	want_line "sent 1 right 0 wrong 0 refused 0 lost 1 corrupt 0" "$(ask_once "$1" --timeout-ms 300)"
}

is_answered()
{
	in_ns "$CONTAINER" "$CLIENT" --from 172.17.0.3:4000 --to "$1:$PORT" --timeout-ms 300
}

topology_up
netns_add "$BEHIND"
ip -n "$HOST" link add s0 type veth peer name eth0 netns "$BEHIND"
link_up "$HOST" s0
link_up "$BEHIND" eth0
addr_add "$HOST" s0 10.8.0.254/24
addr_add "$BEHIND" eth0 "$B2/24"
addr_add "$BEHIND" eth0 "$B1/32"
ip -n "$BEHIND" route add default via 10.8.0.254 src "$B2"
ip -n "$HOST" route add "$B1" dev s0
forwarding 1
wait_link "$HOST" s0
# no ICMP errors for a port without a socket, as if the host were down
in_ns "$BEHIND" nft -f - <<-'NFT'
	table ip quiet {
		chain output {
			type filter hook output priority filter
			icmp type destination-unreachable drop
		}
	}
NFT

serve "$BEHIND" sendto4 "$PORT" --bind "$B1"
first=$SPAWNED
serve "$BEHIND" sendto4 "$PORT" --bind "$B2"
second=$SPAWNED

say "a server on each address"
wire_load --gateway s0 --server "$B1,$B2"
for addr in "$B1" "$B2" "$B1" "$B2"; do
	want_answer "$addr"
done
say "the earlier address is down"
stop "$second"
want_none "$B2"
want_answer "$B1"
serve "$BEHIND" sendto4 "$PORT" --bind "$B2"
second=$SPAWNED
stop "$first"
want_none "$B1"
want_answer "$B2"
stop "$second"
wire_unload

say "a request to the other address before the first has answered"
cat >"$TEST_TMP/late.py" <<'PYTHON'
import os, signal, socket, sys, time

first, second, port, pid, log = sys.argv[1:]
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("172.17.0.3", 4001))
s.settimeout(10)
s.sendto(b"hello", (first, int(port)))
while "held" not in open(log).read():
    time.sleep(0.01)
s.sendto(b"hello", (second, int(port)))
print(s.recvfrom(64)[1][0])
os.kill(int(pid), signal.SIGUSR1)
print(s.recvfrom(64)[1][0])
PYTHON
serve "$BEHIND" dual6 "$PORT" --bind "::ffff:$B1" --hold
first=$SPAWNED log=$LOG
serve "$BEHIND" sendto4 "$PORT" --bind "$B2"
second=$SPAWNED
wire_load --gateway s0 --server "$B1,$B2"
want_equal "$(in_ns "$CONTAINER" python3 "$TEST_TMP/late.py" "$B1" "$B2" "$PORT" "$first" "$log")" \
	"$B2"$'\n'"$B1" "answers of $B2 and $B1"
stop "$first"
stop "$second"
wire_unload

say "one server on both addresses, used at $B1 and then at $B2"
wire_load --gateway s0 --server "$B1,$B2"
serve "$BEHIND" sendto4 "$PORT"
want_answer "$B1"
want_answer "$B1"
want_equal "$(wire_counter request_rewritten)" 1 "rewritten requests"
want_answer "$B2"
want_equal "$(wire_counter request_rewritten)" 1 "rewritten requests"
wire_unload

say "requests are rewritten to $B2, which then goes down"
wire_load --gateway s0 --server "$B1,$B2"
want_answer "$B1"
want_answer "$B1"
want_equal "$(wire_counter request_rewritten)" 1 "rewritten requests"
ip -n "$BEHIND" addr flush dev eth0
addr_add "$BEHIND" eth0 "$B1/32"
ip -n "$BEHIND" route add 10.8.0.254 dev eth0
ip -n "$BEHIND" route add default via 10.8.0.254 src "$B1"
want_none "$B1"
wait_until 20 is_answered "$B1"
say "and this does not change again"
want_answer "$B1"
no_errors "$LOG"
