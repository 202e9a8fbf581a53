#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The message of each user error has the object, the reason and a hint. The command exits with the
# status for that kind of error, and leaves nothing behind.
. "$(dirname "$0")/../lib/lib.sh"

# refused CODE TEXT COMMAND…: checks that COMMAND exits with CODE, prints TEXT and leaves nothing
# behind
refused()
{
	local code=$1 text=$2
	shift 2
	want_status "$code" "$@"
	want_text "$text"
	want_clean
}

load()
{
	reply_load "$@"
}

say "ports"
refused 2 "'0'" load --port 0
refused 2 "'65536'" load --port 65536
refused 2 "'53-'" load --port 53-
refused 2 "'a'" load --port a
refused 2 "empty" load --port ''
refused 2 "empty" load --port 53,
refused 2 "reversed" load --port 60-50
refused 2 "'-1'" load --port=-1
refused 2 "'18446744073709551669'" load --port 18446744073709551669
refused 2 "53,5000-5100" load --port 53:54

say "words"
refused 2 "'reply'" sluice repyl load
refused 2 "'load'" sluice reply laod
refused 2 "'socket'" sluice reply load --mode sokcet --cgroup "$TEST_CGROUP"
refused 2 "'--port'" load --prot 53
refused 2 "frobnicate" sluice frobnicate
refused 2 "xyz" load xyz
refused 2 "needs a value" load --port
refused 2 "--mode" sluice reply load --cgroup "$TEST_CGROUP"
refused 2 "" sluice
refused 2 "load" sluice reply

say "table sizes"
refused 2 "0 is out of range" load --table 0
refused 2 "10000000000 is out of range" load --table 10000000000
refused 2 "18446744073709551680 is out of range" load --table 18446744073709551680
refused 2 "'many'" load --table many
refused 2 "'-5'" load --table -5

say "the cgroup"
mkdir "$TEST_TMP/folder"
refused 1 "$TEST_TMP/folder" sluice reply load --mode socket --cgroup "$TEST_TMP/folder"
refused 1 "$TEST_TMP/none" sluice reply load --mode socket --cgroup "$TEST_TMP/none"

say "the bpffs"
refused 1 "$TEST_TMP/folder" sluice --bpffs "$TEST_TMP/folder" reply load --mode socket \
	--cgroup "$TEST_CGROUP"
want_text "name a directory on a bpffs"
want_equal "$(find "$TEST_TMP/folder" -mindepth 1)" "" "files in a directory that is not a bpffs"

# without MOUNT COMMAND…: runs COMMAND in a mount namespace without MOUNT
without()
{
	local mount=$1
	shift
	unshare --mount --propagation private bash -c \
		'umount -l "$1" && shift && exec "$@"' - "$mount" "$@"
}

# unmounts the private bpffs of this test, and the system's below it
no_bpffs()
{
	without /sys/fs/bpf bash -c \
		'while umount -l /sys/fs/bpf 2>/dev/null; do :; done; exec "$@"' - "$@"
}

no_cgroup2()
{
	local root
	root=$(awk '$0 ~ / - cgroup2 / { print $5; exit }' /proc/self/mountinfo)
	without "$root" "$@"
}

say "no bpffs, no cgroup2"
want_status 1 no_bpffs "$SLUICE" reply load --mode socket --cgroup "$TEST_CGROUP"
want_text "mount -t bpf"
want_clean
want_status 3 no_cgroup2 "$SLUICE" reply load --mode socket
want_text cgroup2
want_text mount
want_clean

say "a network namespace that does not exist"
refused 1 nowhere sluice --netns nowhere reply load --mode socket --cgroup "$TEST_CGROUP"

options=()
mkfifo "$TEST_TMP/fifo"
refused 1 "'$TEST_TMP/fifo' is not a network namespace" timeout 20 "$SLUICE" \
	--netns "$TEST_TMP/fifo" status
for netns in this all; do
	[ "$netns" = this ] || options=(--netns all)
	want_status 1 sluice "${options[@]}" steer load --port 4000
	want_text "in ${netns/all/any} network namespace"
	want_clean
done

say "pins of another version: read by no command, replaced by a load"
reply_load
meta=$(find "$PINS" -name '*meta*')
[ -n "$meta" ] || fail "no meta map is pinned"
old=$(bpftool map dump pinned "$meta" -j | python3 -c 'import json, sys
entry = json.load(sys.stdin)[0]
value = [int(byte, 16) for byte in entry["value"]]
# the second word is the version
value[4] ^= 0x40
print(" ".join(f"0x{byte:02x}" for byte in value))')
# shellcheck disable=SC2086 # a list of bytes
bpftool map update pinned "$meta" key 0 0 0 0 value $old
want_status 5 sluice reply show
want_text "(ABI "
want_text "replaces it"
want_equal "$(json "d['outcome'], d['replaces_abi'] > 0" sluice -j reply load --mode socket \
	--port 53 --dry-run)" "('verified', True)"

say "unreadable objects do not hide the other objects in the status"
sluice hold load --port 4000 --cgroup "$TEST_CGROUP"
want_status 5 sluice status
want_text "daemon: not running"
want_text "reply: cannot be read: $PINS/reply: pinned by another version of sluice"
want_text "'sluice cleanup' removes it"
want_text "hold: ports 4000"
"$SLUICE" -j status >"$TEST_TMP/status" 2>/dev/null || true
want_equal "$(json "([o['object'] for o in d['unreadable']], d['reply'], d['hold']['ports'])" cat "$TEST_TMP/status")" \
	"(['reply'], None, '4000')"

say "a load replaces the pins"
want_status 0 reply_load
want_text "reply: replaced"
want_text "flows start empty"
want_status 0 sluice reply show
want_status 0 sluice cleanup
want_clean

say "help exits with 0 and lists everything"
want_status 0 sluice --help
want_text "reply load"
want_status 0 sluice help
want_status 0 sluice reply load --help
for option in --mode --port --cgroup --table --dry-run; do
	want_text "$option"
done
want_status 0 sluice --version
want_text sluice
