#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The metrics and probes of the rendezvous server: names, formats and values. The server is ready
# only if it answers a Binding request and is not draining.
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/metrics.sh"

HOST=host
LOG=$TEST_TMP/server.log
netns_add "$HOST"

# server OPTION…: starts a server; sets SPAWNED to its process id
server()
{
	: >"$LOG"
	spawn_in "$HOST" "$LOG" "$SLUICE" rendezvous serve --name metrics --metrics "$METRICS_PORT" "$@"
	wait_until 60 grep -q 'msg="started"' "$LOG" || fail "$(cat "$LOG")"
}

say "ready after a round trip; all counters are present"
server --listen 0.0.0.0:3478
want_probe /readyz 200
metrics formats "rendezvous=$ROOT/user/meet/rendezvous/counters.h:RENDEZVOUS_COUNTERS" \
	"rendezvous_xdp=$ROOT/include/sluice/meet.h:SLUICE_MEET_COUNTERS" >"$TEST_TMP/text"
want_lint "$TEST_TMP/text"
metrics protocol
want_values 'sluice_object_loaded{object="rendezvous"}' 0 \
	'sluice_program_runs_total{program="sluice_meet"}' 0
awk '$1 == "sluice_rendezvous_self_check_seconds" && $2 > 0 { found = 1 } END { exit !found }' "$TEST_TMP/text" ||
	fail "no round trip"

say "not ready while it drains, but alive"
kill -USR1 "$SPAWNED"
want_probe /readyz 503 draining
want_probe /livez 200
stop "$SPAWNED"

say "not ready without an answer, at the start or later"
deafen()
{
	in_ns "$HOST" nft add table inet deaf
	in_ns "$HOST" nft add chain inet deaf input '{ type filter hook input priority 0; }'
	in_ns "$HOST" nft add rule inet deaf input udp dport 3478 drop
}
deafen
server --listen '[::]:3478'
want_probe /readyz 503 'no answer to a Binding request to [::1]:3478'
in_ns "$HOST" nft delete table inet deaf
want_probe /readyz 200
deafen
want_probe /readyz 503 'no answer to a Binding request to [::1]:3478'
sleep 1.1 # the metrics are read once a second
want_values sluice_rendezvous_self_check_seconds 0
in_ns "$HOST" nft delete table inet deaf
want_probe /readyz 200
stop "$SPAWNED"

say "an address in use is an error before the server starts"
server --listen 127.0.0.1:3478
want_status 5 in_ns "$HOST" "$SLUICE" rendezvous serve --name other --metrics "$METRICS_PORT" \
	--listen 127.0.0.1:3479
want_text "metrics: 127.0.0.1:$METRICS_PORT is in use"
stop "$SPAWNED"
