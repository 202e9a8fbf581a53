#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# An unmodified unbound replies on the wildcard addresses of both families.
#
#   container: dig ── docker0 172.17.0.1, fd17::1 [host: unbound *:53] eth0 172.16.13.13, fd16::13
. "$(dirname "$0")/../lib/lib.sh"

cat >"$TEST_TMP/unbound.conf" <<CONF
server:
  interface: 0.0.0.0
  interface: ::0
  do-daemonize: no
  username: ""
  chroot: ""
  pidfile: ""
  directory: "$TEST_TMP"
  use-syslog: no
  access-control: 0.0.0.0/0 allow
  access-control: ::/0 allow
  module-config: "iterator"
  local-zone: "example." static
  local-data: "www.example. A 192.0.2.1"
remote-control:
  control-enable: no
CONF

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
spawn_in "$HOST" "$TEST_TMP/unbound.log" "$(server_path usr/sbin/unbound)" \
	-d -c "$TEST_TMP/unbound.conf"
wait_udp "$HOST" 53

say "without sluice"
want_equal "$(dug "$NEAR4")" 192.0.2.1
unanswered "$FAR4" || fail "unbound does not show the fault (IPv4)"
unanswered "$FAR6" || fail "unbound does not show the fault (IPv6)"
say "loaded"
reply_load --port 53
for addr in "$FAR4" "$FAR6" "$NEAR4" "$NEAR6"; do
	want_equal "$(dug "$addr")" 192.0.2.1 "from $addr"
done
say "unloaded"
sluice reply unload
unanswered "$FAR4" || fail "still fixed after unload"
