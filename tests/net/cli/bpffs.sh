#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The pin directory must be on a bpffs, have a trusted owner, and contain pins of the expected kind.
# Every command refuses any other directory, reports its name, and removes only pins of sluice.
. "$(dirname "$0")/../lib/lib.sh"

COMMANDS=("status" "reply show" "reply flows" "reply audit" "reply unload"
	"reply unload --mode audit" "reply unload --mode wire" "steer show" "steer drain 1"
	"steer unload" "steer load --port 53" "cleanup" "cleanup --verify"
	"reply load --mode wire --iface lo" "reply load --mode socket --cgroup $TEST_CGROUP"
	"steer promote 1" "hold show" "hold flows" "hold unload"
	"hold load --port 53 --cgroup $TEST_CGROUP")

# all_refused CODE TEXT PREFIX…: each command, after the words PREFIX, exits with CODE and prints
# TEXT and a hint
all_refused()
{
	local code=$1 text=$2 command
	shift 2
	for command in "${COMMANDS[@]}"; do
		# shellcheck disable=SC2086 # the words of a command
		want_status "$code" "$@" $command
		want_text "$text"
		contains '^  ' <<<"$OUTPUT" || fail "no hint from $command:" "$OUTPUT"
	done
}

# ordinary: creates a directory of ordinary files with the names of pins
ordinary()
{
	mkdir -p "$1"/{reply,wire,meet,daemon,steer/53_1_0,other/below}
	touch "$1"/{keep,reply/{sluice_meta,link_learn,by_daemon,keep},wire/sluice_w_meta} \
		"$1"/{steer/sluice_steering,steer/53_1_0/sluice_group,other/below/keep}
}

listing()
{
	find "$1" -printf '%P %y\n' | sort
}

say "a directory that is not on a bpffs"
ordinary "$TEST_TMP/folder"
before=$(listing "$TEST_TMP/folder")
all_refused 1 "no bpffs here" sluice --bpffs "$TEST_TMP/folder"
all_refused 1 "no bpffs here" sluice --bpffs "$TEST_TMP/folder/none/such"
want_equal "$(listing "$TEST_TMP/folder")" "$before" "ordinary files"
all_refused 1 "no bpffs here" env SLUICE_BPFFS="$TEST_TMP/folder" "$SLUICE"
printf '%s\n' '[global]' "bpffs = $TEST_TMP/folder" '[reply]' 'mode = audit' >"$TEST_TMP/conf"
want_status 1 sluice run --config "$TEST_TMP/conf"
want_text "no bpffs here"
want_equal "$(listing "$TEST_TMP/folder")" "$before" "ordinary files"

say "an empty name"
want_status 2 sluice --bpffs '' status
want_text "--bpffs: the path is empty"
want_status 2 sluice --cgroup '' status
want_text "--cgroup: the path is empty"

say "below ip netns exec, and without a mount"
topology_host
all_refused 1 "no bpffs here" ip netns exec "$HOST" "$SLUICE"
want_text "sluice --netns NAME"
want_text "nsenter --net"
bare=(unshare --mount --propagation private bash -c
	'while umount -l /sys/fs/bpf 2>/dev/null; do :; done; exec "$@"' -)
all_refused 1 "no bpffs here" "${bare[@]}" "$SLUICE"
want_text "mount -t bpf"
want_status 0 sluice status
want_text "reply: not loaded"
want_status 0 sluice cleanup
want_text "nothing to remove"

say "a directory of another owner, or a world-writable directory"
mkdir -m 700 "$PINS"
chown 65534 "$PINS"
all_refused 5 "a directory of user 65534 (nobody)" sluice
chown 0 "$PINS"
chmod 777 "$PINS"
all_refused 5 "other users can write to it" sluice
rmdir "$PINS"
ln -s /sys/fs/bpf "$PINS"
all_refused 5 "a symbolic link of user 0 (root)" sluice
rm "$PINS"

say "a name that a bpffs does not allow"
all_refused 2 "a bpffs allows no dots in a name" sluice --bpffs "$PINS.new"
all_refused 2 "a bpffs allows no dots in a name" sluice --bpffs /sys/fs/bpf/.hidden/sluice

say "the directory of an object, and one below it"
for object in reply wire steer hold daemon; do
	want_status 2 sluice --bpffs "$PINS/$object" status
	want_text "$PINS/$object is the name of an object's directory"
	want_text "name the directory above it with --bpffs: $PINS"
