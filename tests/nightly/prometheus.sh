#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A Prometheus server scrapes a loaded daemon and a rendezvous server, and evaluates the alert
# rules. Each rule finds its metrics. No rule fires on healthy values, and the rules for provoked
# faults fire.
. "$(dirname "$0")/../net/lib/lib.sh"
. "$(dirname "$0")/../net/lib/daemon.sh"
. "$(dirname "$0")/../net/lib/steer.sh"
. "$(dirname "$0")/../net/lib/metrics.sh"

HOST=host
DEPLOY=$ROOT/tools/deploy/prometheus
PROMETHEUS=$BUILD/servers/usr/bin/prometheus
LISTEN=127.0.0.1:9090

# api CHECK [WORD…]: runs lib/prometheus.py in HOST
api()
{
	in_ns "$HOST" python3 "$ROOT/tests/net/lib/prometheus.py" "$LISTEN" "$@"
}

netns_add "$HOST"
workers "$HOST" --port "$PORT" --workers 2
configure "metrics = $METRICS_PORT" '[reply]' 'mode = socket' "port = $PORT" \
	'[hold]' 'port = 7000' '[steer]' "port = $PORT"
daemon_start
: >"$TEST_TMP/rendezvous.log"
spawn_in "$HOST" "$TEST_TMP/rendezvous.log" "$SLUICE" rendezvous serve --name prometheus \
	--listen 127.0.0.1:3478 --metrics 9478
RENDEZVOUS=$SPAWNED

cp "$DEPLOY/sluice.rules.yml" "$TEST_TMP"
# as shipped, but faster: intervals of a second, and no longer waits in rules
sed 's/15s/1s/' "$DEPLOY/prometheus.yml" >"$TEST_TMP/prometheus.yml"
sed -i 's/for: [0-9]*m/for: 5s/' "$TEST_TMP/sluice.rules.yml"
spawn_in "$HOST" "$TEST_TMP/prometheus.log" "$PROMETHEUS" --config.file "$TEST_TMP/prometheus.yml" \
	--storage.tsdb.path "$TEST_TMP/data" --web.listen-address "$LISTEN" --log.level warn
PROMETHEUS_PID=$SPAWNED

say "each rule finds its metrics, and none fires"
wait_until 120 api healthy 2>"$TEST_TMP/why" || fail "$(cat "$TEST_TMP/why" "$TEST_TMP/prometheus.log")"

say "a section that waits, and a refused reload"
configure "metrics = $METRICS_PORT" '[reply]' 'mode = socket' "port = $PORT" \
	'[hold]' 'port = 7000' '[steer]' "port = $PORT" '[wire]' 'follow = lo' 'port = 53'
daemon_reload 'msg="reloaded"'
configure 'mistake = 1'
daemon_reload 'msg="reload refused'
wait_until 60 api firing SluiceReloadRefused SluiceSectionWaiting || fail "$(api list)"

say "both processes have exited"
stop "$RENDEZVOUS"
daemon_stop
wait_until 60 api firing SluiceDown || fail "$(api list)"
stop "$PROMETHEUS_PID"
sluice reply unload
sluice hold unload
sluice steer unload
