#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Each kind of NAT against each kind: hosts that all have the same private address (except without a
# NAT) connect directly as far as theory allows, and else through the relay. A symmetric NAT sends
# from a port that the other peer cannot know; so the filter of the other NAT must not look at the
# port. peer-kinds.table, which README.md shows, is what this test has found.
#
#   in1 [run]      ── nat1 ───┐
#   …                         │
#   in9 [connect]  ── nat9 ───┤── router ── peer [sluice rendezvous serve]
#   …                         │
#   in16 [connect] ── nat16 ──┘
. "$(dirname "$0")/../net/lib/lib.sh"
. "$(dirname "$0")/../net/lib/peer.sh"

# Those that admit only the exact address and port that was sent to.
STRICT=" firewall address-and-port-dependent address-dependent-mapping symmetric "

# allowed KIND KIND: does theory allow a direct path?
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

# connect NUMBER NUMBER OPTION…: prints what the other host sends back, or the error
connect()
{
	local from=$1 to=$2
	shift 2
	identity "connect$from"
	echo hello | in_ns "in$((count + from + 1))" timeout 60 "$SLUICE" peer connect "${IDENTITY[@]}" \
		--trust-server --to "run$to" --stdio "$@" 2>&1 || true
}

# connect_all NUMBER: connects the host behind one NAT to those behind all kinds; prints each kind and
# how it was reached, and to the standard error what is unexpected
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
