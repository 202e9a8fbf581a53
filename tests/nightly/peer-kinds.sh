#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# All pairs of NAT kinds: the hosts have the same private address (except without a NAT). They
# connect directly if this is possible in theory, and otherwise through the relay. A symmetric NAT
# sends from a port that the other peer cannot know, so the filter of the other NAT must not depend
# on the port. peer-kinds.table, which README.md shows, has the results.
#
#   in1 [run]      ── nat1 ───┐
#   …                         │
#   in9 [connect]  ── nat9 ───┤── router ── peer [sluice rendezvous serve]
#   …                         │
#   in16 [connect] ── nat16 ──┘
. "$(dirname "$0")/../net/lib/lib.sh"
. "$(dirname "$0")/../net/lib/peer.sh"

# Kinds that admit only the exact address and port to which the host has sent.
STRICT=" firewall address-and-port-dependent address-dependent-mapping symmetric "

# allowed KIND KIND: returns true if a direct path is possible in theory
allowed()
{
	[[ $1 != symmetric || $STRICT != *" $2 "* ]] && [[ $2 != symmetric || $STRICT != *" $1 "* ]]
}

count=${#LAB_KINDS[@]}
names=()
for ((i = 0; i < count; i++)); do
	names+=("run$i" "connect$i")
done
peers_server "${names[@]}"
for ((i = 0; i < count; i++)); do
	peers_nat "$((i + 1))" "${LAB_KINDS[i]}" 30
	peers_nat "$((count + i + 1))" "${LAB_KINDS[i]}" 30
	spawn_in "in$((i + 1))" /dev/null socat -t 60 TCP-LISTEN:7,bind=127.0.0.1,fork,reuseaddr EXEC:cat
done
wait_link "$ROUTER" outside
for ((i = 0; i < count; i++)); do
	peer_run "in$((i + 1))" "run$i" --trust-server --expose tcp:127.0.0.1:7
done

# connect NUMBER NUMBER OPTION…: prints the answer of the other host, or the error
connect()
{
	local from=$1 to=$2
	shift 2
	identity "connect$from"
	echo hello | in_ns "in$((count + from + 1))" timeout 60 "$SLUICE" peer connect "${IDENTITY[@]}" \
		--trust-server --to "run$to" --stdio "$@" 2>&1 || true
}

# connect_all NUMBER: connects the host behind one NAT to the hosts behind NATs of all kinds. Prints
# both kinds and the result, and unexpected results to the standard error
connect_all()
{
	local from=${LAB_KINDS[$1]} to got outcome j
	for ((j = 0; j < count; j++)); do
		to=${LAB_KINDS[j]} outcome=direct
		got=$(connect "$1" "$j" --direct-only)
		if allowed "$from" "$to"; then
			[ "$got" = hello ] || echo "$from to $to is not connected: $got" >&2
		else
			[[ $got == *"no path was found"* ]] || echo "$from to $to: $got" >&2
			outcome=relayed
			got=$(connect "$1" "$j")
			[ "$got" = hello ] || echo "$from to $to is not relayed: $got" >&2
		fi
		echo "$from $to $outcome"
	done
}

pids=()
for ((i = 0; i < count; i++)); do
	connect_all "$i" >"$TEST_TMP/found.$i" 2>"$TEST_TMP/unexpected.$i" &
	pids+=("$!")
done
wait "${pids[@]}"
want_equal "$(cat "$TEST_TMP"/unexpected.*)" ""
cat "$TEST_TMP"/found.* | python3 "$ROOT/tests/net/lib/pairs.py" >"$TEST_TMP/table"
want_equal "$(cat "$TEST_TMP/table")" "$(cat "$ROOT/tests/nightly/peer-kinds.table")" "peer-kinds.table"
