#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# nsd has four server processes and daemonizes: the process that bound the sockets exits once the
# server runs, and its children hold the sockets. nsd is restarted repeatedly under dnsperf, like
# unbound in unbound.sh. The drain also accepts the process ids that 'steer show' prints.
#
#   host: dnsperf, 20 clients ── lo ── nsd, old ▸ nsd, new ▸ …
#
# takes long: restarts under queries
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/steer.sh"
. "$(dirname "$0")/../lib/dns.sh"

DNS_NAME='nsd: xfrd'
NSD=$(server_path usr/sbin/nsd)

sockets()
{
	in_ns "$HOST" grep -c ":0035 " /proc/net/udp || true
}

four_more()
{
	[ "$(sockets)" -ge $(($1 + 4)) ] && [ -s "$2" ]
}

dns_start()
{
	local before dir
	dir=$(mktemp -d "$TEST_TMP/nsd.XXX")
	cat >"$dir/zone" <<-ZONE
		example. 3600 SOA ns.example. root.example. 1 3600 600 86400 60
		example. 3600 NS ns.example.
		ns.example. 3600 A 192.0.2.2
		www.example. 3600 A 192.0.2.1
	ZONE
	cat >"$dir/conf" <<-CONF
		server:
		  ip-address: 127.0.0.1
		  server-count: 4
		  reuseport: yes
		  username: ""
		  chroot: ""
		  zonesdir: "$dir"
		  database: ""
		  pidfile: "$dir/pid"
		  logfile: "$dir/log"
		  zonelistfile: "$dir/list"
		  xfrdfile: ""
		  xfrdir: "$dir"
		  rrl-ratelimit: 0
		remote-control:
		  control-enable: no
		zone:
		  name: example
		  zonefile: "$dir/zone"
	CONF
	before=$(sockets)
	in_ns "$HOST" "$NSD" -c "$dir/conf" || fail "nsd did not start:" "$(cat "$dir/log")"
	wait_until 20 four_more "$before" "$dir/pid" || fail "nsd did not start:" "$(cat "$dir/log")"
}

# shown: prints the process ids of the slots that take datagrams
shown()
{
	json "sorted({s['pid'] for g in d['groups'] for s in g['slots']
		if s['state'] in ('active', 'retired')})" sluice -j steer show | tr -d '[],'
}

command_of()
{
	tr '\0' ' ' <"/proc/$1/cmdline"
}

# drain_shown PID: drains by the first process id that steer show prints for the server of PID; its
# processes share a command line
drain_shown()
{
	local pid
	for pid in $(shown); do
		if [ "$(command_of "$pid")" = "$(command_of "$1")" ]; then
			sluice steer drain "$pid" --idle 1 --limit 1 --wait 10
			return
		fi
	done
	fail "steer show prints no process of $1:" "$(sluice steer show)"
}

# restart_shown: drains by a process id that steer show prints
restart_shown()
{
	local old
	old=$(dns_pid)
	dns_start
	drain_shown "$old"
	kill "$old"
	want_gone "$old"
}

netns_add "$HOST"
dns_start
say "loaded and drained"
want_handed_over "${ROUNDS:-5}" 127.0.0.1
say "drained by another process of the server"
want_handed_over 2 127.0.0.1 restart_shown
dns_stop
