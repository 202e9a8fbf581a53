#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Thousands of conntrack entries and addresses come and go during the dumps, so that the kernel
# interrupts the dumps. Each stable entry is listed exactly once, and a healthy entry is never a
# finding.
#
#   [host: 0.0.0.0:56789, 800 addresses; two loops that change entries and addresses]
#
# takes long: thousands of entries come and go
. "$(dirname "$0")/../lib/lib.sh"

entries()
{
	awk -v n="$1" -v net="$2" -v what="$3" -v to="$FAR4" -v port="$PORT" 'BEGIN {
		for (i = 0; i < n; i++)
			printf "%s -s %s.%d.%d -d %s -p udp --sport %d --dport %d %s\n", what, net,
				i / 256, i % 256, to, 2000 + i, port, what == "-A" ? "-t 600" : ""
	}'
}

# loop COMMAND…: repeats COMMAND until the file `stop` exists
loop()
{
	until [ -e "$TEST_TMP/stop" ]; do
		"$@" >/dev/null 2>&1 || true
		sleep 0.02
	done
}

churn_entries()
{
	in_ns "$HOST" conntrack -R "$TEST_TMP/come"
	in_ns "$HOST" conntrack -R "$TEST_TMP/go"
}

churn_addresses()
{
	ip -n "$HOST" -batch "$TEST_TMP/address-churn"
}

topology_up
serve "$HOST" sendto4 "$PORT"
conntrack_flush "$HOST"
for ((i = 0; i < 800; i++)); do
	echo "addr add 10.200.$((i / 250)).$((i % 250 + 1))/32 dev docker0"
done | ip -n "$HOST" -batch -
for ((i = 0; i < 50; i++)); do
	echo "addr add 10.201.0.$((i + 1))/32 dev docker0"
	echo "addr del 10.201.0.$((i + 1))/32 dev docker0"
done >"$TEST_TMP/address-churn"
entries 1000 10.100 -A >"$TEST_TMP/stay"
entries 500 10.101 -A >"$TEST_TMP/come"
entries 500 10.101 -D >"$TEST_TMP/go"
in_ns "$HOST" conntrack -R "$TEST_TMP/stay"

loop churn_entries &
loop churn_addresses &
wait_until 20 sh -c "[ \$(nsenter --net=/run/netns/$HOST conntrack -C) -gt 1000 ]"

for ((round = 0; round < 3; round++)); do
	want_equal "$(json "len(e := [x['original']['source'] for x in d['entries'] \
		if x['original']['source'].startswith('10.100.')]), len(set(e))" \
		sluice --netns "$HOST" -j conntrack show)" "(1000, 1000)"
	want_equal "$(json "d['findings']" sluice --netns "$HOST" -j conntrack audit --watch 0)" "[]"
done

say "repair while entries come and go"
stop "$SPAWNED"
want_equal "$(json "d['failed'], d['skipped'], d['deleted'] >= 1000" \
	sluice --netns "$HOST" -j conntrack repair --watch 0)" "(0, 0, True)"
want_equal "$(conntrack_list "$HOST" | grep -c 'src=10[.]100[.].*dst=172' || true)" 0 \
	"entries of a closed socket"

touch "$TEST_TMP/stop"
wait
