#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A Prometheus scrapes a loaded daemon, a rendezvous server and a peer, and evaluates the alert rules:
# each rule finds its metrics, none fires on healthy ones, and each fires on its fault, which is real.
#
#   container 192.0.2.10: carol ── eth0 ═ eth0 ── host 192.0.2.1: servers, sluice, bob, Prometheus
. "$(dirname "$0")/../net/lib/lib.sh"
. "$(dirname "$0")/../net/lib/daemon.sh"
. "$(dirname "$0")/../net/lib/steer.sh"
. "$(dirname "$0")/../net/lib/meet.sh"
. "$(dirname "$0")/../net/lib/metrics.sh"

DEPLOY=$ROOT/tools/deploy/prometheus
PROMETHEUS=$BUILD/servers/usr/bin/prometheus
LISTEN=127.0.0.1:9090
STEERED=5353

# api CHECK [WORD…]: runs lib/prometheus.py in HOST
api()
{
	in_ns "$HOST" python3 "$ROOT/tests/net/lib/prometheus.py" "$LISTEN" "$@"
}

# fires RULE FAULT…: runs the command FAULT, on which RULE fires, and not before
fires()
{
	local rule=$1
	shift
	say "$rule: $*"
	api quiet "$rule" || fail "before the fault: $(api list)"
	"$@"
	wait_until 60 api firing "$rule" || fail "$(api list)" "$(metrics get /metrics)"
}

file()
{
	configure "metrics = $METRICS_PORT" '[reply]' 'mode = socket' "port = $PORT" 'table = 1000' 'age = 3600' \
		'[steer]' "port = $STEERED" 'flows = 1000' 'idle = 3600' "$@"
}

# from_new_flows COUNT: sends so many datagrams to the steered port, each of a flow of its own
from_new_flows()
{
	in_ns "$HOST" python3 -IS - "$STEERED" "$1" <<-'PYTHON'
		import socket
		import sys

		for _ in range(int(sys.argv[2])):
		    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
		        sock.sendto(bytes(1000), ("127.0.0.1", int(sys.argv[1])))
	PYTHON
}

queues_overflow()
{
	halt "$SERVER_PID"
	from_new_flows 2000
	kill -CONT "$SERVER_PID"
}

# drains a server, and ends the one that has taken its flows
last_worker_is_drained()
{
	local drained=$SERVER_PID
	workers "$HOST" --port "$STEERED"
	sluice --netns "$HOST" steer drain "$drained" --wait 60 --idle 1 --limit 1
	stop "$SERVER_PID"
	from_new_flows 10
}

table_overflows()
{
	want_line "sent 3000 right 3000 wrong 0 refused 0 lost 0 corrupt 0" \
		"$(ask "$CONTAINER" --from 192.0.2.10:20000 --to "192.0.2.2:$PORT" --flows 3000)"
}

peer_registers()
{
	peers_run <<-'PYTHON'
		assert peer("alice", local=("192.0.2.10", 5000)).register().kind == SUCCESS
	PYTHON
}

server_is_deaf()
{
	in_ns "$HOST" nft -f - <<-'NFT'
		table inet deaf {
			chain input {
				type filter hook input priority filter
				udp dport 3478 drop
			}
		}
	NFT
}

# peer NAMESPACE NAME VERB OPTION…: runs a peer; its log is TEST_TMP/NAME.log
peer()
{
	local where=$1 name=$2 verb=$3
	shift 3
	spawn_in "$where" "$TEST_TMP/$name.log" "$SLUICE" peer "$verb" --server 192.0.2.1:3478 \
		--server-key "$(sluice peer key --public <"$TEST_TMP/server.key")" --id "$name" \
		--key-file "$TEST_TMP/$name.key" --trust-server "$@"
}

# carol_drops TABLE RULE: drops packets that carol sends
carol_drops()
{
	in_ns "$CONTAINER" nft -f - <<-NFT
		table inet $1 {
			chain output {
				type filter hook output priority filter
				$2 drop
			}
		}
	NFT
}

is_relayed()
{
	[[ $(grep 'msg="path"' "$TEST_TMP/carol.log" | tail -n 1) == *kind=relayed* ]]
}

# carol reaches the server by UDP, and nothing else
only_the_server_is_reached()
{
	carol_drops direct 'udp dport != 3478'
	carol_drops direct_tcp 'tcp sport != 9479'
	wait_until 120 is_relayed || fail "$(cat "$TEST_TMP/carol.log")"
}

no_server_is_reached()
{
	carol_drops server 'udp dport 3478'
}

file_has_a_mistake()
{
	configure 'mistake = 1'
	daemon_reload 'msg="reload refused'
	file '[hold]' 'port = 7000'
}

