#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# bpftool finds the cgroup, link and program ids that sluice reports. Listed flows have the process
# of the socket, and both addresses.
#
#   container 172.17.0.3:4000 ── docker0 172.17.0.1 [host: 0.0.0.0:56789] eth0 172.16.13.13
. "$(dirname "$0")/../lib/lib.sh"

topology_up
serve "$HOST" dual6 "$PORT"
reply_load
want_right "$CONTAINER" "$FAR4" "$PORT" --from 172.17.0.3:4000
want_right "$CONTAINER" "$FAR6" "$PORT" --from "[fd17::3]:4001"

say "the programs on the cgroup are those in reply show"
attached=$(bpftool cgroup show "$TEST_CGROUP" | awk '$1 ~ /^[0-9]+$/ { print $1 }' | sort)
shown=$(sluice -j reply show | python3 -c 'import json, sys
for hook in json.load(sys.stdin)["reply"]["hooks"]:
    if hook["hook"].startswith("cgroup"):
        print(hook["program_id"])' | sort)
want_equal "$shown" "$attached" "program ids"
for id in $(json "' '.join(str(hook['link_id']) for hook in d['reply']['hooks'])" sluice -j reply show); do
	bpftool link show id "$id" >/dev/null || fail "bpftool does not know link $id"
done
want_equal "$(json "d['reply']['cgroup']" sluice -j reply show)" "$TEST_CGROUP"

say "the flows"
# flow PEER PORT KEY
flow()
{
	json "[flow['$3'] for flow in d['flows'] if (flow['peer'], flow['peer_port']) == ('$1', $2)][0]" \
		sluice -j reply flows
}
want_equal "$(flow 172.17.0.3 4000 local)" "$FAR4"
want_equal "$(flow fd17::3 4001 local)" "$FAR6"
want_equal "$(flow 172.17.0.3 4000 pid)" "$SPAWNED"
want_equal "$(flow 172.17.0.3 4000 process)" udp-server
want_equal "$(flow 172.17.0.3 4000 socket_cookie)" "$(flow fd17::3 4001 socket_cookie)"

say "text"
want_status 0 sluice reply flows
want_text "172.17.0.3:4000"
want_text udp-server
want_status 0 sluice reply show
want_text "$TEST_CGROUP"
want_text fixed
want_status 0 sluice status
want_text sluice_fix4

say "the order among other owners' programs"
"$FOREIGN" --cgroup "$TEST_CGROUP" --type sendmsg4 --name other_one >/dev/null
want_status 0 sluice status
want_text other_one
