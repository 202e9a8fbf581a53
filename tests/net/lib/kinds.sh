# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# All pairs of NAT kinds, for the nightly tests of peers. Source it after peer.sh. Each job punches
# one pair, and has NATs of its own: a NAT that assigns ports in order must not be busy.
#
#   in1 [run]     ── nat1 ──┐
#   in2 [connect] ── nat2 ──┤── router ── peer [sluice rendezvous serve]
#   in3 [run]     ── nat3 ──┤
#   …                       │

# Kinds that admit only the exact address and port to which the host has sent. A symmetric NAT sends
# from a port that the server does not see.
STRICT=" firewall address-and-port-dependent address-dependent-mapping symmetric symmetric-sequential "
SYMMETRIC=" symmetric symmetric-sequential "
# Jobs that are to end on the relay mostly wait for the end of a search, so each such pair has several,
# and more of them run at once. All jobs together have 253 outside addresses, and each running job takes
# 12 of the 1024 entries of the kernel's table of neighbours, which is common to all namespaces.
PARTS=3 RELAYED=48 DIRECT=16

# kinds_theory KIND KIND TRANSPORT: prints what is possible in theory: a direct path, or the relay. If
# neither NAT is symmetric, both peers know the port of the other one. If one NAT is symmetric, the
# filter of the other NAT must not depend on the port, or the port must be predicted: by UDP alone,
# and only if this other NAT is not symmetric.
kinds_theory()
{
	local one=$1 other=$2

	[[ $SYMMETRIC != *" $one "* ]] || set -- "$other" "$one" "$3"
	if [[ $SYMMETRIC != *" $2 "* || $STRICT != *" $1 "* ]]; then
		echo direct
	elif [[ $2 == symmetric-sequential && $SYMMETRIC != *" $1 "* && $3 == udp ]]; then
		echo direct
	else
		echo relayed
	fi
}

# kinds_plan TRANSPORT KIND KIND COUNT: prints jobs that punch a pair COUNT times, as lines "TRANSPORT
# KIND KIND OUTCOME COUNT". The peer behind the first NAT connects.
kinds_plan()
{
	local outcome parts=1 part

	outcome=$(kinds_theory "$2" "$3" "$1")
	[ "$outcome" = direct ] || parts=$(($4 < PARTS ? $4 : PARTS))
	for ((part = 0; part < parts; part++)); do
		echo "$1 $2 $3 $outcome $((($4 + part) / parts))"
	done
}

# kinds_plan_all TRANSPORT COUNT: prints the jobs for all pairs
kinds_plan_all()
{
	local from to

	for from in "${LAB_KINDS[@]}"; do
		for to in "${LAB_KINDS[@]}"; do
			kinds_plan "$1" "$from" "$to" "$2"
		done
	done
}

# kinds_job NUMBER TRANSPORT KIND KIND OUTCOME COUNT: adds two NATs, punches them COUNT times, and
# removes them. PUNCHED/NUMBER gets "TRANSPORT KIND KIND OUTCOME" of each punch, and PUNCHED/NUMBER.log
# the logs of punches with a different OUTCOME
kinds_job()
{
	local to=$((2 * $1 + 1)) from=$((2 * $1 + 2)) number

	LAB_REFUSAL=${RUN_REFUSAL:-drop} peers_nat "$to" "$4" 30
	peers_nat "$from" "$3" 30
	wait_link "$ROUTER" outside
	in_ns "in$to" python3 -B "$ROOT/tests/net/lib/punch.py" "$to" "$from" "$5" "$6" "$2" \
		"$PEER4:3478" "$SERVER_KEY" 2>"$PUNCHED/$1.log" | sed "s/^/$2 $3 $4 /" >"$PUNCHED/$1"
	for number in "$to" "$from"; do
		ip netns del "in$number"
		ip netns del "nat$number"
	done
}

# kinds_jobs OUTCOME LIMIT: runs the jobs with this OUTCOME, at most LIMIT at once
kinds_jobs()
{
	local running=0 number job

	for number in "${!JOBS[@]}"; do
		read -ra job <<<"${JOBS[number]}"
		[ "${job[3]}" = "$1" ] || continue
		if [ "$running" = "$2" ]; then
			wait -n
			running=$((running - 1))
		fi
		kinds_job "$number" "${job[@]}" &
		running=$((running + 1))
	done
	for ((; running > 0; running--)); do
		wait -n
	done
}

# kinds_logs: prints the logs of punches with a different outcome
kinds_logs()
{
	cat "$PUNCHED"/*.log | tail -n 300
}

# kinds_punch FOUND: runs the jobs in its input, and wants their outcomes from 99 of 100 punches of each
# pair. FOUND gets the outcome of each pair. RUN_REFUSAL is LAB_REFUSAL of the NATs of the peers that run.
kinds_punch()
{
	local names=() number relayed direct

	mapfile -t JOBS
	for number in "${!JOBS[@]}"; do
		names+=("run$((2 * number + 1))" "connect$((2 * number + 2))")
	done
	peers_server "${names[@]}"
	PUNCHED=$TEST_TMP/punched SERVER_KEY=$(public server)
	mkdir "$PUNCHED"
	export SLUICE
	kinds_jobs relayed "$RELAYED" &
	relayed=$!
	kinds_jobs direct "$DIRECT" &
	direct=$!
	wait "$direct" || fail "$(kinds_logs)"
	wait "$relayed" || fail "$(kinds_logs)"
	printf '%s\n' "${JOBS[@]}" >"$TEST_TMP/plan"
	for number in "${!JOBS[@]}"; do
		cat "$PUNCHED/$number"
	done | python3 "$ROOT/tests/net/lib/punched.py" "$TEST_TMP/plan" >"$1" ||
		fail "$(kinds_logs)"
	kinds_logs
}

# kinds_punch_all TRANSPORT COUNT TABLE: punches all pairs; the file TABLE shows their outcomes
kinds_punch_all()
{
	kinds_plan_all "$1" "$2" | kinds_punch "$TEST_TMP/found"
	want_equal "$(python3 "$ROOT/tests/net/lib/pairs.py" <"$TEST_TMP/found")" \
		"$(cat "$ROOT/tests/nightly/$3")" "$3"
}
