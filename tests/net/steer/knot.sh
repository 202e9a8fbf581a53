#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# knot with four UDP workers is restarted repeatedly under dnsperf, like unbound in unbound.sh. Each
# instance has its own directory, since a running instance locks its databases.
#
#   host: dnsperf, 20 clients ── lo ── knotd, old ▸ knotd, new ▸ …
#
# takes long: restarts under queries
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/steer.sh"
. "$(dirname "$0")/../lib/dns.sh"

DNS_NAME=knotd
KNOTD=$(server_path usr/sbin/knotd)

# four_more SOCKETS: returns true if port 53 has four more UDP sockets than SOCKETS
four_more()
{
	[ "$(sockets)" -ge $(($1 + 4)) ]
}

sockets()
{
	in_ns "$HOST" grep -c ":0035 " /proc/net/udp || true
}

dns_start()
{
	local before dir
	dir=$(mktemp -d "$TEST_TMP/knot.XXX")
	cat >"$dir/zone" <<-ZONE
		example. 3600 SOA ns.example. root.example. 1 3600 600 86400 60
		example. 3600 NS ns.example.
		ns.example. 3600 A 192.0.2.2
		www.example. 3600 A 192.0.2.1
	ZONE
	cat >"$dir/conf" <<-CONF
		server:
		  rundir: "$dir"
		  listen: 127.0.0.1@53
		  udp-workers: 4
		  tcp-workers: 1
		  background-workers: 1
		  tcp-reuseport: on
		log:
		  - target: stderr
		    any: info
		database:
		  storage: "$dir"
		zone:
		  - domain: example
		    file: "$dir/zone"
		    zonefile-sync: -1
		    journal-content: none
	CONF
	before=$(sockets)
	spawn_in "$HOST" "$dir/log" "$KNOTD" -c "$dir/conf"
	wait_until 20 four_more "$before" && wait_until 20 grep -q 'server started' "$dir/log" ||
		fail "knotd did not start:" "$(cat "$dir/log")"
}

netns_add "$HOST"
dns_start
say "without sluice"
want_lost 127.0.0.1
say "loaded and drained"
want_handed_over "${ROUNDS:-5}" 127.0.0.1
dns_stop
