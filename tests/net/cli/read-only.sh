#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The bpffs is mounted read-only, as the volume of a pod may be. Commands show the loaded objects,
# and refuse every change before they detach anything. Without /proc, commands do not mistake their
# own pins for pins of another version.
#
#   host: two servers of one group on 0.0.0.0:56789
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"
. "$(dirname "$0")/../lib/see.sh"

# after PREPARE COMMAND…: runs sluice in a mount namespace, after PREPARE
after()
{
	unshare --mount --propagation private sh -c "$1"' && shift && exec "$@"' - - "$SLUICE" "${@:2}"
}

READ_ONLY='mount -o remount,ro,bind /sys/fs/bpf'
CHANGES=("reply load --mode socket --cgroup $TEST_CGROUP" "--netns $HOST steer load --port $PORT"
	"reply load --mode audit --cgroup $TEST_CGROUP --table 1000"
	"hold load --port 5060 --cgroup $TEST_CGROUP" "reply unload" "steer unload" "hold unload"
	"--netns $HOST reply load --mode wire --iface lo --table 1000" cleanup)

# state: prints all loaded objects without ages and counters
state()
{
	find "$PINS" | sort
	json "([(d[o]['complete'], d[o]['ports'], d[o]['flows']['size']) for o in ('reply', 'wire', 'hold')],
		d['reply']['detached'], d['hold']['detached'], d['steer']['policy'],
		[(g['open'], g['closed']) for g in d['steer']['groups']])" sluice -j status
	bpftool cgroup tree "$TEST_CGROUP"
}

netns_add "$HOST"
group_up 2

say "nothing is loaded"
for change in "${CHANGES[@]:0:4}"; do
	# shellcheck disable=SC2086 # the words of a command
	want_status 1 after "$READ_ONLY" $change
	want_text "pin directory $PINS: Read-only file system"
	want_text "remount,rw"
done
want_status 3 after "$READ_ONLY" check --for reply
want_text "/sys/fs/bpf: read-only"
want_clean

say "all objects are loaded"
reply_load >/dev/null
sluice --netns "$HOST" reply load --mode wire --iface lo >/dev/null
sluice hold load --port 4000 --cgroup "$TEST_CGROUP" >/dev/null
steer_load >/dev/null
before=$(state)
for change in "${CHANGES[@]}"; do
	# shellcheck disable=SC2086
	want_status 1 after "$READ_ONLY" $change
	want_text "pin directory $PINS: Read-only file system"
	want_equal "$(state)" "$before" "after: $change"
done
for command in status "reply show" "reply flows" "steer show" "hold show" "hold flows"; do
	# shellcheck disable=SC2086
	want_status 0 after "$READ_ONLY" $command
done

say "a daemon"
configure '[reply]' 'mode = audit'
want_status 1 after "$READ_ONLY" run --config "$CONF"
want_text "Read-only file system"
want_equal "$(state)" "$before" "after the daemon"

say "without /proc"
for command in status "steer show" "hold show" "${CHANGES[@]}"; do
	# shellcheck disable=SC2086
	want_status 1 after 'umount -l /proc' --cgroup "$TEST_CGROUP" $command
	want_text "/proc"
	want_equal "$(state)" "$before" "after, without /proc: $command"
done
sluice --netns "$HOST" cleanup
want_clean
