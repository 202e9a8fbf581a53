#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# One client port sends requests to several addresses of a server, at once or in turn, and in bursts
# before the first reply. A right server stays right with any number of addresses. For other
# servers, two addresses are distinguished. Replies are left alone if there is a third address, or
# if the client also uses the address that the kernel replies from.
#
#   container ── docker0 172.17.0.1 [host: A, B, C] or s0 ── 10.8.0.5 [behind: A, B, C]
#
# takes long: many kinds of servers, each with one to three addresses
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

# Sends COUNT numbered requests to each address in turn from one port, and prints the source of each
# answer that does not come from the requested address.
cat >"$TEST_TMP/burst.py" <<'PYTHON'
import socket, sys

source, port, count, *addrs = sys.argv[1:]
s = socket.socket(socket.AF_INET6 if ":" in addrs[0] else socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("::" if ":" in addrs[0] else "0.0.0.0", int(source)))
s.settimeout(20)
for i in range(int(count)):
    for addr in addrs:
        s.sendto(f"{addr} {i}".encode(), (addr, int(port)))
for i in range(int(count) * len(addrs)):
    data, peer = s.recvfrom(100)
    if data.split()[0].decode() != peer[0]:
        print(data.decode(), "from", peer[0])
print("answered", flush=True)
PYTHON

# burst FROM COUNT ADDR…: runs burst.py with a server that holds its answers until all requests have
# arrived
burst()
{
	local from=$1 count=$2 client
	shift 2
	: >"$HELD_LOG"
	spawn_in "$CONTAINER" "$TEST_TMP/burst" python3 "$TEST_TMP/burst.py" "$from" "$HELD_PORT" \
		"$count" "$@"
	client=$SPAWNED
	wait_until 20 grep -q "^held $((count * $#))$" "$HELD_LOG"
	kill -USR1 "$HELD"
	wait "$client"
	cat "$TEST_TMP/burst"
}

# in_turn PORT FROM ADDR…: prints the outcome of each request
in_turn()
{
	local port=$1 from=$2 addr
	shift 2
	for addr in "$@"; do
		probe "$CONTAINER" --from "$from" "server=echo:$port" -- "$addr"
	done
}

# want_turns PORT FROM ADDR=OUTCOME…
want_turns()
{
	local port=$1 from=$2 pair
	shift 2
	want_equal "$(in_turn "$port" "$from" "${@%%=*}")" \
		"$(for pair in "$@"; do echo "${pair%%=*} server ${pair#*=}"; done)" "answers, port $from"
}

HELD_PORT=50040
topology_up
behind_up
forwarding 1
for subject in host behind; do
	subject "$subject"
	serve "$SUBJECT" dual6 "$PORT"
	serve "$SUBJECT" pktinfo6 "$RIGHT_PORT"
	serve "$SUBJECT" dual6 "$HELD_PORT" --hold
	HELD=$SPAWNED HELD_LOG=$LOG
	for family in 4 6; do
		[ "$family" = 4 ] && a=$A4 b=$B4 c=$C4 s=$S4
		[ "$family" = 6 ] && a=$A6 b=$B6 c=$C6 s=$S6

		say "$subject, IPv$family: without sluice"
		want_turns "$RIGHT_PORT" $((4100 + family)) "$a=right" "$b=right" "$c=right" "$s=right"
		want_turns "$PORT" $((4110 + family)) "$a=from $s" "$b=from $s" "$s=right"
		want_equal "$(burst $((4120 + family)) 1 "$a")" "$a 0 from $s"$'\n'answered

		say "$subject, IPv$family: loaded, a right server"
		"${LOAD[@]}"
		want_turns "$RIGHT_PORT" $((4100 + family)) "$a=right" "$b=right" "$c=right" "$s=right" \
			"$a=right" "$b=right" "$c=right"
		want_turns "$RIGHT_PORT" $((4200 + family)) "$s=right" "$a=right" "$c=right" "$s=right"
		say "two addresses in turn, and at once"
		want_turns "$PORT" $((4210 + family)) "$a=right" "$b=right" "$a=right" "$b=right"
		want_equal "$(burst $((4220 + family)) 1 "$a" "$b")" answered
		want_equal "$(burst $((4220 + family)) 1 "$b" "$a")" answered
		say "a burst before the first answer, and a second burst"
		want_equal "$(burst $((4230 + family)) 20 "$a")" answered
		want_equal "$(burst $((4230 + family)) 20 "$a")" answered
		say "left alone: a third address, and the kernel's reply source"
		want_turns "$PORT" $((4240 + family)) "$a=right" "$b=right" "$c=from $s" "$a=from $s"
		want_turns "$PORT" $((4250 + family)) "$a=right" "$s=right" "$a=from $s"
		want_turns "$PORT" $((4260 + family)) "$s=right" "$a=from $s"
		wire_unload

		say "$subject, IPv$family: unloaded"
		want_turns "$RIGHT_PORT" $((4300 + family)) "$a=right" "$b=right"
		want_turns "$PORT" $((4310 + family)) "$a=from $s"
	done

	if [ "$subject" = host ]; then
		say "a broadcast is answered from the address that the kernel chooses"
		serve "$HOST" sendto4 50050
		for load in true "${LOAD[*]}" wire_unload; do
			# shellcheck disable=SC2086 # words of a command
			$load
			ask "$CONTAINER" --to "$A4:50050" --from 172.17.0.3:4400 --any >/dev/null
			want_line "answered $NEAR4:50050 1" "$(ask "$CONTAINER" --to 172.17.255.255:50050 \
				--from 172.17.0.3:4400 --any --broadcast)"
		done
	fi
done
