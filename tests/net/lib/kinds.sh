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
# and more of them run at once. The outside network has addresses for 126 jobs, and the kernel's table of
# neighbours has entries for about 100 at once.
PARTS=3 RELAYED=48 DIRECT=$(($(nproc) < 6 ? 8 * $(nproc) : 48))

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

# kinds_plan COUNT TRANSPORT: prints the jobs, "KIND KIND OUTCOME COUNT", so that each pair is punched
# COUNT times. The peer behind the first NAT connects.
kinds_plan()
{
	local from to outcome part parts

	for from in "${LAB_KINDS[@]}"; do
		for to in "${LAB_KINDS[@]}"; do
			outcome=$(kinds_theory "$from" "$to" "$2")
			parts=1
			[ "$outcome" = direct ] || parts=$(($1 < PARTS ? $1 : PARTS))
			for ((part = 0; part < parts; part++)); do
				echo "$from $to $outcome $((($1 + part) / parts))"
			done
		done
	done
}

# kinds_job NUMBER TRANSPORT KIND KIND OUTCOME COUNT: adds two NATs, punches them COUNT times, and
# removes them. PUNCHED/NUMBER gets "KIND KIND OUTCOME" of each punch, and PUNCHED/NUMBER.log the logs
# of punches with a different OUTCOME
kinds_job()
{
	local to=$((2 * $1 + 1)) from=$((2 * $1 + 2)) number

	LAB_REFUSAL=${RUN_REFUSAL:-drop} peers_nat "$to" "$4" 30
	peers_nat "$from" "$3" 30
	wait_link "$ROUTER" outside
	in_ns "in$to" python3 -B "$ROOT/tests/net/lib/punch.py" "$to" "$from" "$5" "$6" "$2" \
		"$PEER4:3478" "$SERVER_KEY" 2>"$PUNCHED/$1.log" | sed "s/^/$3 $4 /" >"$PUNCHED/$1"
	for number in "$to" "$from"; do
		ip netns del "in$number"
		ip netns del "nat$number"
	done
}

# kinds_jobs OUTCOME LIMIT TRANSPORT: runs the jobs with this OUTCOME, at most LIMIT at once
kinds_jobs()
{
	local running=0 number job

	for number in "${!JOBS[@]}"; do
		read -ra job <<<"${JOBS[number]}"
		[ "${job[2]}" = "$1" ] || continue
		if [ "$running" = "$2" ]; then
			wait -n
			running=$((running - 1))
		fi
		kinds_job "$number" "$3" "${job[@]}" &
		running=$((running + 1))
	done
	for ((; running > 0; running--)); do
		wait -n
	done
}

kinds_logs()
{
	cat "$PUNCHED"/*.log | tail -n 300
}

# kinds_run COUNT TRANSPORT TABLE: punches all pairs COUNT times, and wants the outcome of theory from 99
# of 100 punches of each pair, and the file TABLE, which shows these outcomes. RUN_REFUSAL is LAB_REFUSAL
# of the NATs of the peers that run.
kinds_run()
{
	local names=() number relayed direct

	mapfile -t JOBS < <(kinds_plan "$1" "$2")
	for number in "${!JOBS[@]}"; do
		names+=("run$((2 * number + 1))" "connect$((2 * number + 2))")
	done
	peers_server "${names[@]}"
	PUNCHED=$TEST_TMP/punched SERVER_KEY=$(public server)
	mkdir "$PUNCHED"
	export SLUICE
	kinds_jobs relayed "$RELAYED" "$2" &
	relayed=$!
	kinds_jobs direct "$DIRECT" "$2" &
	direct=$!
	wait "$direct" || fail "$(kinds_logs)"
	wait "$relayed" || fail "$(kinds_logs)"
	printf '%s\n' "${JOBS[@]}" >"$TEST_TMP/plan"
	for number in "${!JOBS[@]}"; do
		cat "$PUNCHED/$number"
	done | python3 "$ROOT/tests/net/lib/pairs.py" "$TEST_TMP/plan" >"$TEST_TMP/table" ||
		fail "$(kinds_logs)"
	want_equal "$(cat "$TEST_TMP/table")" "$(cat "$ROOT/tests/nightly/$3")" "$3"
}
