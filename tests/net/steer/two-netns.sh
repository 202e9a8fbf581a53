#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The same address and port in two network namespaces are two groups, each with its own figures and
# the counters of its namespace. A value that the caller may not read is omitted.
#
#   host: two servers on [::]:47081       other: two servers on [::]:47081
#
# No other test uses this port: `--netns all` steers the servers of all namespaces of the machine.
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/see.sh"

OTHER=other
PORT=47081

# local_up NAME: starts two dual-stack servers in that namespace
local_up()
{
	serve "$1" dual6 "$PORT" --reuseport
	spawn_in "$1" "$TEST_TMP/$1.second" "$SERVER" --kind dual6 --port "$PORT" --reuseport
	wait_until 10 two_bound "$1"
}

two_bound()
{
	[ "$(in_ns "$1" grep -c ":$(printf '%04X' "$PORT") " /proc/net/udp6)" = 2 ]
}

# of_netns NAME EXPRESSION: evaluates EXPRESSION with the group `g` and the counters `n` of that
# namespace
of_netns()
{
	json "[(lambda g, n: $2)(g, n) for g in d['groups'] for n in d['namespaces']
		if g['netns_name'] == n['name'] == '$1']" sluice -j steer show
}

netns_add "$HOST"
netns_add "$OTHER"
local_up "$HOST"
local_up "$OTHER"
sluice --netns all steer load --port "$PORT"
ask "$HOST" --to "127.0.0.1:$PORT" --flows 10 --burst >/dev/null
ask "$HOST" --to "[::1]:$PORT" --flows 5 --burst >/dev/null
ask "$OTHER" --to "[::1]:$PORT" --flows 20 --burst >/dev/null

say "two groups"
want_equal "$(json "len(d['groups']), len(d['namespaces'])" sluice -j steer show)" "(2, 2)"
want_equal "$(of_netns "$HOST" "(g['address'], g['datagrams'], n['steered']['datagrams'])")" \
	"[('::', 15, 15)]"
want_equal "$(of_netns "$OTHER" "(g['address'], g['datagrams'], n['steered']['datagrams'])")" \
	"[('::', 20, 20)]"
# requests and answers, over IPv4 and IPv6
want_equal "$(of_netns "$HOST" "n['udp']['in_datagrams']")" "[30]"
want_equal "$(of_netns "$OTHER" "n['udp']['in_datagrams']")" "[40]"
want_equal "$(of_netns "$HOST" "g['netns']")" "[$(stat -Lc %i "/run/netns/$HOST")]"

say "without CAP_SYS_PTRACE: the queues are known, the counters of the namespaces are not"
want_status 0 setpriv --bounding-set=-sys_ptrace --inh-caps=-sys_ptrace "$SLUICE" -j steer show
want_equal "$(json "{s['drops'] for g in d['groups'] for s in g['slots']}, \
	all(s['queue'] for g in d['groups'] for s in g['slots']), \
	[(n['steered']['sockets_unmeasured'], n['udp']) for n in d['namespaces']]" cat <<<"$OUTPUT")" \
	"({0}, True, [(0, None), (0, None)])"
want_status 0 setpriv --bounding-set=-sys_ptrace --inh-caps=-sys_ptrace "$SLUICE" steer show
want_text CAP_SYS_PTRACE

say "check names the requirements of steering"
want_equal "$(json "{c['name'] for c in d['checks']} >= {'CAP_SYS_PTRACE', 'iter/task_file', \
	'pidfd_getfd', 'sk_reuseport', 'bpf_probe_read_kernel', 'SO_ATTACH_REUSEPORT_EBPF'}" \
	sluice -j check --for steer)" True
want_status 4 setpriv --bounding-set=-sys_ptrace --inh-caps=-sys_ptrace "$SLUICE" check --for steer
want_text CAP_SYS_PTRACE
