#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# iperf3 by TCP and UDP, and checksummed bytes, over each kind of path.
#
#   in1, in2 ── nat1, nat2 ──┐
#   in3, in4 ── nat3, nat4 ──├── router ── peer [sluice rendezvous serve]
#   in5, in6 ── nat5 ────────┘
#
# Only in3 and in4 have IPv6, which wins over IPv4; in5 and in6 are behind the same NAT.
. "$(dirname "$0")/../net/lib/lib.sh"
. "$(dirname "$0")/../net/lib/peer.sh"

peers_server alice bob carol dave
peers_nat 1 endpoint-independent 30
peers_nat 2 address-and-port-dependent 30
lab_nat nat3 in3 address-and-port-dependent 30 3
lab_nat nat4 in4 address-and-port-dependent 30 4
peers_nat 5 endpoint-independent 30
peers_beside 5 in6
wait_link "$ROUTER" outside
for host in in2 in4 in6; do
	echo_start "$host"
	spawn_in "$host" /dev/null iperf3 -s -B 127.0.0.1
done

# measure NAMESPACE OPTION…: runs iperf3 in both directions, and wants that bytes arrive
measure()
{
	local where=$1 direction
	shift
	for direction in "" --reverse; do
		# shellcheck disable=SC2086 # none or one option
		in_ns "$where" timeout 60 iperf3 -c 127.0.0.1 -t 2 -J $direction "$@" >"$TEST_TMP/iperf3" ||
			fail "$(cat "$TEST_TMP/iperf3")"
		want_equal "$(json "'error' not in d and (d['end'].get('sum_received') or d['end']['sum'])['bytes'] > 100000" \
			cat "$TEST_TMP/iperf3")" True "iperf3 $direction $*: $(cat "$TEST_TMP/iperf3")"
	done
}

# traffic PATH FROM TO OPTION…: connects the hosts with these options for all peers
traffic()
{
	local path=$1 from=$2 to=$3 name pids=()
	shift 3
	say "$path"
	peer_run "$to" bob --trust-server --expose echo=tcp:127.0.0.1:7 --expose perf=tcp:127.0.0.1:5201 \
		--expose perf=udp:127.0.0.1:5201 "$@"
	pids+=("$SPAWNED")
	peer_connect "$from" alice --trust-server --to bob --service echo --listen tcp:127.0.0.1:7000 "$@"
	pids+=("$SPAWNED")
	peer_connect "$from" carol --trust-server --to bob --service perf --listen tcp:127.0.0.1:5201 "$@"
	pids+=("$SPAWNED")
	peer_connect "$from" dave --trust-server --to bob --service perf --listen udp:127.0.0.1:5201 "$@"
	pids+=("$SPAWNED")
	for name in alice carol dave; do
		wait_until 60 peer_has_path "$name" "$path" || fail "$name:" "$(cat "$TEST_TMP/$name.log")"
	done
	in_ns "$from" python3 "$ROOT/tests/net/lib/transfer.py" 7000 3000000
	measure "$from"
	measure "$from" -u -b 2M -l 1000
	for name in alice carol dave; do
		peer_has_path "$name" "$path" || fail "$name has moved:" "$(cat "$TEST_TMP/$name.log")"
	done
	for name in "${pids[@]}"; do
		stop "$name"
	done
}

traffic 'server-reflexive udp 198.51.100.2:*' in1 in2
traffic 'host udp \[fd0a:4::2]:*' in3 in4
traffic 'server-reflexive tcp 198.51.100.2:*' in1 in2 --transport tcp
traffic 'relayed udp *' in1 in2 --relay-only
traffic 'relayed tcp *' in1 in2 --relay-only --transport tcp
traffic 'host udp 10.0.0.3:*' in5 in6
peers_isolate 5
lab_hairpin nat5 198.51.100.5
traffic 'server-reflexive udp 198.51.100.5:*' in5 in6
