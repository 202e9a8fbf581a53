# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# All pairs of NAT kinds, for the nightly tests of peers. Source it after peer.sh.
#
#   in1 [run]      ── nat1 ───┐
#   …                         │
#   in9 [connect]  ── nat9 ───┤── router ── peer [sluice rendezvous serve]
#   …                         │
#   in16 [connect] ── nat16 ──┘

# Kinds that admit only the exact address and port to which the host has sent.
STRICT=" firewall address-and-port-dependent address-dependent-mapping symmetric "

# kinds_allowed KIND KIND: returns true if a direct path is possible in theory, by UDP and by TCP
kinds_allowed()
{
	[[ $1 != symmetric || $STRICT != *" $2 "* ]] && [[ $2 != symmetric || $STRICT != *" $1 "* ]]
}

# kinds_connect NUMBER NUMBER OPTION…: prints the answer of the other host, or the error
kinds_connect()
{
	local from=$1 to=$2
	shift 2
	identity "connect$from"
	echo hello | in_ns "in$((KINDS + from + 1))" timeout 60 "$SLUICE" peer connect "${IDENTITY[@]}" \
		--trust-server --to "run$to" --stdio "$@" 2>&1 || true
}

# kinds_connect_all NUMBER OPTION…: connects the host behind one NAT to the hosts behind NATs of all
# kinds. Prints both kinds and the result, and unexpected results to the standard error
kinds_connect_all()
{
	local number=$1 from=${LAB_KINDS[$1]} to got outcome j
	shift
	for ((j = 0; j < KINDS; j++)); do
		to=${LAB_KINDS[j]} outcome=direct
		got=$(kinds_connect "$number" "$j" "$@" --direct-only)
		if kinds_allowed "$from" "$to"; then
			[ "$got" = hello ] || echo "$from to $to is not connected: $got" >&2
		else
			[[ $got == *"no path was found"* ]] || echo "$from to $to: $got" >&2
			outcome=relayed
			got=$(kinds_connect "$number" "$j" "$@")
			[ "$got" = hello ] || echo "$from to $to is not relayed: $got" >&2
		fi
		echo "$from $to $outcome"
	done
}

# kinds_run OPTION…: connects all pairs, with these options for both peers, and wants the outcomes of
# theory, which peer-kinds.table has. RUN_REFUSAL is LAB_REFUSAL of the NATs of the peers that run.
kinds_run()
{
	local names=() pids=() i
	KINDS=${#LAB_KINDS[@]}
	for ((i = 0; i < KINDS; i++)); do
		names+=("run$i" "connect$i")
	done
	peers_server "${names[@]}"
	for ((i = 0; i < KINDS; i++)); do
		LAB_REFUSAL=${RUN_REFUSAL:-drop} peers_nat "$((i + 1))" "${LAB_KINDS[i]}" 30
		peers_nat "$((KINDS + i + 1))" "${LAB_KINDS[i]}" 30
		echo_start "in$((i + 1))"
	done
	wait_link "$ROUTER" outside
	for ((i = 0; i < KINDS; i++)); do
		peer_run "in$((i + 1))" "run$i" --trust-server --expose tcp:127.0.0.1:7 "$@"
	done
	for ((i = 0; i < KINDS; i++)); do
		kinds_connect_all "$i" "$@" >"$TEST_TMP/found.$i" 2>"$TEST_TMP/unexpected.$i" &
		pids+=("$!")
	done
	wait "${pids[@]}"
	want_equal "$(cat "$TEST_TMP"/unexpected.*)" ""
	cat "$TEST_TMP"/found.* | python3 "$ROOT/tests/net/lib/pairs.py" >"$TEST_TMP/table"
	want_equal "$(cat "$TEST_TMP/table")" "$(cat "$ROOT/tests/nightly/peer-kinds.table")" \
		"peer-kinds.table"
}
