#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# DTLS handshakes with openssl s_server under each mode, and the mode that the audit names. The server
# stays unconnected, which mode socket and mode wire fix. With -listen, it sends its first reply
# unconnected, and then connects the same socket to the client, which only mode wire fixes, and only
# without mode socket: a first reply that is right makes mode wire leave the client alone.
#
#   container: openssl s_client ── docker0 172.17.0.1 [host: openssl s_server] eth0 172.16.13.13
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

DTLS_PORT=4433
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=test \
	-keyout "$TEST_TMP/key.pem" -out "$TEST_TMP/cert.pem" 2>"$TEST_TMP/req.log"
# the server ends when its input does
mkfifo "$TEST_TMP/input"

# want_handshake yes|no [OPTION]: one with a new server
want_handshake()
{
	local wanted=$1 got=no seconds=60
	[ "$wanted" = yes ] || seconds=3
	shift
	# shellcheck disable=SC2016 # of the other shell
	spawn_in "$HOST" "$TEST_TMP/dtls.log" bash -c 'exec openssl s_server -dtls -accept "$0" \
		-cert "$1/cert.pem" -key "$1/key.pem" "${@:2}" <>"$1/input"' $DTLS_PORT "$TEST_TMP" "$@"
	wait_udp "$HOST" $DTLS_PORT
	in_ns "$CONTAINER" timeout "$seconds" openssl s_client -dtls -connect "$FAR4:$DTLS_PORT" \
		</dev/null >"$TEST_TMP/client" 2>&1 || true
	# 0000 before the end of the handshake
	! grep -q '^ *Cipher *: [^0]' "$TEST_TMP/client" || got=yes
	want_equal "$got" "$wanted" "a handshake: $(cat "$TEST_TMP/client" "$TEST_TMP/dtls.log")"
}

# audited KEY…: prints the values of the server's row in the audit
audited()
{
	json "[tuple(row.get(key) for key in '$*'.split()) for row in d['sockets']
		if row['pid'] == $SPAWNED]" sluice -j reply audit
}

# under MODES COMMAND…: runs COMMAND with these modes loaded, and leaves the server running
under()
{
	local modes=$1
	shift
	[[ $modes != *audit* ]] || sluice reply load --mode audit --cgroup "$TEST_CGROUP"
	[[ $modes != *socket* ]] || reply_load
	[[ $modes != *wire* ]] || wire_load --follow docker0
	"$@"
}

# end MODES: ends the server, and unloads
end()
{
	stop "$SPAWNED"
	[[ $1 != *wire* ]] || wire_unload
	[[ $1 != *audit* && $1 != *socket* ]] || sluice reply unload
}

topology_up
say "unconnected"
under "" want_handshake no
end ""
under audit want_handshake no
want_equal "$(audited verdict connects fixed_by)" "[('wrong', 0, 'socket')]"
end audit
under socket want_handshake yes
want_equal "$(audited verdict)" "[]" "those that mode socket does not fix"
end socket
under wire want_handshake yes
end wire
under socket,wire want_handshake yes
end socket,wire
under "" want_handshake no
end ""

say "-listen"
under "" want_handshake no -listen
end ""
# before the first reply is right, nothing shows that the server will connect
under audit want_handshake no -listen
want_equal "$(audited verdict connects fixed_by)" "[('wrong', 0, 'socket')]"
end audit
under socket want_handshake no -listen
want_equal "$(audited connects siblings connect_verdict fixed_by)" "[(1, 0, 'wrong', 'wire')]"
want_status 0 sluice reply audit
want_text "mode wire fixes 1 of the wrong ones; mode socket cannot"
end socket
under wire want_handshake yes -listen
end wire
under socket,wire want_handshake no -listen
end socket,wire
under "" want_handshake no -listen
end ""
