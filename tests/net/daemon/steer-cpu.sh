#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Under policy cpu, the daemon detects the CPUs of the workers of a new server, and detects when
# workers move to other CPUs. 'steer show' prints the thread and CPU of each worker.
#
#   client on CPU 0 or 1 ── lo 127.0.0.1 [host: threads on CPU 0 and CPU 1, on [::]:56789]
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"
. "$(dirname "$0")/../lib/cpu.sh"

netns_add "$HOST"

# by_cpu NAME NAME: checks that the first worker answers a client on CPU 0, and the second a client
# on CPU 1
by_cpu()
{
	[ "$(tally "$HOST" 0 127.0.0.1)" = "$1:40" ] && [ "$(tally "$HOST" 1 127.0.0.1)" = "$2:40" ]
}

# shown: prints thread, CPU and pinning of each slot
shown()
{
	json "'\n'.join(f\"{s['consumer']['thread']}:{s['consumer']['cpu']}:{s['consumer']['pinned']}\"
		for g in d['groups'] for s in g['slots'])" sluice -j --netns "$HOST" steer show
}

# want_shown SLOT…: compares `shown` with these slots, in any order
want_shown()
{
	want_equal "$(shown | sort)" "$(printf '%s\n' "$@" | sort)"
}

say "a server that starts later"
configure '[steer]' "port = $PORT" 'policy = cpu' 'sweep = 1'
daemon_start
workers a@0 b@1
wait_until 30 by_cpu a b
first=$SPAWNED
second=$(find "/proc/$first/task" -mindepth 1 -maxdepth 1 ! -name "$first" -printf '%f')
want_shown "$first:0:True" "$second:1:True"

say "its threads move"
taskset -cp 1 "$first" >/dev/null
taskset -cp 0 "$second" >/dev/null
wait_until 30 by_cpu b a
want_shown "$first:1:True" "$second:0:True"

say "two workers on one CPU share its datagrams"
workers c@1
shares()
{
	[[ $(tally "$HOST" 1 127.0.0.1) =~ ^a:[0-9]+\ c:[0-9]+$ ]]
}
wait_until 30 shares
want_equal "$(tally "$HOST" 0 127.0.0.1)" "b:40"
daemon_stop
sluice steer unload
