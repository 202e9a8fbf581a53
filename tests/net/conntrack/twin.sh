#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A reply from the wrong address leaves a pair of unanswered entries. Repair finds and deletes this
# pair and nothing else.
#
#   container 172.17.0.3 ── docker0 172.17.0.1 [host: 0.0.0.0:56789, conntrack] eth0 172.16.13.13
. "$(dirname "$0")/../lib/lib.sh"

findings()
{
	json "[(f['reason'], f['entry']['original']['source'], f['entry']['original']['destination']) \
		for f in d['findings']]" sluice --netns "$HOST" -j conntrack "$@" --watch 0
}

pair()
{
	conntrack_flush "$HOST"
	ask "$CONTAINER" --to "$(target "$FAR4" "$PORT")" --from 172.17.0.3:4000 --timeout-ms 100 \
		>/dev/null
	want_right "$CONTAINER" "$NEAR4" "$PORT" --from 172.17.0.3:4001
	want_equal "$(conntrack_count "$HOST" "$PORT")" 3 "entries"
}

try()
{
	local kind=$1
	say "a server that answers with $kind"
	serve "$HOST" "$kind" "$PORT"
	pair
	want_equal "$(findings audit)" "$PAIR"
	want_status 0 sluice --netns "$HOST" conntrack audit --watch 0
	want_text "requested $FAR4:$PORT, reply source $NEAR4: the reply does not match the request"
	want_text "the answer to a request to $FAR4:$PORT, sent from $NEAR4"
	want_text "2 of 3 UDP entries contradict this host: 2 twin"

	say "a dry run deletes nothing"
	want_equal "$(findings repair --dry-run)" "$PAIR"
	want_equal "$(json "d['would_delete'], d['deleted'], [f['outcome'] for f in d['findings']]" \
		sluice --netns "$HOST" -j conntrack repair --watch 0 --dry-run)" \
		"(2, 0, ['would delete', 'would delete'])"
	want_equal "$(conntrack_count "$HOST" "$PORT")" 3 "entries after the dry run"

	say "filters for other reasons, ports or addresses select neither"
	want_equal "$(findings repair --reason socket-gone,unanswered)" "[]"
	want_equal "$(findings repair --port 1-3999)" "[]"
	want_equal "$(findings repair --addr 172.17.0.4)" "[]"
	want_equal "$(conntrack_count "$HOST" "$PORT")" 3

	say "repair"
	want_status 0 sluice --netns "$HOST" conntrack repair --watch 0
	want_text "deleted 2 of 3 UDP entries"
	want_equal "$(conntrack_count "$HOST" "$PORT")" 1 "entries after the repair"
	conntrack_list "$HOST" | contains "sport=4001 " || fail "the healthy entry is gone"
	want_equal "$(findings audit)" "[]"
	stop "$SPAWNED"
}

topology_up
# long timeouts, so that no entry expires before the check on a slow machine
in_ns "$HOST" sysctl -qw net.netfilter.nf_conntrack_udp_timeout{,_stream}=600
# in table order, sorted by destination
PAIR="[('twin', '172.17.0.3', '$FAR4'), ('twin', '$NEAR4', '172.17.0.3')]"

try sendto4
try dual6

say "one half of the pair is found through the other half"
serve "$HOST" sendto4 "$PORT"
pair
want_status 0 sluice --netns "$HOST" conntrack repair --watch 0 --addr "$FAR4"
want_text "deleted 1 of 3 UDP entries"
want_equal "$(conntrack_count "$HOST" "$PORT")" 2

say "IPv6"
conntrack_flush "$HOST"
stop "$SPAWNED"
serve "$HOST" dual6 "$PORT"
ask "$CONTAINER" --to "$(target "$FAR6" "$PORT")" --timeout-ms 100 >/dev/null
want_status 0 sluice --netns "$HOST" conntrack repair --watch 0
want_text "deleted 2 of 2 UDP entries"

say "a server that answers from the right address leaves no finding"
stop "$SPAWNED"
serve "$HOST" pktinfo4 "$PORT"
conntrack_flush "$HOST"
want_right "$CONTAINER" "$FAR4" "$PORT"
want_equal "$(findings audit)" "[]"
