#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The cgroup of [reply] and [hold] is removed and created again, as when a service restarts. The
# daemon logs and reports that the cgroup is gone, and attaches to the new cgroup.
#
#   container ── docker0 172.17.0.1 [host: [::]:56789 in a cgroup] eth0 172.16.13.13
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"

SERVICE=$TEST_CGROUP/service
topology_up

# section_states: prints the state of each section
section_states()
{
	json "[s['state'] for s in d['daemon']['sections']]" sluice -j status
}

are()
{
	[ "$(section_states)" = "$1" ]
}

# serve_in_service: starts the server in the cgroup
serve_in_service()
{
	mkdir -p "$SERVICE"
	echo "$BASHPID" >"$SERVICE/cgroup.procs"
	serve "$HOST" dual6 "$PORT"
	echo "$BASHPID" >"$TEST_CGROUP/cgroup.procs"
	server=$SPAWNED
}

serve_in_service
printf '%s\n' '[global]' "cgroup = $SERVICE" '[reply]' 'mode = socket' '[hold]' 'port = 4000' >"$CONF"
daemon_start
want_right "$CONTAINER" "$FAR4" "$PORT"

say "removed"
stop "$server"
rmdir "$SERVICE"
for section in reply hold; do
	want_logged "level=warning msg=\"detached: the cgroup is gone\" section=$section"
	want_logged "msg=\"section not applied, retrying\" section=$section reason=\"cgroup $SERVICE: No such"
done
want_equal "$(section_states)" "['waiting', 'waiting']"
for command in "reply show" "hold show"; do
	# shellcheck disable=SC2086 # the words of a command
	want_status 0 sluice $command
	want_text "detached: the cgroup is gone"
done

say "created again"
serve_in_service
wait_until 30 are "['loaded', 'loaded']"
want_logged 'msg="reply is active"' 2
want_logged 'msg="hold is active"' 2
want_equal "$(json "(d['reply']['detached'], d['hold']['detached'], d['hold']['sending'])" sluice -j status)" \
	"(False, False, True)"
want_right "$CONTAINER" "$FAR4" "$PORT"
stop "$server"
daemon_stop
sluice --netns "$HOST" cleanup
rmdir "$SERVICE"
want_clean
