# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Helpers for the tests of steer show. Source it after lib.sh.
#
# Servers run in HOST and clients in CONTAINER, so the UDP counters of HOST count only datagrams of
# the servers.

STEERED=172.17.0.1

# group_up COUNT: starts COUNT processes that share PORT in HOST. Sets SERVERS to their process ids.
group_up()
{
	local i
	SERVERS=()
	for ((i = 0; i < $1; i++)); do
		spawn_in "$HOST" "$TEST_TMP/server.$i.log" "$SERVER" --kind sendto4 --port "$PORT" \
			--reuseport
		SERVERS+=("$SPAWNED")
	done
	wait_until 10 bound "$1"
}

bound()
{
	[ "$(in_ns "$HOST" grep -c ":$(printf '%04X' "$PORT") " /proc/net/udp)" = "$1" ]
}

steer_load()
{
	sluice --netns "$HOST" steer load --port "$PORT" "$@" || return
	json "[g['program_id'] for g in d['groups']]" sluice -j steer show |
		tr -d '[] ' | tr ',' '\n' >>"$TEST_TMP/own_programs"
}

# want_answers FLOWS COUNT FROM_PORT: sends COUNT requests from each of FLOWS flows, and checks that
# all are answered
want_answers()
{
	local all=$(($1 * $2))
	want_line "sent $all right $all wrong 0 refused 0 lost 0 corrupt 0" "$(ask "$CONTAINER" \
		--to "$STEERED:$PORT" --from "172.17.0.3:$3" --flows "$1" --count "$2")"
}

# seen EXPRESSION: evaluates EXPRESSION with `g` = the only group, `n` = the only namespace, `d` =
# the report
seen()
{
	json "(lambda g, n: $1)(d['groups'][0], d['namespaces'][0])" sluice -j steer show
}

# attached: prints the number of programs of this test that are still in the kernel
attached()
{
	local id count=0
	while read -r id; do
		if bpftool prog show id "$id" >/dev/null 2>&1; then
			count=$((count + 1))
		fi
	done < <(sort -u "$TEST_TMP/own_programs")
	echo "$count"
}

none_attached()
{
	[ "$(attached)" = 0 ]
}
