#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# unbound with four threads is restarted repeatedly under dnsperf, with the commands of the man
# page: a new server starts beside the old server, which is drained and stopped. No query is lost,
# and each client moves once per restart. Without sluice, the kernel loses the queries that reach
# the old server's sockets while it exits.
#
#   host: dnsperf, 20 clients ── lo ── unbound, old ▸ unbound, new ▸ …
#
# takes long: restarts under queries
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/steer.sh"
. "$(dirname "$0")/../lib/dns.sh"

DNS_NAME=unbound
UNBOUND=$(server_path usr/sbin/unbound)

cat >"$TEST_TMP/unbound.conf" <<CONF
server:
  interface: 127.0.0.1
  interface: ::1
  num-threads: 4
  so-reuseport: yes
  do-tcp: no
  do-daemonize: no
  username: ""
  chroot: ""
  pidfile: ""
  directory: "$TEST_TMP"
  use-syslog: no
  verbosity: 1
  module-config: "iterator"
  local-zone: "example." static
  local-data: "www.example. A 192.0.2.1"
remote-control:
  control-enable: no
CONF
# unbound logs a line when all of its threads have their sockets.
dns_start()
{
	local log
	log=$(mktemp "$TEST_TMP/unbound.XXX")
	spawn_in "$HOST" "$log" "$UNBOUND" -d -c "$TEST_TMP/unbound.conf"
	wait_until 20 grep -q 'start of service' "$log" || fail "unbound did not start:" "$(cat "$log")"
}

netns_add "$HOST"
dns_start
say "without sluice"
want_lost 127.0.0.1
say "loaded and drained, IPv4"
want_handed_over "${ROUNDS:-5}" 127.0.0.1
say "loaded and drained, IPv6"
want_handed_over 2 ::1
dns_stop
