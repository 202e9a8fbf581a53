#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The section [peer]: the daemon runs a peer without privileges, replaces it when the file changes,
# starts it again when it ends, reports that it is not registered, and takes it along at its own end.
# The peer exposes services, or connects to one.
#
#   in1 [alice: connect] ── nat1 ──┐
#                                  ├── router ── peer [sluice rendezvous serve]
#   in2 [sluice run]     ── nat2 ──┘
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"
. "$(dirname "$0")/../lib/monitor.sh"
. "$(dirname "$0")/../lib/peer.sh"

HOST=in2

# section LINE…: the file with this section, and these lines besides the usual ones
section()
{
	configure '[peer]' 'id = bob' "key_file = $TEST_TMP/bob.key" "server = $PEER4:3478" \
		"server_key = $KEY" "$@"
}

say "mistakes"
(umask 077 && sluice peer key >"$TEST_TMP/key")
KEY=$(sluice peer key --public <"$TEST_TMP/key")
section "peer_key = alice=$KEY" 'expose = tcp:127.0.0.1'
want_status 2 sluice run --check-config --config "$CONF"
want_text "[peer] expose: 'tcp:127.0.0.1' is not a protocol, an address and a port"
section 'expose = tcp:127.0.0.1:7'
want_status 2 sluice run --check-config --config "$CONF"
want_text "[peer]: no other peer is known"
section 'trust_server = yes'
want_status 2 sluice run --check-config --config "$CONF"
want_text "[peer]: an --expose is needed"
section 'trust_server = yes' 'expose = tcp:127.0.0.1:7' 'to = alice'
want_status 2 sluice run --check-config --config "$CONF"
want_text "[peer]: expose and to, service or listen exclude each other"
section 'trust_server = yes' 'listen = tcp:127.0.0.1:7'
want_status 2 sluice run --check-config --config "$CONF"
want_text "[peer]: a --to NAME is needed"
section 'trust_server = yes' 'to = bob' 'listen = tcp:127.0.0.1:7'
want_status 2 sluice run --check-config --config "$CONF"
want_text "[peer]: --to bob is this peer itself"

peers_up endpoint-independent address-and-port-dependent 30
KEY=$(public server)
spawn_in in2 /dev/null socat -t 60 TCP-LISTEN:7,bind=127.0.0.1,fork,reuseaddr EXEC:cat

# answers NAME SERVICE OPTION…: does the service of bob answer to this peer?
answers()
{
	local name=$1 service=$2
	shift 2
	identity "$name"
	[ "$(echo hello | in_ns in1 timeout 20 "$SLUICE" peer connect "${IDENTITY[@]}" --to bob \
		--peer-key "bob=$(public bob)" --service "$service" --stdio "$@" 2>/dev/null)" = hello ]
}

# pid: prints the process id of the peer
pid()
{
	json "d['peers'][0]['pid'] if d['peers'] else 0" sluice -j peer list --id bob 2>/dev/null || echo 0
}

is_new()
{
	[[ $(pid) != 0 && $(pid) != "$1" ]]
}

is_gone()
{
	! kill -0 "$1"
}

say "the peer runs, as another user without a capability; lists and switches"
section "peer_key = alice=$(public alice),carol=$(public carol)" 'expose = one=tcp:127.0.0.1:7, two=tcp:127.0.0.1:7' \
	'direct_only = yes' 'relay_only = no'
want_equal "$(json "d['peer']" sluice -j run --check-config --config "$CONF")" True
monitor_start peer
daemon_start
want_events 1 "(e['object'], e['event']) == ('peer', 'applied')"
monitor_end
wait_until 20 answers alice one
wait_until 20 answers carol two
first=$(pid)
want_equal "$(awk '$1 == "Uid:" { print $2 } $1 == "CapEff:" { print $2 }' "/proc/$first/status" | xargs)" \
	"$(id -u nobody) 0000000000000000"
want_equal "$(tr '\0' '\n' <"/proc/$first/cmdline" | grep -cxE -e '--direct-only|--relay-only')" 1
want_equal "$(json "[(s['section'], s['state'], s['reason']) for s in d['daemon']['sections']]" \
	sluice -j status)" "[('peer', 'running', None)]"

say "a reload without a change, and with one"
daemon_reload 'msg="reloaded"'
want_equal "$(pid)" "$first"
section "peer_key = alice=$(public alice)" 'expose = one=tcp:127.0.0.1:7'
daemon_reload 'msg="reloaded"'
wait_until 20 is_new "$first"
wait_until 20 answers alice one
! answers carol one || fail "carol is still a known peer"
second=$(pid)

say "it ends by itself, and is started again"
kill -KILL "$second"
want_logged 'msg="peer: the process is not running" reason="killed by signal 9 (Killed)"'
wait_until 20 is_new "$second"
wait_until 20 answers alice one

say "the server is away"
section_says()
{
	sluice status | contains -F "$1"
}
stop "$RENDEZVOUS"
wait_until 60 section_says "warning: not registered with a server"
server_start
want_logged 'msg="peer: the process is ready again"'

say "at the end of the daemon, it ends"
third=$(pid)
daemon_stop
want_status 1 kill -0 "$third"

say "it connects to a service, at a port that needs a privilege, and reports that it has no path"
echo_start in1
peer_run in1 alice --peer-key "bob=$(public bob)" --expose tcp:127.0.0.1:7
alice=$SPAWNED
section "peer_key = alice=$(public alice)" 'to = alice' 'listen = tcp:127.0.0.1:80'
daemon_start
wait_until 20 is_new "$third"
want_equal "$(echo hello | in_ns in2 socat -t 20 - TCP:127.0.0.1:80)" hello
connected=$(pid)
want_equal "$(awk '$1 == "Uid:" { print $2 } $1 == "CapEff:" { print $2 }' "/proc/$connected/status" | xargs)" \
	"$(id -u nobody) 0000000000000000"
daemon_reload 'msg="reloaded"'
want_equal "$(pid)" "$connected"
stop "$alice"
wait_until 60 section_says "warning: no path to alice"
peer_run in1 alice --peer-key "bob=$(public bob)" --expose tcp:127.0.0.1:7
want_logged 'msg="peer: the process is ready again"'
want_equal "$(echo hello | in_ns in2 socat -t 20 - TCP:127.0.0.1:80)" hello
section "peer_key = alice=$(public alice)" 'expose = one=tcp:127.0.0.1:7'
daemon_reload 'msg="reloaded"'
wait_until 20 is_gone "$connected"
daemon_stop

daemon_start
wait_until 20 is_new "$third"
fourth=$(pid)
kill -KILL "$DAEMON"
wait "$DAEMON" || true
wait_until 20 is_gone "$fourth"
sluice --netns "$HOST" cleanup
want_clean
