#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# On a world-writable bpffs, a user can create the pin directory first, or a symbolic link in its
# place. Every command reports the owner and changes nothing below the directory. The command in the
# hint removes the directory. On a bpffs mounted according to the hint, no other user can create it.
. "$(dirname "$0")/../lib/lib.sh"

# as_nobody COMMAND…
as_nobody()
{
	setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set -all "$@"
}

# way_out: runs the first quoted command in the hint of OUTPUT
way_out()
{
	local command
	command=$(grep -o "'rm -r [^']*'" <<<"$OUTPUT" | sed -n 1p | tr -d "'")
	[ "$command" = "rm -r $PINS" ] || fail "no remedy in:" "$OUTPUT"
	$command
}

# refused: checks that every command refuses the directory
refused()
{
	local command
	for command in status "reply show" "reply unload" "steer show" "steer unload" cleanup \
		"reply load --mode socket --cgroup $TEST_CGROUP" "steer load --port 53"; do
		# shellcheck disable=SC2086 # words
		want_status 5 sluice $command
		want_text "pin directory $PINS: "
		want_text "of user 65534 (nobody)"
	done
}

stat -c %a /sys/fs/bpf | grep -qx 1777 || fail "the test needs a bpffs as 'mount -t bpf' makes it"

say "a directory of another user"
as_nobody mkdir -p "$PINS/reply" "$PINS/steer"
refused
want_text "a directory of user"
[ -d "$PINS/reply" ] || fail "it has been changed"
way_out
reply_load
sluice reply unload

say "a link of another user"
mkdir /sys/fs/bpf/other
as_nobody ln -s /sys/fs/bpf/other "$PINS"
refused
want_text "a symbolic link of user"
way_out
[ -d /sys/fs/bpf/other ] || fail "the target of the link is gone"
rmdir /sys/fs/bpf/other
reply_load
sluice reply unload

say "a world-writable directory"
mkdir -m 777 "$PINS"
want_status 5 reply_load
want_text "other users can write to it: a directory of user 0 (root), mode 777"
way_out
reply_load

say "the daemon's log contains the remedy, too"
sluice reply unload
as_nobody mkdir "$PINS"
printf '%s\n' '[global]' "cgroup = $TEST_CGROUP" '[reply]' 'mode = socket' >"$TEST_TMP/conf"
want_status 5 sluice run --config "$TEST_TMP/conf"
want_text "a directory of user 65534 (nobody)"
way_out

say "a hint never suggests removing anything but a pin directory"
want_status 1 sluice --bpffs /tmp reply load --mode socket --cgroup "$TEST_CGROUP"
want_text "no bpffs here"
want_text "name a directory on a bpffs with --bpffs, such as /sys/fs/bpf/sluice"
want_status 5 sluice --bpffs /sys/fs/bpf reply load --mode socket --cgroup "$TEST_CGROUP"
want_text "name a directory below it with --bpffs: /sys/fs/bpf/sluice"
[[ $OUTPUT != *"rm -r"* ]] || fail "$OUTPUT"

say "the mount of the hint"
OUTPUT=$(unshare --mount --propagation private bash -c \
	'while umount -l /sys/fs/bpf 2>/dev/null; do :; done; exec "$@"' - "$SLUICE" status 2>&1) || true
mount=$(grep -o 'mount -t bpf .*' <<<"$OUTPUT")
[ -n "$mount" ] || fail "no mount in:" "$OUTPUT"
mkdir "$TEST_TMP/bpf"
${mount/\/sys\/fs\/bpf/$TEST_TMP/bpf}
! as_nobody mkdir "$TEST_TMP/bpf/sluice" 2>/dev/null || fail "'$mount' lets others create it"
sluice --bpffs "$TEST_TMP/bpf/sluice" reply load --mode socket --cgroup "$TEST_CGROUP" >/dev/null
sluice --bpffs "$TEST_TMP/bpf/sluice" reply unload
umount "$TEST_TMP/bpf"
want_clean
