#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The metrics and probes of a peer: names, formats and values. It is ready if it is registered and,
# where it connects, has a path. Peers have a series each if they are known, and one together if not.
#
#   in1 [alice: connect] ── nat1 ──┐
#                                  ├── router ── peer [sluice rendezvous serve]
#   in2 [bob: run]       ── nat2 ──┘
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/metrics.sh"
. "$(dirname "$0")/../lib/peer.sh"

peers_up endpoint-independent address-and-port-dependent 30
spawn_in in2 /dev/null socat -t 60 TCP-LISTEN:7,bind=127.0.0.1,fork,reuseaddr EXEC:cat

say "every series is there before the first peer"
peer_run in2 bob --peer-key "alice=$(public alice)" --trust-server --expose tcp:127.0.0.1:7 --metrics "$METRICS_PORT"
bob=$SPAWNED
HOST=in2
want_probe /readyz 200
metrics formats "peer=$ROOT/user/meet/report/counters.h:PEER_COUNTERS" >"$TEST_TMP/text"
want_lint "$TEST_TMP/text"
metrics protocol
want_values sluice_peer_servers 1 sluice_peer_servers_registered 1 'sluice_peer_up{peer="alice"}' 0 'sluice_peer_target{peer="alice"}' 0 \
	'sluice_peer_sent_bytes_total{peer="_unknown"}' 0 'sluice_peer_paths{kind="relayed"}' 0

say "not ready without a path"
HOST=in1
peer_connect in1 alice --peer-key "bob=$(public bob)" --to bob --listen tcp:127.0.0.1:7000 --metrics "$METRICS_PORT"
alice=$SPAWNED
want_probe /readyz 200
stop "$bob"
want_probe /readyz 503 "no path to bob"
want_probe /livez 200
want_values 'sluice_peer_target{peer="bob"}' 1 'sluice_peer_up{peer="bob"}' 0 'sluice_peer_paths{kind="none"}' 0 sluice_peer_sessions_total 1
peer_run in2 bob --peer-key "alice=$(public alice)" --trust-server --expose tcp:127.0.0.1:7 --metrics "$METRICS_PORT"
want_probe /readyz 200

say "what a path has carried stays counted when it has ended"
want_equal "$(head -c 100000 /dev/zero | in_ns in1 socat -t 20 - TCP:127.0.0.1:7000 | wc -c)" 100000
HOST=in2
want_values 'sluice_peer_up{peer="alice"}' 1 'sluice_peer_relayed{peer="alice"}' 0 \
	'sluice_peer_paths{kind="server-reflexive"}' 1 'sluice_peer_sessions_total' 1
identity carol
want_equal "$(echo hello | in_ns in1 "$SLUICE" peer connect "${IDENTITY[@]}" --relay-only --trust-server --to bob --stdio)" hello
# counted SAMPLE…: are all of these greater than 0?
counted()
{
	metrics value "$@" | awk '$1 <= 0 { none = 1 } END { exit none }'
}
stop "$alice"
wait_log "$TEST_TMP/bob.log" 'msg="disconnected" peer=alice'
wait_log "$TEST_TMP/bob.log" 'msg="disconnected" peer=carol'
want_probe /livez 200
totals=('sluice_peer_received_bytes_total{peer="alice"}' 'sluice_peer_sent_bytes_total{peer="alice"}'
	'sluice_peer_received_bytes_total{peer="_unknown"}' 'sluice_peer_sent_bytes_total{peer="_unknown"}'
	sluice_peer_checks_sent_total sluice_peer_checks_answered_total sluice_peer_checks_received_total
	sluice_peer_path_changes_total)
wait_until 20 counted "${totals[@]}" || fail "$(metrics get /metrics)"
want_values 'sluice_peer_up{peer="alice"}' 0 sluice_peer_sessions_total 2 sluice_peer_sessions_failed_total 0
! metrics get /metrics | contains -F 'peer="carol"' || fail "a series for each peer"

say "not ready without a registration"
stop "$RENDEZVOUS"
want_probe /readyz 503 "not registered with a server"

say "an address in use is an error"
identity dave
want_status 5 in_ns in2 "$SLUICE" peer run "${IDENTITY[@]}" --trust-server --expose tcp:127.0.0.1:7 \
	--metrics "$METRICS_PORT"
want_text "metrics: 127.0.0.1:$METRICS_PORT is in use"