command_loads_hold()
{
	file
	daemon_reload 'msg="reloaded"'
	sluice hold load --port 7000 --cgroup "$TEST_CGROUP"
}

# raises the version in the record, as a load by a later sluice would
other_version_loads_reply()
{
	local value
	value=$(bpftool -j map dump pinned "$PINS/reply/sluice_meta" | python3 -IS -c '
import sys
value = [int(byte, 16) for byte in eval(sys.stdin.read())[0]["value"]]
value[4] ^= 0x40
print(*map(hex, value))')
	# shellcheck disable=SC2086 # a list of bytes
	bpftool map update pinned "$PINS/reply/sluice_meta" key 0 0 0 0 value $value
}

both_end()
{
	rendezvous_stop
	daemon_stop
}

meet_up
for peer in alice bob carol; do
	peer_add "$peer"
done
workers "$HOST" --port "$STEERED"
serve "$HOST" sendto4 "$PORT"
file '[hold]' 'port = 7000'
daemon_start
rendezvous_start --name prometheus --listen 192.0.2.1:3478 --max-peers 3 --metrics 9478
peer "$HOST" bob run --expose tcp:127.0.0.1:7
BOB=$SPAWNED
peer "$CONTAINER" carol connect --to bob --listen tcp:127.0.0.1:7000 --metrics 192.0.2.10:9479
CAROL=$SPAWNED

cp "$DEPLOY/sluice.rules.yml" "$TEST_TMP"
# as delivered, but faster: intervals of a second, and no rule waits longer. The server has the job
# that the operator of Prometheus gives to a PodMonitor without jobLabel.
sed 's/15s/1s/; s/, "127.0.0.1:9478", "127.0.0.1:9479"/, "192.0.2.10:9479"/' "$DEPLOY/prometheus.yml" - <<-'YAML' >"$TEST_TMP/prometheus.yml"
	  - job_name: monitoring/sluice
	    static_configs:
	      - targets: ["127.0.0.1:9478"]
YAML
sed -i 's/for: [0-9]*m/for: 5s/' "$TEST_TMP/sluice.rules.yml"
spawn_in "$HOST" "$TEST_TMP/prometheus.log" "$PROMETHEUS" --config.file "$TEST_TMP/prometheus.yml" \
	--storage.tsdb.path "$TEST_TMP/data" --web.listen-address "$LISTEN" --log.level warn
PROMETHEUS_PID=$SPAWNED

say "a PodMonitor gives the job that the rules and prometheus.yml have"
python3 - "$ROOT/tools/deploy/kubernetes/rendered/podmonitor.yaml" "$DEPLOY/prometheus.yml" <<'PYTHON'
import sys

import yaml

kinds = {document["kind"]: document["spec"] for document in yaml.safe_load_all(open(sys.argv[1]))
         if "spec" in document}
pod, monitor = kinds["DaemonSet"]["template"]["metadata"], kinds["PodMonitor"]
assert monitor["selector"]["matchLabels"].items() <= pod["labels"].items(), pod
jobs = [scrape["job_name"] for scrape in yaml.safe_load(open(sys.argv[2]))["scrape_configs"]]
assert [pod["labels"][monitor["jobLabel"]]] == jobs == ["sluice"], (pod, monitor, jobs)
PYTHON

say "each rule finds its metrics, and none fires"
wait_until 120 api healthy 2>"$TEST_TMP/why" || fail "$(cat "$TEST_TMP/why" "$TEST_TMP/prometheus.log")"

fires SluiceQueuesFull queues_overflow
wait_until 60 api says SluiceTableNearlyFull "the table of steer for port $STEERED in $HOST is " ||
	fail "$(api list)"
fires SluiceNoWorker last_worker_is_drained
fires SluiceFlowsEvicted table_overflows
wait_until 60 api says SluiceTableNearlyFull "the table of reply is " || fail "$(api list)"
fires SluiceRendezvousFull peer_registers
fires SluicePeerRelayed only_the_server_is_reached
fires SluicePeerDown stop "$BOB"
fires SluicePeerUnregistered no_server_is_reached
fires SluiceRendezvousSilent server_is_deaf
fires SluiceReloadRefused file_has_a_mistake
fires SluiceNoKeepalives command_loads_hold
fires SluiceSectionWaiting sluice steer unload
fires SluiceUnreadable other_version_loads_reply
fires SluiceDown both_end
wait_until 60 api jobs SluiceDown monitoring/sluice sluice || fail "$(api list)"
stop "$CAROL"
stop "$PROMETHEUS_PID"
sluice --netns "$HOST" cleanup >/dev/null
want_clean
