#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The same command runs twice at the same time. Both succeed, or the second reports that the object
# is no longer loaded. Neither leaves anything behind.
#
#   container ── docker0 172.17.0.1 [host] eth0 172.16.13.13
#
# takes long: each command runs twice at once
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

topology_up

# both COMMAND…: runs COMMAND twice at the same time; sets STATUSES to the exit statuses
both()
{
	local first=0 second=0 pid
	"$SLUICE" --netns "$HOST" "$@" >"$TEST_TMP/first" 2>&1 &
	pid=$!
	"$SLUICE" --netns "$HOST" "$@" >"$TEST_TMP/second" 2>&1 || second=$?
	wait "$pid" || first=$?
	STATUSES=$first,$second
}

load()
{
	reply_load >/dev/null
	wire_load --iface eth0 >/dev/null
}

for _ in $(seq 4); do
	load
	both cleanup
	[ "$STATUSES" = 0,0 ] || fail "cleanup $STATUSES:" "$(cat "$TEST_TMP/first" "$TEST_TMP/second")"
	want_clean
	load
	both reply unload
	case $STATUSES in
	0,0) ;;
	0,1) grep -q "$NOT_LOADED" "$TEST_TMP/second" || fail "$(cat "$TEST_TMP/second")" ;;
	1,0) grep -q "$NOT_LOADED" "$TEST_TMP/first" || fail "$(cat "$TEST_TMP/first")" ;;
	*) fail "unload $STATUSES:" "$(cat "$TEST_TMP/first" "$TEST_TMP/second")" ;;
	esac
	want_clean
done

say "the directory is removed while a command waits for the lock"
load
exec {lock}<"$PINS"
flock "$lock"
for command in cleanup "reply unload"; do
	# shellcheck disable=SC2086 # words
	"$SLUICE" --netns "$HOST" --verbose $command >"$TEST_TMP/${command%% *}" 2>&1 &
	wait_until 20 grep -q "waiting for the lock" "$TEST_TMP/${command%% *}"
done
mapfile -t waiting < <(jobs -p)
find "$PINS" -mindepth 1 -delete
rmdir "$PINS"
exec {lock}<&-
wait "${waiting[0]}" || fail "cleanup:" "$(cat "$TEST_TMP/cleanup")"
status=0
wait "${waiting[1]}" || status=$?
want_equal "$status" 1 "exit status of reply unload: $(cat "$TEST_TMP/reply")"
grep -q "$NOT_LOADED" "$TEST_TMP/reply" || fail "$(cat "$TEST_TMP/reply")"
want_clean
