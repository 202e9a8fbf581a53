#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The section [rendezvous]: the daemon runs the server without privileges, replaces it when the file
# changes, and restarts it when it exits. The server exits with the daemon, even if the daemon is
# killed.
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"
. "$(dirname "$0")/../lib/cpu.sh"
. "$(dirname "$0")/../lib/meet.sh"

meet_up
peer_add alice

# section KEY VALUE…: writes the file with this section; the lines override the default lines
section()
{
	configure '[rendezvous]' "key_file = $TEST_TMP/server.key" "peers = $PEERS" "$@"
}

# answers ADDRESS PORT: returns true if a STUN server answers there
answers()
{
	in_ns "$CONTAINER" python3 -c 'import sys
from rendezvous import *
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.settimeout(1)
sock.sendto(build(BINDING, REQUEST, os.urandom(12), []), (sys.argv[1], int(sys.argv[2])))
Message(sock.recv(2048))' "$1" "$2"
}

# pid: prints the process id of the server
pid()
{
	shown "d['pid']"
}

pid_is_new()
{
	[ "$(pid)" != "$1" ]
}

is_gone()
{
	! kill -0 "$1"
}

# xdp_answers: returns true if XDP answers at 192.0.2.2:3479. XDP starts after the sockets.
xdp_answers()
{
	answers 192.0.2.2 3479
	[ "$(shown "d['xdp']['counters']['bindings']")" -ge 1 ]
}

say "mistakes"
section 'listen = 192.0.2.1'
want_status 2 sluice run --check-config --config "$CONF"
want_text "[rendezvous] listen: '192.0.2.1' is not an address and a port"
section
want_status 2 sluice run --check-config --config "$CONF"
want_text "[rendezvous]: a --listen is needed"
section 'listen = 192.0.2.1:3478' 'max-peers = 5'
want_status 2 sluice run --check-config --config "$CONF"
want_text "did you mean 'max_peers'"
section 'listen = 192.0.2.1:3478' 'until_eof = yes'
want_status 2 sluice run --check-config --config "$CONF"
want_text "unknown key 'until_eof'"

say "the server runs, as another user"
section 'listen = 192.0.2.1:3478' 'max_peers = 5'
want_equal "$(json "d['rendezvous']" sluice -j run --check-config --config "$CONF")" True
daemon_start
wait_until 20 answers 192.0.2.1 3478
first=$(pid)
want_equal "$(awk '$1 == "Uid:" { print $2 }' "/proc/$first/status")" "$(id -u nobody)"
want_equal "$(cat "/proc/$first/comm")" sluice
want_equal "$(shown "(d['registrations']['limit'], d['peers'])")" "(5, 1)"
want_equal "$(json "[(s['section'], s['state'], s['reason']) for s in d['daemon']['sections']]" \
	sluice -j status)" "[('rendezvous', 'running', None)]"
want_status 0 sluice status
want_text "[rendezvous] running"

say "a reload without a change of the section: only the peers are read"
peer_add bob
daemon_reload 'registrations_ended=0'
want_equal "$(shown "d['peers']") $(pid)" "2 $first"

say "a change: another server, with the fast path"
checksums_full "$CONTAINER" eth0
section 'listen = 192.0.2.2:3479' 'xdp = eth0'
daemon_reload 'msg="reloaded"'
wait_until 20 answers 192.0.2.2 3479
wait_until 20 pid_is_new "$first"
second=$(pid)
wait_until 20 xdp_answers

say "the server exits by itself, and is restarted"
kill -KILL "$second"
want_logged 'msg="rendezvous: the server is not running" reason="killed by signal 9 (Killed)"'
wait_until 20 pid_is_new "$second"
wait_until 20 answers 192.0.2.2 3479

say "the server cannot start: the section waits"
section 'listen = 192.0.2.9:3478'
daemon_reload 'msg="reloaded"'
want_logged 'not an address of this host'
want_logged 'reason="it has exited with status 2: '
want_equal "$(json "d['daemon']['sections'][0]['state']" sluice -j status)" waiting
want_status 0 sluice status
want_text "[rendezvous] waiting: it has exited with status 2: "
want_text "192.0.2.9"

say "another process has the port"
spawn_in "$HOST" "$TEST_TMP/other" python3 -IS -c 'import signal, socket
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("192.0.2.1", 3478))
signal.pause()'
other=$SPAWNED
wait_udp "$HOST" 3478
section 'listen = 192.0.2.1:3478'
daemon_reload 'msg="reloaded"'
section_says()
{
	sluice status | contains -F "$1"
}
wait_until 20 section_says "it has exited with status 5: 192.0.2.1:3478: the UDP port is in use"
stop "$other"
wait_until 20 answers 192.0.2.1 3478

say "the server runs, and a firewall drops the requests"
in_ns "$HOST" nft -f - <<-'NFT'
	table inet blocked {
		chain output {
			type filter hook output priority filter
			udp dport 3478 drop
		}
	}
NFT
wait_until 20 section_says "warning: a Binding request to 192.0.2.1:3478: Operation not permitted"
section_says "[rendezvous] running"
want_logged 'msg="rendezvous: the server is not ready" reason="a Binding request'
in_ns "$HOST" nft delete table inet blocked
want_logged 'msg="rendezvous: the server is ready again"'
want_equal "$(json "d['daemon']['sections'][0]['warnings']" sluice -j status)" "[]"

say "a reload while a server starts"
for port in 3480 3481; do
	section "listen = 192.0.2.1:$port"
	for _ in $(seq 15); do
		kill -HUP "$DAEMON"
		sleep 0.002
	done
	wait_until 20 answers 192.0.2.1 "$port"
done
[ "$(grep -c 'signal 1 ' "$DAEMON_LOG")" = 0 ] || fail "a reload has ended the server: $(cat "$DAEMON_LOG")"
third=$(pid)

say "without the section, and when the daemon exits, the server exits"
configure '[hold]' 'port = 4000'
daemon_reload 'msg="reloaded"'
wait_until 20 is_gone "$third"
section 'listen = 192.0.2.1:3478'
daemon_reload 'msg="reloaded"'
wait_until 20 answers 192.0.2.1 3478
fourth=$(pid)
daemon_stop
want_status 1 kill -0 "$fourth"
daemon_start
wait_until 20 answers 192.0.2.1 3478
fifth=$(pid)
kill -KILL "$DAEMON"
wait "$DAEMON" || true
wait_until 20 is_gone "$fifth"
sluice --netns "$HOST" cleanup
want_clean
