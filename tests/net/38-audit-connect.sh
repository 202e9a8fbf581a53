#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Audit mode finds the servers that connect to their clients by itself: an unmodified nc is named,
# with what it did, and wire mode is named as the mend. One that answers without connecting, and a
# client that connects before it has heard anybody, are not.
#
#   container ── docker0 172.17.0.1, fd17::1 [host: nc -ul, wildcard] eth0 172.16.13.13, fd16::13
. "$(dirname "$0")/lib.sh"

NC=$(command -v nc.openbsd || command -v nc)

# connecting KEY: of the sockets that connected back
connecting()
{
	json "sorted(row.get('$1') for row in d['sockets'] if row['connects'])" sluice -j reply audit
}

# nc_serve OPTION…: nc in HOST as a server; it connects to the first client that it hears
nc_serve()
{
	spawn_in "$HOST" "$TEST_TMP/nc" bash -c 'sleep 60 | exec "$@"' - "$NC" -ul "$@"
	wait_udp "$HOST" "${!#}"
}

heard()
{
	grep -q "$1" "$TEST_TMP/nc"
}

# say_to ADDR PORT: CONTAINER sends a line to the server until it has it
say_to()
{
	in_ns "$CONTAINER" bash -c 'echo hello | "$1" -u -w 1 "$2" "$3"' - "$NC" "$1" "$2" || true
	wait_until 10 heard hello
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
say_to "$FAR4" $((PORT + 1))
want_equal "$(connecting port)" "[$((PORT + 1))]"
want_equal "$(connecting process)" "['$(basename "$(readlink -f "$NC")" | cut -c1-15)']"
want_equal "$(connecting connects)" "[1]"
want_equal "$(connecting needs_wire)" "[True]"
want_equal "$(json "[row['connect_example']['peer'] for row in d['sockets'] if row['connects']]" \
	sluice -j reply audit)" "['172.17.0.3']"
want_equal "$(counter audit_connect)" 1

say "nc, over IPv6"
nc_serve -6 $((PORT + 2))
say_to "$FAR6" $((PORT + 2))
want_equal "$(connecting port)" "[$((PORT + 1)), $((PORT + 2))]"

say "a client of the host, bound to a port, that connects first"
spawn_in "$CONTAINER" "$TEST_TMP/echo" "$SERVER" --kind sendto4 --port $((PORT + 3))
wait_udp "$CONTAINER" $((PORT + 3))
want_right "$HOST" 172.17.0.3 $((PORT + 3)) --from "0.0.0.0:$((PORT + 4))"
want_equal "$(connecting port)" "[$((PORT + 1)), $((PORT + 2))]"

say "the report for people names the process, and the mend"
want_status 0 sluice reply audit
want_text "172.17.0.3"
want_text "2 sockets connected to their clients"
want_text "mode wire"

say "a server that has ended meanwhile is named, where the kernel tells who connects (6.10)"
kill "$(json "[row['pid'] for row in d['sockets'] if row['port'] == $((PORT + 1))][0]" sluice -j reply audit)"
wait_until 10 udp_unbound "$HOST" $((PORT + 1))
sluice reply audit | grep -E "^(nc[.a-z]* +[0-9]+ \(gone\)|\(gone\) +-) +$((PORT + 1)) " ||
	fail "$(sluice reply audit)"

say "it is gone with audit mode, and the hooks with it"
reply_load
want_equal "$(bpftool cgroup show "$TEST_CGROUP" | grep -c sluice_connect || true)" 0 "programs"
sluice cleanup
want_verified
