#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Many reloads do not change the number of descriptors, programs, maps, links and pins of the
# daemon, nor the memory of the daemon and the kernel. The test covers each section and mode,
# unloads and detaches by commands in between, and refused attachments. ROUNDS sets the number of
# reloads of each section and mode (1; 500 in tests/nightly/leak.sh); the other cases run a tenth as
# often.
#
#   container ── docker0 172.17.0.1 [host: workers on [::]:56789] eth0 172.16.13.13
#
# takes long: reloads of every section and mode
. "$(dirname "${BASH_SOURCE[0]}")/../lib/lib.sh"
. "$ROOT/tests/net/lib/daemon.sh"
. "$ROOT/tests/net/lib/cpu.sh"

topology_up
workers a@0 b@1

# held: prints the number of the daemon's descriptors by kind, and the number of pins
held()
{
	find "/proc/$DAEMON/fd" -type l -printf '%l\n' | sed -E 's/:\[[0-9]+\]$//' | sort | uniq -c
	find "$PINS" -type f | wc -l
	bpftool cgroup tree "$TEST_CGROUP" | grep -c sluice_ || true
}

# A separate cgroup accounts the kernel memory of the daemon: with cgroup v1 beside the test's
# cgroup, with v2 below it if the controller is enabled.
MEMORY=$(awk '$0 ~ / - cgroup .*[ ,]memory/ { print $5; exit }' /proc/self/mountinfo)
MEMORY=${MEMORY:-$TEST_CGROUP}/sluice-leak.$$
mkdir "$MEMORY"
memory_end()
{
	local status=$?
	[ -z "${DAEMON:-}" ] || kill -KILL "$DAEMON" 2>/dev/null || true
	wait_until 20 rmdir "$MEMORY" || status=1
	exit "$status"
}
trap memory_end EXIT

# memory: prints the memory of the daemon in bytes: user space, and unreclaimable kernel memory (0
# if it is not accounted)
memory()
{
	awk '$1 == "RssAnon:" { print $2 * 1024 }' "/proc/$DAEMON/status"
	if [ -e "$MEMORY/memory.kmem.usage_in_bytes" ]; then
		echo 0 2>/dev/null >"$MEMORY/memory.force_empty" || true
		cat "$MEMORY/memory.kmem.usage_in_bytes"
	elif [ -e "$MEMORY/memory.stat" ]; then
		awk '$1 == "kernel" { all = $2 } $1 == "slab_reclaimable" { slab = $2 }
			END { print all - slab }' "$MEMORY/memory.stat"
	else
		echo 0
	fi
}

# The margins cover fluctuations of the allocators. Leaking a map or 2 kB of heap in each of 500
# reloads would exceed them.
MEMORY_MARGIN=1000000
COUNT=0

# memory_holds: returns true if neither exceeds MEMORY_BEFORE by more than its margin
memory_holds()
{
	paste <(echo "$MEMORY_BEFORE") <(memory) |
		awk -v margin="$MEMORY_MARGIN" '$2 > $1 + margin { more = 1 } END { exit more }'
}

holds()
{
	[ "$(held)" = "$BEFORE" ]
}

settled()
{
	local before
	before=$(held)
	# the daemon loads a program in reserve 50 ms after a sweep
	sleep 0.3
	[ "$(held)" = "$before" ]
}

# want_held: waits until the counts equal those of the last `settled`
want_held()
{
	wait_until 20 holds || fail "before:" "$BEFORE" "after $1:" "$(held)"
	wait_until 20 memory_holds || fail "bytes of the daemon and of the kernel before:" \
		"$MEMORY_BEFORE" "after $1:" "$(memory)"
	echo "$1: $(paste -sd' ' <<<"$MEMORY_BEFORE") bytes of the daemon and of the kernel," \
		"$(memory | paste -sd' ') after $COUNT reloads"
}

# count: stores what the daemon holds, once it is stable
count()
{
	wait_until 20 settled
	BEFORE=$(held) MEMORY_BEFORE=$(memory) COUNT=0
}

reloaded()
{
	daemon_reload 'msg="reloaded"'
	COUNT=$((COUNT + 1))
}

