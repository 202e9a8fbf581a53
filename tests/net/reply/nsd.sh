#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# An unmodified NSD uses the wildcard addresses of both families. Several processes share each
# socket, receive with recvmmsg(2), and reply with sendmmsg(2).
#
#   container: dig ── docker0 172.17.0.1, fd17::1 [host: nsd *:53] eth0 172.16.13.13, fd16::13
. "$(dirname "$0")/../lib/lib.sh"

cat >"$TEST_TMP/nsd.conf" <<CONF
server:
  ip-address: 0.0.0.0
  ip-address: ::0
  server-count: 2
  username: ""
  pidfile: ""
  database: ""
  zonesdir: "$TEST_TMP"
  zonelistfile: "$TEST_TMP/zone.list"
  xfrdfile: "$TEST_TMP/xfrd.state"
  xfrdir: "$TEST_TMP"
remote-control:
  control-enable: no
zone:
  name: example
  zonefile: example.zone
CONF
cat >"$TEST_TMP/example.zone" <<'ZONE'
$ORIGIN example.
$TTL 60
@    SOA ns hostmaster 1 3600 600 86400 60
@    NS  ns
ns   A   192.0.2.2
www  A   192.0.2.1
ZONE

# dug ADDR [SECONDS]: prints the answer, or dig's error after SECONDS
dug()
{
	in_ns "$CONTAINER" dig +tries=1 "+time=${2:-10}" +short "@$1" www.example A || true
}

# unanswered ADDR: expects no answer within one second
unanswered()
{
	[[ $(dug "$1" 1) == *"timed out"* ]]
}

topology_up
spawn_in "$HOST" "$TEST_TMP/nsd.log" "$(server_path usr/sbin/nsd)" -d -c "$TEST_TMP/nsd.conf"
wait_udp "$HOST" 53

say "without sluice"
want_equal "$(dug "$NEAR4")" 192.0.2.1
unanswered "$FAR4" || fail "nsd does not show the fault (IPv4)"
unanswered "$FAR6" || fail "nsd does not show the fault (IPv6)"
say "loaded"
reply_load --port 53
for addr in "$FAR4" "$FAR6" "$NEAR4" "$NEAR6"; do
	want_equal "$(dug "$addr")" 192.0.2.1 "from $addr"
done
say "unloaded"
sluice reply unload
unanswered "$FAR4" || fail "still fixed after unload"
