#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Mode audit finds the servers that connect to their clients. It reports which servers send from the
# requested address, which send from another address, and which are already covered by mode wire.
# The servers are an unmodified nc, which sends nothing, and a server that replies; its result is
# reported even after its exit. Mode audit does not list a server that replies without connecting,
# or a client that connects before it has received anything.
#
#   container ── docker0 172.17.0.1, fd17::1 [host: servers, wildcard] eth0 172.16.13.13, fd16::13
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

NC=$(command -v nc.openbsd || command -v nc)

# connecting KEY: prints KEY of the sockets that have connected back, by port
connecting()
{
	json "[row.get('$1') for row in d['sockets'] if row['connects']]" sluice -j reply audit
}

# verdict PORT: prints the verdict of the connected socket, whether it needs mode wire, and its
# source
verdict()
{
	json "[(row['connect_verdict'], row['needs_wire'], row['connect_example']['reply_source'])
		for row in d['sockets'] if row['port'] == $1][0]" sluice -j reply audit
}

# counted PORT: prints the connected socket's wrong and right answers
counted()
{
	json "[(row['connect_wrong'], row['connect_right']) for row in d['sockets']
		if row['port'] == $1][0]" sluice -j reply audit
}

# nc_serve OPTION…: starts nc in HOST as a server; it connects to its first client
nc_serve()
{
	spawn_in "$HOST" "$TEST_TMP/nc" bash -c 'sleep 600 | exec "$@"' - "$NC" -ul "$@"
	wait_udp "$HOST" "${!#}"
}

received()
{
	grep -q "$1" "$TEST_TMP/nc"
}

# send_line ADDR PORT: sends a line from CONTAINER until the server has received it
send_line()
{
	in_ns "$CONTAINER" bash -c 'echo hello | "$1" -u -w 1 "$2" "$3"' - "$NC" "$1" "$2" || true
	wait_until 10 received hello
}

# back_serve PORT: starts a server in HOST that connects to its first client and answers it
back_serve()
{
	cat >"$TEST_TMP/back.py" <<-'PYTHON'
		import socket, sys
		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		s.bind(("0.0.0.0", int(sys.argv[1])))
		data, peer = s.recvfrom(2048)
		s.connect(peer)
		s.send(data)
		while True:
		    try:
		        data = s.recv(2048)
		        s.send(data)
		    except ConnectionRefusedError:
		        pass # the client's kernel sends an ICMP error to the wrong source
	PYTHON
	spawn_in "$HOST" "$TEST_TMP/back.log" python3 "$TEST_TMP/back.py" "$1"
	wait_udp "$HOST" "$1"
}

topology_up
serve "$HOST" sendto4 "$PORT"
sluice reply load --mode audit --cgroup "$TEST_CGROUP"

say "a server that does not connect"
want_wrong "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"
want_equal "$(json "d['connects']" sluice -j reply audit)" 0
want_equal "$(json "[row['needs_wire'] for row in d['sockets']]" sluice -j reply audit)" "[False]"

say "nc, over IPv4"
nc_serve -4 $((PORT + 1))
send_line "$FAR4" $((PORT + 1))
want_equal "$(connecting port)" "[$((PORT + 1))]"
want_equal "$(connecting process)" "['$(basename "$(readlink -f "$NC")" | cut -c1-15)']"
want_equal "$(connecting connects)" "[1]"
want_equal "$(verdict $((PORT + 1)))" "('wrong', True, '$NEAR4')" "silent, and connected with another"
want_equal "$(counted $((PORT + 1)))" "(0, 0)"
want_equal "$(json "[row['connect_example']['peer'] for row in d['sockets'] if row['connects']]" \
	sluice -j reply audit)" "['172.17.0.3']"
want_equal "$(counter audit_connect)" 1

say "nc, over IPv6"
nc_serve -6 $((PORT + 2))
send_line "$FAR6" $((PORT + 2))
want_equal "$(connecting port)" "[$((PORT + 1)), $((PORT + 2))]"
want_equal "$(verdict $((PORT + 2)))" "('wrong', True, '$NEAR6')"

say "a local client that binds a port and connects first"
spawn_in "$CONTAINER" "$TEST_TMP/echo" "$SERVER" --kind sendto4 --port $((PORT + 3))
wait_udp "$CONTAINER" $((PORT + 3))
want_right "$HOST" 172.17.0.3 $((PORT + 3)) --from "0.0.0.0:$((PORT + 4))"
want_equal "$(connecting port)" "[$((PORT + 1)), $((PORT + 2))]"

say "nc, requested at the address from which it connects"
nc_serve -4 $((PORT + 5))
send_line "$NEAR4" $((PORT + 5))
want_equal "$(verdict $((PORT + 5)))" "('right', False, '$NEAR4')"

