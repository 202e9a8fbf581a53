#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# 'steer show' accounts for every datagram of known traffic: by the worker that received it, by its
# flow, and by the UDP counters of the namespace.
#
#   container ── docker0 172.17.0.1 [host: three servers on 0.0.0.0:56789]
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/see.sh"

topology_up
group_up 3

say "not loaded"
want_status 1 "$SLUICE" steer show
want_text "steer is not loaded"
want_equal "$(json "d['steer']" sluice -j status)" None

say "loaded, after traffic that must not be counted"
want_answers 5 1 20000
steer_load
want_answers 40 3 30000

want_equal "$(seen "g['datagrams']")" 120
want_equal "$(seen "[g['counters'][k] for k in ('known', 'started')]")" "[80, 40]"
want_equal "$(seen "sum(s['datagrams'] for s in g['slots'])")" 120
want_equal "$(seen "sum(s['bytes'] for s in g['slots'])")" $((120 * (64 + 8)))
want_equal "$(seen "sum(s['flows'] for s in g['slots'])")" 40
want_equal "$(seen "sum(s['flows_begun'] for s in g['slots'])")" 40
want_equal "$(seen "g['flows']['live']")" 40
want_equal "$(seen "g['flows']['half_open']")" 0
want_equal "$(seen "round(sum(s['share'] for s in g['slots']), 6)")" 1.0
want_equal "$(seen "abs(g['imbalance'] - max(s['datagrams'] for s in g['slots']) / 40) < 1e-6")" True
want_equal "$(seen "sorted(s['pid'] for s in g['slots'])")" \
	"$(printf '%s\n' "${SERVERS[@]}" | sort -n | paste -sd, | sed 's/,/, /g; s/.*/[&]/')"
want_equal "$(seen "{(s['state'], s['generation'], s['process']) for s in g['slots']}")" \
	"{('active', 1, 'udp-server')}"
want_equal "$(seen "{(s['drops'], s['queue']['fill_percent']) for s in g['slots']}")" "{(0, 0)}"
want_equal "$(seen "g['netns_name']")" "$HOST"
want_equal "$(seen "g['netns']")" "$(stat -Lc %i "/run/netns/$HOST")"
want_equal "$(bpftool prog show id "$(seen "g['program_id']")" | awk 'NR == 1 { print $4 }')" \
	sluice_steer

say "the counters of the namespace"
want_equal "$(seen "n['udp']['in_datagrams']")" 120
want_equal "$(seen "n['udp']['no_ports']")" 0
want_equal "$(seen "n['unexplained']['total']")" 0
ask "$CONTAINER" --to "$STEERED:$((PORT + 1))" >/dev/null
want_equal "$(seen "n['udp']['no_ports']")" 1

say "flows of one datagram"
want_answers 7 1 40000
want_equal "$(seen "(g['flows']['live'], g['flows']['half_open'])")" "(40, 7)"

say "a closed socket, before the sweep"
kill -KILL "${SERVERS[1]}"
wait "${SERVERS[1]}" 2>/dev/null || true
want_equal "$(seen "[s['state'] for s in g['slots'] if s['pid'] == ${SERVERS[1]}]")" "['closed']"
want_equal "$(seen "g['active']")" 2

say "text"
LC_ALL=C "$SLUICE" steer show >"$TEST_TMP/plain"
LC_ALL=C.UTF-8 "$SLUICE" steer show >"$TEST_TMP/utf8"
grep -q "udp-server .* ############ " "$TEST_TMP/plain" ||
	fail "no bar for the busiest worker" "$(cat "$TEST_TMP/plain")"
grep -q "udp-server .* ████████████ " "$TEST_TMP/utf8" ||
	fail "no bar for the busiest worker" "$(cat "$TEST_TMP/utf8")"
if LC_ALL=C grep -q '[^ -~]' "$TEST_TMP/plain"; then
	fail "characters that the locale cannot encode" "$(cat "$TEST_TMP/plain")"
fi
grep -q "80  known .*datagrams that followed their flow" "$TEST_TMP/plain" ||
	fail "no counter with its description" "$(cat "$TEST_TMP/plain")"

say "status"
want_equal "$(json "[(g['sockets'], g['active'], g['flows']) for g in d['steer']['groups']]" \
	sluice -j status)" "[(3, 2, $(seen "g['flows']['live'] + g['flows']['half_open']"))]"
want_status 0 "$SLUICE" status
want_text "steer: policy flow, ports $PORT, 1 group"
