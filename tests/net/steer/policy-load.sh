#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Policy load balances a few heavy flows better than the kernel's hash: the load of the busiest
# worker is closer to the mean. Existing flows do not move for the sake of balance.
#
#   host: 32 flows, in ten rounds with other ports ── lo ── eight workers
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/steer.sh"

# With this many flows, the imbalance of the kernel's hash falls below 90 % of its usual value in
# one run of 20 million; with 16 flows, in one of ten thousand.
ROUNDS=10 COUNT=32

# imbalance COMMAND…: prints the sum of the busiest worker's answers, out of 10,000 per round, with
# workers without answers included. Each round starts with COMMAND and uses new source ports.
imbalance()
{
	local round sum=0 most
	for ((round = 0; round < ROUNDS; round++)); do
		"$@" >"$TEST_TMP/command"
		in_ns "$HOST" "$FLOWS" --to "127.0.0.1:$PORT" --from "127.0.0.1:$SOURCE" \
			--flows "$COUNT" --count 1600 --rate 8000 >"$TEST_TMP/round" || fail "lost datagrams"
		SOURCE=$((SOURCE + COUNT))
		FLOWS_LOG=$TEST_TMP/round
		want_equal "$(result moved)" 0 "flows moved"
		most=$(awk '$1 == "worker" && $4 > most { most = $4 } END { print most }' "$TEST_TMP/round")
		sum=$((sum + most * 10000 / 1600))
	done
	IMBALANCE=$sum
}

# The recent load covers the last seconds, which belong to the previous round.
forget_load()
{
	sleep 2.2
}

netns_add "$HOST"
workers "$HOST" --port "$PORT" --workers 8
SOURCE=20000
say "without sluice"
imbalance true
kernel=$IMBALANCE
say "policy flow: the same imbalance"
sluice --netns "$HOST" steer load --port "$PORT"
SOURCE=20000
imbalance true
want_equal "$IMBALANCE" "$kernel" "share of the busiest worker, as the kernel's"
say "policy load, flows that the kernel has placed"
sluice steer unload
flows "$HOST" --to "127.0.0.1:$PORT" --flows 100 --rate 2000
sluice --netns "$HOST" steer load --port "$PORT" --policy load
flows_go_on 300
flows_end
want_equal "$(result moved)" 0 "flows moved by the load"
say "policy load, new flows"
# a flow without a record counts as new
sleep 5.2
imbalance forget_load
echo "busiest worker of 8, of 10,000 datagrams: kernel $((kernel / ROUNDS)), load $((IMBALANCE / ROUNDS))"
want_at_most $((kernel * 9 / 10)) "$IMBALANCE" "share of the busiest worker"
sluice steer unload
