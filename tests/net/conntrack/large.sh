#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Among a hundred thousand entries, audit and repair find and delete exactly the few bad ones.
#
#   [host: 0.0.0.0:56789; entries made by hand, not by packets]
#
# takes long: a hundred thousand entries
. "$(dirname "$0")/../lib/lib.sh"

# entries N CLIENT-NETWORK PORT DESTINATION: prints N entries from N clients, for conntrack -R
entries()
{
	awk -v n="$1" -v net="$2" -v port="$3" -v to="$4" 'BEGIN {
		for (i = 0; i < n; i++)
			printf "-A -s %s.%d.%d -d %s -p udp --sport %d --dport %d -t 600\n",
				net, i / 256, i % 256, to, 1024 + i % 60000, port
	}'
}

# answers: prints the replies to the requests of entries() with the same arguments, sent from FROM
answers()
{
	awk -v n="$1" -v net="$2" -v port="$3" -v from="$4" 'BEGIN {
		for (i = 0; i < n; i++)
			printf "-A -s %s -d %s.%d.%d -p udp --sport %d --dport %d -t 600\n",
				from, net, i / 256, i % 256, port, 1024 + i % 60000
	}'
}

# listed: prints the entries without the fields that change every second
listed()
{
	conntrack_list "$HOST" | sed 's/^udp  *17 [0-9]* //' | sort
}

topology_up
serve "$HOST" sendto4 "$PORT"
conntrack_flush "$HOST"
{
	entries 50000 10.100 53 192.0.2.1
	entries 49000 10.101 53 192.0.2.2
	entries 1000 10.102 "$PORT" "$FAR4"
} >"$TEST_TMP/right"
{
	entries 500 10.103 "$PORT" "$FAR4"
	answers 500 10.103 "$PORT" "$NEAR4"
	entries 300 10.104 700 "$NEAR4"
} >"$TEST_TMP/wrong"

in_ns "$HOST" conntrack -R "$TEST_TMP/right"
listed >"$TEST_TMP/wanted"
want_equal "$(wc -l <"$TEST_TMP/wanted")" 100000 "entries made"
say "no bad entry"
want_equal "$(json "d['total'], len(d['entries'])" sluice --netns "$HOST" -j conntrack show)" \
	"(100000, 100000)"
want_equal "$(sluice --netns "$HOST" conntrack audit --watch 1)" \
	"0 of 100000 UDP entries contradict this host"

say "some bad entries"
in_ns "$HOST" conntrack -R "$TEST_TMP/wrong"
want_equal "$(sluice --netns "$HOST" conntrack show --port 700 | tail -n 1)" \
	"300 of 101300 UDP entries"
want_equal "$(json "d['reasons']" sluice --netns "$HOST" -j conntrack audit --watch 1)" \
	"{'twin': 1000, 'backend-gone': 0, 'socket-gone': 300, 'unanswered': 0, 'backend-silent': 0}"

say "repair"
want_equal "$(sluice --netns "$HOST" conntrack repair --watch 1 | tail -n 1)" \
	"deleted 1300 of 101300 UDP entries"
listed >"$TEST_TMP/left"
cmp "$TEST_TMP/wanted" "$TEST_TMP/left"

say "bad entries only"
stop "$SPAWNED"
conntrack_flush "$HOST"
entries 20000 10.102 "$PORT" "$FAR4" >"$TEST_TMP/wrong"
in_ns "$HOST" conntrack -R "$TEST_TMP/wrong"
want_equal "$(sluice --netns "$HOST" conntrack repair --watch 0 | tail -n 1)" \
	"deleted 20000 of 20000 UDP entries"
want_equal "$(in_ns "$HOST" conntrack -C)" 0
