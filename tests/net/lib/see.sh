# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What the tests of seeing steering share; sourced behind lib.sh.
#
# Servers are in HOST and clients in CONTAINER, so that what HOST counts as read is what its servers
# have read.

STEERED=172.17.0.1

# group_up COUNT: that many processes that share PORT in HOST; their ids are in SERVERS
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
		tr -d '[] ' | tr ',' '\n' >>"$TEST_TMP/ours"
}

# want_answers FLOWS COUNT FROM_PORT: so many flows, each with so many requests, are all answered
want_answers()
{
	local all=$(($1 * $2))
	want_line "sent $all right $all wrong 0 refused 0 lost 0 corrupt 0" "$(ask "$CONTAINER" \
		--to "$STEERED:$PORT" --from "172.17.0.3:$3" --flows "$1" --count "$2")"
}

# seen EXPRESSION: of `g`, the only group, `n`, the only namespace, and `d`, all of it
seen()
{
	json "(lambda g, n: $1)(d['groups'][0], d['namespaces'][0])" sluice -j steer show
}

# attached: how many programs of this test are in the kernel still
attached()
{
	local id count=0
	while read -r id; do
		if bpftool prog show id "$id" >/dev/null 2>&1; then
			count=$((count + 1))
		fi
	done < <(sort -u "$TEST_TMP/ours")
	echo "$count"
}

none_attached()
{
	[ "$(attached)" = 0 ]
}
