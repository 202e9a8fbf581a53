#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Commands and the daemon recognise a group that another sluice steers, with pins in another
# directory or without pins. They do not mistake it for a server with its own program, and leave the
# group alone. A hint names the command that releases it.
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/steer.sh"
. "$(dirname "$0")/../lib/daemon.sh"

OTHER=/sys/fs/bpf/sluice_other

netns_add "$HOST"
workers "$HOST" --port "$PORT" --workers 2
flows "$HOST" --to "127.0.0.1:$PORT" --flows 50

say "pins in another directory"
sluice --bpffs "$OTHER" --netns "$HOST" steer load --port "$PORT"
program=$(json "d['groups'][0]['program_id']" sluice -j --bpffs "$OTHER" steer show)
want_status 5 sluice --netns "$HOST" steer load --port "$PORT"
want_text "left alone: another sluice steers it, with pins in another directory (program $program)"
want_text "sluice --bpffs DIR steer unload"
want_status 5 sluice -j --netns "$HOST" steer load --port "$PORT"
configure '[steer]' "port = $PORT"
daemon_start
want_logged "program_id=$program reason=\"another sluice steers it"
daemon_stop
sluice steer unload
want_equal "$(json "d['groups'][0]['program_id']" sluice -j --bpffs "$OTHER" steer show)" "$program"

say "the pins are removed"
# the cleanup of another test may detach such a program first; retry once
orphan_named()
{
	sluice --bpffs "$OTHER" --netns "$HOST" steer load --port "$PORT" >/dev/null
	program=$(json "d['groups'][0]['program_id']" sluice -j --bpffs "$OTHER" steer show)
	find "$OTHER" -depth -delete
	if sluice --netns "$HOST" steer load --port "$PORT" >"$TEST_TMP/orphan" 2>&1; then
		sluice steer unload >/dev/null
		return 1
	fi
}
wait_until 30 orphan_named
contains "left alone: it still has the program of a sluice whose pins are gone .program $program." \
	<"$TEST_TMP/orphan"
contains "'sluice cleanup' if its pins are gone" <"$TEST_TMP/orphan"
sluice cleanup
sluice --netns "$HOST" steer load --port "$PORT"
flows_go_on 100
flows_end
want_equal "$(result lost) $(result moved)" "0 0" "datagrams lost, flows moved"
sluice steer unload
stop "$SERVER_PID"
want_clean
