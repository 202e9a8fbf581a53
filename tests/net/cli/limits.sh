#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Commands report the actual cause for limits on files and memory, missing permissions, and a full
# standard output. They do not report a missing kernel feature.
. "$(dirname "$0")/../lib/lib.sh"

LOAD=(reply load --mode socket --cgroup "$TEST_CGROUP")

# limited WITH COMMAND…: runs COMMAND under the limit that `ulimit WITH` sets
limited()
{
	local with=$1
	shift
	# shellcheck disable=SC2086 # an option and its value
	(ulimit $with && exec "$@")
}

say "files"
for files in 8 10 12 16 20 24 28 32; do
	want_status 1 limited "-n $files" "$SLUICE" "${LOAD[@]}"
	want_text "Too many open files"
	want_text "ulimit -n"
	want_clean
done
for files in 8 16 24; do
	want_status 1 limited "-n $files" "$SLUICE" steer load --port 53
	want_text "Too many open files"
	want_status 1 limited "-n $files" "$SLUICE" reply load --mode wire --iface lo
	want_text "Too many open files"
	want_clean
done
want_status 0 limited "-S -n 20" "$SLUICE" "${LOAD[@]}"
sluice reply unload

for files in 4 5 6 7; do
	want_status 1 limited "-n $files" "$SLUICE" check
	want_text "Too many open files"
done

say "memory"
memory=$(awk '$0 ~ / - cgroup .*[ ,]memory/ { print $5; exit }' /proc/self/mountinfo)
if [ -n "$memory" ]; then
	group=$memory/sluice-test.$$ limit=memory.limit_in_bytes
else
	group=$TEST_CGROUP/memory limit=memory.max
fi
mkdir "$group"
trap 'rmdir "$group"' EXIT
if [ -e "$group/$limit" ]; then
	echo 24M >"$group/$limit"
	want_status 1 bash -c 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"' - "$group" \
		"$SLUICE" "${LOAD[@]}" --table 4194304
	want_text "Cannot allocate memory"
	want_text "raise the memory limit"
	want_clean
else
	say "no memory controller: not tested"
fi

# too small for the kernel's BTF, but large enough for the program itself
for kilobytes in 16000 20000 24000; do
	want_status 1 limited "-v $kilobytes" "$SLUICE" "${LOAD[@]}"
	want_text "Cannot allocate memory"
	want_clean
done

say "permission"
mkdir -m 700 "$PINS"
chown 65534 "$PINS"
want_status 4 setpriv --reuid=65534 --clear-groups --inh-caps=-all "$SLUICE" "${LOAD[@]}"
want_text "CAP_BPF"
chown 0 "$PINS"
for command in status "reply show" "reply unload" "steer unload" cleanup; do
	# shellcheck disable=SC2086 # the words of a command
	want_status 4 setpriv --reuid=65534 --clear-groups --inh-caps=-all "$SLUICE" $command
	want_text "run as root"
done
rmdir "$PINS"

say "standard output is full"
status=0
OUTPUT=$("$SLUICE" "${LOAD[@]}" 2>&1 >/dev/full) || status=$?
want_equal "$status" 1 "exit status"
want_text "standard output: No space left on device"
want_text "the command was carried out"
want_equal "$(json "d['reply']['mode']" sluice -j reply show)" socket
sluice reply unload
want_clean
