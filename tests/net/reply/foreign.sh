#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Programs of other owners on the same cgroup keep their ids and their order through load, reload
# and unload, whether they were attached before sluice or after it. If another program is attached
# exclusively, the load fails, names that program, and leaves nothing behind.
#
#   container ── docker0 172.17.0.1 [host: 0.0.0.0:56789] eth0 172.16.13.13
. "$(dirname "$0")/../lib/lib.sh"

foreign()
{
	"$FOREIGN" --cgroup "$TEST_CGROUP" "$@" >/dev/null
}

# order: prints the other owners' programs on the cgroup with their ids, in execution order
order()
{
	bpftool cgroup show "$TEST_CGROUP" | awk '/other_/ { print $1, $2, $NF }'
}

topology_up
serve "$HOST" sendto4 "$PORT"

for type in sendmsg4 sendmsg6 ingress egress; do
	foreign --type "$type" --name "other_$type"
	foreign --type "$type" --name "other_l_$type" --link "/sys/fs/bpf/other_$type"
done
before=$(order)
want_equal "$(wc -l <<<"$before")" 8 "programs of other owners"

reply_load
want_equal "$(order)" "$before" "order after load"
want_right "$CONTAINER" "$FAR4" "$PORT"

say "a program attached after sluice's"
foreign --type sendmsg4 --name other_late
with_late=$(order)
reply_load --table 2000
want_equal "$(order)" "$with_late" "order after reload"
want_right "$CONTAINER" "$FAR4" "$PORT"

sluice reply unload
want_equal "$(order)" "$with_late" "order after unload"
reply_load
sluice cleanup
want_equal "$(order)" "$with_late" "order after cleanup"
want_clean

say "an exclusively attached program"
mkdir "$TEST_CGROUP/exclusive"
"$FOREIGN" --cgroup "$TEST_CGROUP/exclusive" --type sendmsg4 --name other_alone --exclusive \
	>/dev/null
want_status 5 "$SLUICE" reply load --mode socket --cgroup "$TEST_CGROUP/exclusive"
want_text other_alone
want_clean
want_equal "$(bpftool cgroup show "$TEST_CGROUP/exclusive" | grep -c other_alone)" 1 "still there"
