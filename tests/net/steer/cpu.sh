#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Under policy cpu, a datagram goes to the worker that runs on the CPU where it arrives, whether the
# workers are processes or threads. If the CPUs of the workers are unknown, flows are placed by
# hash. Over lo, a datagram arrives on the CPU of its sender.
#
#   client on CPU 0 or 1 ── lo 127.0.0.1, ::1 [host: workers on CPU 0 and CPU 1, on [::]:56789]
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/cpu.sh"

netns_add "$HOST"

# load: loads steering, and stores the consumer counts in CONSUMERS
load()
{
	CONSUMERS=$(json "' '.join(f'{k}:{v}' for k, v in sorted(d['consumers'].items()))" \
		sluice -j --netns "$HOST" steer load --port "$PORT" --policy cpu)
}

# recv_hooks: prints the pinned links of the programs that record which thread receives
recv_hooks()
{
	{ find "$PINS/steer" -maxdepth 1 -name 'sluice_recv*' -printf '%f\n' 2>/dev/null || true; } |
		sort | paste -sd ' '
}

# learns CONSUMERS: loads again, and returns true if the counts are CONSUMERS; on a busy machine,
# the client may need several tries
learns()
{
	load
	[ "$CONSUMERS" = "$1" ]
}

want_by_cpu()
{
	want_equal "$(tally "$HOST" 0 127.0.0.1)" "$1:40"
	want_equal "$(tally "$HOST" 1 127.0.0.1)" "$2:40"
	want_equal "$(tally "$HOST" 0 ::1)" "$1:40"
	want_equal "$(tally "$HOST" 1 ::1)" "$2:40"
}

want_by_hash()
{
	want_both "$(tally "$HOST" 0 127.0.0.1)" "$1" "$2"
	want_both "$(tally "$HOST" 1 ::1)" "$1" "$2"
}

say "two processes: without sluice"
workers a@0
first=$SPAWNED
workers b@1
second=$SPAWNED
want_by_hash a b
say "two idle processes: affinity is sufficient"
load
want_equal "$CONSUMERS" "pinned:2 seen:0 unknown:0"
want_by_cpu a b
say "the workers are moved, and steering is loaded again"
taskset -cp 1 "$first" >/dev/null
taskset -cp 0 "$second" >/dev/null
load
want_equal "$CONSUMERS" "pinned:2 seen:0 unknown:0"
want_by_cpu b a
say "unloaded"
sluice steer unload
want_by_hash a b
stop "$first"
stop "$second"
wait_until 10 udp_unbound "$HOST" "$PORT"

say "one process, idle threads on each CPU: placed by hash until they receive"
workers a@0 b@1/epoll
first=$SPAWNED
load
want_equal "$CONSUMERS" "pinned:0 seen:0 unknown:2"
want_by_hash a b
say "under traffic, the hooks record which thread receives"
chatter "$HOST" 127.0.0.1
wait_until 20 learns "pinned:2 seen:0 unknown:0"
chatter_end
want_by_cpu a b
want_equal "$(recv_hooks)" "sluice_recv4 sluice_recv6"
say "another policy, and back"
sluice --netns "$HOST" steer load --port "$PORT" --policy flow
want_by_hash a b
want_equal "$(recv_hooks)" ""
load
want_equal "$CONSUMERS" "pinned:2 seen:0 unknown:0"
want_by_cpu a b
sluice steer unload
want_equal "$(recv_hooks)" ""
stop "$first"
wait_until 10 udp_unbound "$HOST" "$PORT"

say "in another PID namespace"
spawn_in "$HOST" "$TEST_TMP/contained.log" unshare --pid --fork --kill-child \
	python3 "$TEST_TMP/workers.py" "$PORT" a@0 b@1/nap
first=$SPAWNED
wait_until 10 grep -q up "$TEST_TMP/contained.log"
chatter "$HOST" 127.0.0.1
wait_until 20 learns "pinned:2 seen:0 unknown:0"
chatter_end
want_by_cpu a b
sluice steer unload
# unshare(1) ignores other signals while it has a child
kill -KILL "$first"
wait_until 10 udp_unbound "$HOST" "$PORT"

say "threads without affinity: the CPU where they received last"
workers a b
load
want_equal "$CONSUMERS" "pinned:0 seen:0 unknown:2"
chatter "$HOST" 127.0.0.1
wait_until 20 learns "pinned:0 seen:2 unknown:0"
chatter_end
answers=$(tally "$HOST" 0 127.0.0.1)
[[ $answers != *lost* ]] || fail "datagrams were lost: $answers"

say "cleanup removes the hooks too"
want_equal "$(recv_hooks)" "sluice_recv4 sluice_recv6"
sluice --netns "$HOST" cleanup
want_equal "$(recv_hooks)" ""
want_clean
