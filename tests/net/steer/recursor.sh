#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The PowerDNS recursor with four threads is restarted repeatedly under dnsperf, like unbound in
# unbound.sh.
#
#   host: dnsperf, 20 clients ── lo ── pdns_recursor, old ▸ pdns_recursor, new ▸ …
#
# takes long: restarts under queries
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/steer.sh"
. "$(dirname "$0")/../lib/dns.sh"

DNS_NAME=pdns_recursor
RECURSOR=$(server_path usr/sbin/pdns_recursor)

sockets()
{
	in_ns "$HOST" grep -c ":0035 " /proc/net/udp || true
}

four_more()
{
	[ "$(sockets)" -ge $(($1 + 4)) ]
}

cat >"$TEST_TMP/zone" <<ZONE
example. 3600 SOA ns.example. root.example. 1 3600 600 86400 60
example. 3600 NS ns.example.
ns.example. 3600 A 192.0.2.2
www.example. 3600 A 192.0.2.1
ZONE
dns_start()
{
	local before dir
	dir=$(mktemp -d "$TEST_TMP/recursor.XXX")
	before=$(sockets)
	spawn_in "$HOST" "$dir/log" "$RECURSOR" --config-dir="$dir" --socket-dir="$dir" --daemon=no \
		--local-address=127.0.0.1 --threads=4 --reuseport=yes --pdns-distributes-queries=no \
		--auth-zones="example=$TEST_TMP/zone" --dont-query= --security-poll-suffix= \
		--webserver=no --hint-file=no
	wait_until 30 four_more "$before" || fail "pdns_recursor did not start:" "$(cat "$dir/log")"
}

netns_add "$HOST"
dns_start
say "loaded and drained"
want_handed_over "${ROUNDS:-5}" 127.0.0.1
dns_stop