done
all_refused 2 "$PINS/steer is the name of an object's directory" sluice --bpffs "$PINS/steer/x"
want_clean
mkdir "$TEST_TMP/hold"
mount -t bpf -o mode=700 none "$TEST_TMP/hold"
want_status 0 sluice --bpffs "$TEST_TMP/hold/sluice" status
want_status 0 sluice --bpffs "$TEST_TMP/hold" status
umount "$TEST_TMP/hold"

say "a pin or a link in place of the directory"
bpftool map create "$PINS" type array key 4 value 4 entries 1 name theirs
all_refused 5 "pin directory $PINS: not a directory: a pin of user 0" sluice
rm "$PINS"
mkdir -m 700 "${PINS}_other"
ln -s "${PINS}_other" "$PINS"
all_refused 5 "pin directory $PINS: not a directory: a symbolic link of user 0" sluice
rm "$PINS"
rmdir "${PINS}_other"

say "a pin or a link in place of the directory of an object"
mkdir -m 700 "$PINS"
ordinary "$TEST_TMP/linked"
before=$(listing "$TEST_TMP/linked")
for object in reply wire steer hold; do
	for made in "bpftool map create $PINS/$object type array key 4 value 4 entries 1 name theirs" \
		"ln -s $TEST_TMP/linked/${object/hold/reply} $PINS/$object" "ln -s $object $PINS/$object"; do
		$made
		case $object in
		wire) commands=("reply load --mode wire --iface lo" "reply unload" "reply show") ;;
		reply) commands=("reply load --mode socket --cgroup $TEST_CGROUP" "reply unload" "reply show"
			"reply flows" "reply audit") ;;
		steer) commands=("steer show" "steer unload" "steer drain 1" "steer promote 1") ;;
		hold) commands=("hold load --port 53 --cgroup $TEST_CGROUP" "hold show" "hold flows"
			"hold unload") ;;
		esac
		for command in "${commands[@]}" status cleanup; do
			# shellcheck disable=SC2086
			want_status 5 sluice $command
			want_text "$PINS/$object: a "
			want_text ", not a directory of sluice"
			[ -e "$PINS/$object" ] || [ -L "$PINS/$object" ] || fail "removed by: $command"
		done
		rm "$PINS/$object"
	done
done
want_equal "$(listing "$TEST_TMP/linked")" "$before" "the directory that the links point to"
ln -s /etc "$PINS/daemon"
printf '[reply]\nmode = audit\n' >"$TEST_TMP/conf"
want_status 5 sluice --cgroup "$TEST_CGROUP" run --config "$TEST_TMP/conf"
want_text "$PINS/daemon: a symbolic link, not a directory of sluice"
rm "$PINS/daemon"
rmdir "$PINS"
want_clean

say "pins of another type"
reply_load
bpftool map create /sys/fs/bpf/flows type percpu_array key 4 name sluice_flows entries 16384 \
	value "$(bpftool -j map show pinned "$PINS/reply/sluice_flows" |
		python3 -c 'import json, sys; print(json.load(sys.stdin)["bytes_value"])')"
mv /sys/fs/bpf/flows "$PINS/reply/sluice_flows"
for command in "reply flows" "reply show" status; do
	# shellcheck disable=SC2086 # the words of a command
	want_status 5 sluice $command
	want_text "sluice cleanup"
done
want_status 5 reply_load
sluice cleanup
reply_load
mv "$PINS/reply/link_learn" "$PINS/reply/sluice_counters"
want_status 5 sluice reply show
want_text "sluice cleanup"
mv "$PINS/reply/sluice_locals" "$PINS/reply/sluice_meta"
for command in "reply flows" "reply show" "reply audit" status; do
	# shellcheck disable=SC2086 # the words of a command
	want_status 5 sluice $command
	want_text "sluice cleanup"
done
sluice cleanup
want_clean

say "pins of other owners stay"
reply_load
bpftool map create "$PINS/reply/theirs" type array key 4 value 4 entries 1 name theirs
mkdir "$PINS/theirs"
want_status 5 sluice reply unload
want_text "$PINS/reply holds 'theirs', which is not a pin of sluice"
want_equal "$(find "$PINS" -type f)" "$PINS/reply/theirs"
want_equal "$(bpftool cgroup tree "$TEST_CGROUP" | grep -c sluice_ || true)" 0 "attached programs"
mkdir -p "$PINS/steer/others"
bpftool map create "$PINS/steer/others/theirs" type array key 4 value 4 entries 1 name theirs
want_status 5 sluice cleanup
want_equal "$(find "$PINS" -type f | sort)" "$PINS/reply/theirs
$PINS/steer/others/theirs"
rm -r "$PINS"
want_clean
