#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# An address that leaves the host is purged from the table, those of other addresses and of other
# namespaces are not; one that is there twice, or back at once, has not left.
#
#   container ── docker0 172.17.0.1, fd17::1 [host: [::]:56789] eth0 172.16.13.13, fd16::13
#   container2 ┘ 172.17.0.4, and a server of its own on 10.9.9.9
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"

# locals: the local addresses of the flows that the table holds
locals()
{
	json "sorted({f['local'] for f in d['flows']})" sluice -j reply flows --all
}

locals_are()
{
	[ "$(locals)" = "$1" ]
}

topology_up second
addr_add "$HOST" lo 10.9.9.9/32
addr_add "$CONTAINER2" eth0 10.8.8.8/32
ip -n "$CONTAINER" route add 10.8.8.8 via 172.17.0.4
serve "$HOST" dual6 "$PORT"
serve "$CONTAINER2" dual6 "$PORT"
configure '[reply]' 'mode = socket' "port = $PORT"
daemon_start

for addr in "$FAR4" "$FAR6" 10.9.9.9 10.8.8.8; do
	want_right "$CONTAINER" "$addr" "$PORT"
done
want_equal "$(locals)" "['10.8.8.8', '10.9.9.9', '172.16.13.13', 'fd16::13']"

say "IPv4"
addr_del "$HOST" eth0 "$FAR4/24"
wait_until 60 locals_are "['10.8.8.8', '10.9.9.9', 'fd16::13']" || fail "$(locals)"
want_logged 'msg="addresses left this host" addresses=1 flows_purged='

say "IPv6"
addr_del "$HOST" eth0 "$FAR6/64"
wait_until 60 locals_are "['10.8.8.8', '10.9.9.9']" || fail "$(locals)"

say "an address that is there a second time"
addr_add "$HOST" eth0 10.9.9.9/32
addr_del "$HOST" lo 10.9.9.9/32
# what has been looked at is told by the next address that goes
addr_add "$HOST" eth0 "$FAR4/24"
want_right "$CONTAINER" "$FAR4" "$PORT"
addr_del "$HOST" eth0 "$FAR4/24"
wait_until 60 locals_are "['10.8.8.8', '10.9.9.9']" || fail "$(locals)"
want_right "$CONTAINER" 10.9.9.9 "$PORT"

say "the address of another namespace goes with nobody but that namespace"
addr_add "$HOST" lo 10.8.8.8/32
addr_del "$HOST" lo 10.8.8.8/32
addr_add "$HOST" eth0 "$FAR4/24"
want_right "$CONTAINER" "$FAR4" "$PORT"
addr_del "$HOST" eth0 "$FAR4/24"
wait_until 60 locals_are "['10.8.8.8', '10.9.9.9']" || fail "$(locals)"
want_right "$CONTAINER" 10.8.8.8 "$PORT"

say "back again, it is learned and used again"
addr_add "$HOST" eth0 "$FAR4/24"
addr_add "$HOST" eth0 "$FAR6/64"
want_right "$CONTAINER" "$FAR4" "$PORT"
want_right "$CONTAINER" "$FAR6" "$PORT"

say "also from the table that was there before one of another size"
want_right "$CONTAINER" "$FAR4" "$PORT"
configure '[reply]' 'mode = socket' "port = $PORT" 'table = 1000'
daemon_reload 'msg="reloaded"'
[[ $(locals) == *"'$FAR4'"* ]] || fail "the flow is lost already: $(locals)"
addr_del "$HOST" eth0 "$FAR4/24"
locals_lack()
{
	[[ $(locals) != *"'$1'"* ]]
}
wait_until 60 locals_lack "$FAR4" || fail "$(locals)"
addr_add "$HOST" eth0 "$FAR4/24"

say "addresses that come and go under traffic to others: nobody else's flow is lost"
spawn_in "$CONTAINER" "$TEST_TMP/client" "$CLIENT" --any --until-signal --to "10.9.9.9:$PORT"
client=$SPAWNED
for round in $(seq 40); do
	addr_del "$HOST" eth0 "$FAR4/24"
	addr_add "$HOST" eth0 "$FAR4/24"
	[ $((round % 10)) != 0 ] || want_right "$CONTAINER" "$FAR4" "$PORT"
done
kill -TERM "$client"
wait "$client" || true
read -r _ sent _ right _ <"$TEST_TMP/client"
want_equal "$right" "$sent" "answers: $(cat "$TEST_TMP/client")"

want_equal "$(grep -E 'level=(warning|error)' "$DAEMON_LOG" || true)" "" "complaints of the daemon"
daemon_stop
sluice cleanup
want_verified
