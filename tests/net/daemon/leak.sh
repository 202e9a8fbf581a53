#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The daemon holds as many descriptors, programs, maps and links after many reloads as before, and
# leaves as many pins: for each section and mode, where a command unloads or detaches in between,
# and where an attachment is refused. ROUNDS sets the number of reloads of [reply], [hold] and
# [steer] (5; 500 in tests/nightly/leak.sh). Those of [wire], which take longest, are a fifth, and
# all others a tenth.
#
#   container ── docker0 172.17.0.1 [host: workers on [::]:56789] eth0 172.16.13.13
. "$(dirname "${BASH_SOURCE[0]}")/../lib/lib.sh"
. "$ROOT/tests/net/lib/daemon.sh"
. "$ROOT/tests/net/lib/cpu.sh"

topology_up
workers a@0 b@1

# held: prints how many descriptors of each kind the daemon has, and how many pins there are
held()
{
	find "/proc/$DAEMON/fd" -type l -printf '%l\n' | sed -E 's/:\[[0-9]+\]$//' | sort | uniq -c
	find "$PINS" -type f | wc -l
	bpftool cgroup tree "$TEST_CGROUP" | grep -c sluice_ || true
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

# want_held: as at the last `settled`, once what the reload has set off is done
want_held()
{
	wait_until 20 holds || fail "before:" "$BEFORE" "after $1:" "$(held)"
}

reloaded()
{
	daemon_reload 'msg="reloaded"'
}

SOCKET=('[reply]' 'mode = socket')
AUDIT=('[reply]' 'mode = audit')
HOST_ROLE=('[wire]' 'follow = docker0' 'port = 1-99')
GATEWAY=('[wire]' 'gateway = eth0' 'server = 10.0.0.5,10.0.1.5')
HOLD=('[hold]' 'port = 4000' 'probe = 127.0.0.1:9')
FLOW=('[steer]' "port = $PORT" 'policy = flow')
LOAD=('[steer]' "port = $PORT" 'policy = load')
CPU=('[steer]' "port = $PORT" 'policy = cpu')
XDP=("${CPU[@]}" 'xdp = eth0' 'cpus = 0-1')

configure "${SOCKET[@]}"
daemon_start

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
		[ "$round" != "$files" ] || { wait_until 20 settled && BEFORE=$(held); }
	done
	# ends with the file that BEFORE has been counted with
	while [ $((round % files)) != 0 ]; do
		round=$((round + 1))
		cp "$TEST_TMP/file.$((round % files))" "$CONF"
		reloaded
	done
	want_held "$name"
}

say "each section and mode"
ROUNDS=${ROUNDS:-5}
reload_each socket,hold,flow -- "${SOCKET[@]}" "${HOLD[@]}" "${FLOW[@]}"
reload_each audit,xdp -- "${AUDIT[@]}" "${XDP[@]}"
ROUNDS=$((ROUNDS / 5))
reload_each host -- "${HOST_ROLE[@]}"
reload_each gateway -- "${GATEWAY[@]}"
ROUNDS=$((ROUNDS > 1 ? ROUNDS / 2 : 1))

say "in turn, which attaches, detaches and replaces tables"
reload_each turns -- "${SOCKET[@]}" "${HOST_ROLE[@]}" "${FLOW[@]}" -- \
	"${AUDIT[@]}" "${GATEWAY[@]}" "${XDP[@]}" -- "${SOCKET[@]}" 'table = 20000' \
	"${HOST_ROLE[@]}" 'table = 20000' "${LOAD[@]}" 'flows = 20000'

say "a command unloads in between"
configure "${SOCKET[@]}" "${HOST_ROLE[@]}" "${CPU[@]}"
reloaded
wait_until 20 settled
BEFORE=$(held)
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
sluice --netns "$HOST" cleanup
want_verified