SOCKET=('[reply]' 'mode = socket')
AUDIT=('[reply]' 'mode = audit')
HOST_ROLE=('[wire]' 'follow = docker0' 'port = 1-99')
GATEWAY=('[wire]' 'gateway = eth0' 'server = 10.0.0.5,10.0.1.5')
# without a route, the probe ends at once
HOLD=('[hold]' 'port = 4000' 'probe = 240.0.0.1:9')
FLOW=('[steer]' "port = $PORT" 'policy = flow')
LOAD=('[steer]' "port = $PORT" 'policy = load')
CPU=('[steer]' "port = $PORT" 'policy = cpu')
XDP=("${CPU[@]}" 'xdp = eth0' 'cpus = 0-1')

configure "${SOCKET[@]}"
daemon_start
echo "$DAEMON" >"$MEMORY/cgroup.procs"

# reload_each NAME -- LINE… [-- LINE…]: reloads ROUNDS times, with each of the files in turn
reload_each()
{
	local name=$1 file=() files=0 round line
	shift 2
	for line in "$@" --; do
		if [ "$line" != -- ]; then
			file+=("$line")
			continue
		fi
		configure "${file[@]}"
		cp "$CONF" "$TEST_TMP/file.$files"
		files=$((files + 1))
		file=()
	done
	for round in $(seq 0 $((ROUNDS + 2 * files))); do
		cp "$TEST_TMP/file.$((round % files))" "$CONF"
		reloaded
		[ "$round" != "$files" ] || count
	done
	# end with the file that was active when BEFORE was counted
	while [ $((round % files)) != 0 ]; do
		round=$((round + 1))
		cp "$TEST_TMP/file.$((round % files))" "$CONF"
		reloaded
	done
	want_held "$name"
}

say "each section and mode"
ROUNDS=${ROUNDS:-1}
reload_each socket,host,hold,flow -- "${SOCKET[@]}" "${HOST_ROLE[@]}" "${HOLD[@]}" "${FLOW[@]}"
reload_each audit,gateway,hold,xdp -- "${AUDIT[@]}" "${GATEWAY[@]}" "${HOLD[@]}" "${XDP[@]}"
ROUNDS=$((ROUNDS > 10 ? ROUNDS / 10 : 1))

say "in turn: attach, detach and replace tables"
reload_each turns -- "${SOCKET[@]}" "${HOST_ROLE[@]}" "${FLOW[@]}" -- \
	"${AUDIT[@]}" "${GATEWAY[@]}" "${XDP[@]}" -- "${SOCKET[@]}" 'table = 20000' \
	"${HOST_ROLE[@]}" 'table = 20000' "${LOAD[@]}" 'flows = 20000'

say "a command unloads in between"
configure "${SOCKET[@]}" "${HOST_ROLE[@]}" "${CPU[@]}"
reloaded
# load once before: objects loaded before the daemon joined this cgroup are not accounted to it
sluice --netns "$HOST" reply unload >/dev/null
sluice steer unload >/dev/null
reloaded
count
for _ in $(seq "$ROUNDS"); do
	sluice --netns "$HOST" reply unload >/dev/null
	sluice steer unload >/dev/null
	reloaded
done
want_held "unload and reload"

say "a command detaches in between"
for _ in $(seq "$ROUNDS"); do
	for pin in "$PINS"/reply/link_* "$PINS"/wire/link_* "$PINS"/steer/sluice_recv*; do
		bpftool link detach pinned "$pin"
	done
	reloaded
done
want_held "detach and reload"

say "an attachment is refused"
for _ in $(seq "$ROUNDS"); do
	configure '[reply]' 'mode = socket' '[wire]' 'follow = lo' '[steer]' "port = $PORT" \
		'policy = cpu' 'xdp = none' 'cpus = 0-1'
	reloaded
	configure "${SOCKET[@]}" "${HOST_ROLE[@]}" "${CPU[@]}"
	reloaded
done
want_held "refusals"

daemon_stop
DAEMON=
sluice --netns "$HOST" cleanup
want_verified