say "a server with wrong replies, and a server with right replies"
back_serve $((PORT + 6))
wrong=$SPAWNED
ask "$CONTAINER" --to "$FAR4:$((PORT + 6))" --timeout-ms 300 >/dev/null
want_equal "$(verdict $((PORT + 6)))" "('wrong', True, '$NEAR4')"
want_equal "$(counted $((PORT + 6)))" "(1, 0)"
back_serve $((PORT + 7))
want_right "$CONTAINER" "$NEAR4" $((PORT + 7)) --from 172.17.0.3:4000
want_equal "$(verdict $((PORT + 7)))" "('right', False, '$NEAR4')"
want_equal "$(counted $((PORT + 7)))" "(0, 3)"
want_equal "$(counter audit_right)" 6 "three of the container's server, three connected"
want_equal "$(counter audit_wrong)" 4 "three unconnected, and one connected"
want_equal "$(json "(d['wrong'], d['right'])" sluice -j reply audit)" "(4, 6)"

say "the text report names the process, the verdict and the fix"
want_status 0 sluice reply audit
want_text "172.17.0.3"
want_text "5 sockets connected to their clients: 3 wrong, 2 right"
want_text "mode wire fixes 3 of the wrong ones"
grep -qE " $((PORT + 6)) +1 +same +1 +0 +172.17.0.3:[0-9]+ +$FAR4 +$NEAR4 +wrong +wire$" <<<"$OUTPUT" ||
	fail "no line for the wrong socket:" "$OUTPUT"
grep -qE " $((PORT + 7)) +1 +same +0 +3 +172.17.0.3:4000 +$NEAR4 +$NEAR4 +right +-$" <<<"$OUTPUT" ||
	fail "no line for the right socket:" "$OUTPUT"
grep -qE "^udp-server .* $FAR4 +$NEAR4 +wrong +socket$" <<<"$OUTPUT" || fail "no verdict:" "$OUTPUT"

say "mode wire covers them as soon as it has the interface and the port, before any further datagram"
for options in "--iface eth0" "--follow docker0 --port 1"; do
	# shellcheck disable=SC2086
	wire_load $options
	want_equal "$(verdict $((PORT + 6)))" "('wrong', True, '$NEAR4')" "$options"
	wire_unload
done
wire_load --follow docker0
want_equal "$(connecting connect_verdict)" "['covered', 'covered', 'right', 'covered', 'right']"
want_equal "$(connecting needs_wire)" "[False, False, False, False, False]"
want_equal "$(json "[row['verdict'] for row in d['sockets'] if row['port'] == $PORT]" \
	sluice -j reply audit)" "['covered']"
want_status 0 sluice reply audit
want_text "5 sockets connected to their clients: 3 covered, 2 right"
[[ $OUTPUT != *mends* ]] || fail "suggests a fix, but nothing is wrong:" "$OUTPUT"

say "a socket that connects now is counted by its sends, and covered: its answers are rewritten later"
back_serve $((PORT + 8))
want_right "$CONTAINER" "$FAR4" $((PORT + 8)) --from 172.17.0.3:4001
want_equal "$(verdict $((PORT + 8)))" "('covered', False, '$NEAR4')"
want_equal "$(counted $((PORT + 8)))" "(3, 0)"
wire_unload
want_equal "$(verdict $((PORT + 6)))" "('wrong', True, '$NEAR4')" "no longer covered"

say "an exited server is reported if the kernel reports the connecting process (6.10)"
kill "$(json "[row['pid'] for row in d['sockets'] if row['port'] == $((PORT + 1))][0]" sluice -j reply audit)"
wait_until 10 udp_unbound "$HOST" $((PORT + 1))
stop "$wrong"
want_status 0 sluice reply audit
grep -qE "^(nc[.a-z]* +[0-9]+ \(gone\)|\(gone\) +-) +- +$((PORT + 1)) " <<<"$OUTPUT" || fail "$OUTPUT"
want_equal "$(verdict $((PORT + 1)))" "('unknown', False, None)" "silent, and gone"
want_equal "$(verdict $((PORT + 6)))" "('wrong', True, '$NEAR4')" "exited, but it had answered"

say "mode socket keeps only the rows that it does not fix"
reply_load
want_equal "$(connecting port | tr -d ' ' | tr , '\n' | wc -l)" \
	"$(json "len(d['sockets'])" sluice -j reply audit)"
want_equal "$(json "(d['wrong'] - sum(row['connect_wrong'] for row in d['sockets']))" \
	sluice -j reply audit)" 0 "unconnected"
sluice cleanup
want_verified
