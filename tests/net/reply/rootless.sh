#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Servers and bridge are in network namespaces of a user namespace, as with a rootless Docker daemon
# (sluice-docker(7)). Mode socket fixes the server by its cgroup; mode wire, in the namespace of its
# process.
#
#   container ── docker0 172.17.0.1 [host: 0.0.0.0:56789] lo 172.16.13.13; both of one user namespace
. "$(dirname "$0")/../lib/lib.sh"

is_other_user()
{
	[ "$(readlink "/proc/$1/ns/user")" != "$(readlink /proc/self/ns/user)" ]
}

in_other_netns()
{
	[ "$(readlink "/proc/$1/ns/net")" != "$(readlink /proc/self/ns/net)" ]
}

# netns_add NAME: creates network namespace NAME, owned by the user namespace
netns_add()
{
	local pid
	nsenter --user="/proc/$USER_PID/ns/user" -- unshare --net sleep 1000 &
	pid=$!
	wait_until 20 in_other_netns "$pid"
	: >"/run/netns/$1"
	mount --bind "/proc/$pid/ns/net" "/run/netns/$1"
	stop "$pid"
	in_ns "$1" ip link set dev lo up
}

unshare --user --map-root-user sleep 1000 &
USER_PID=$!
wait_until 20 is_other_user "$USER_PID"
mkdir -p /run/netns
topology_host
bridge_port "$CONTAINER" 3
ip -n "$HOST" addr add "$FAR4/32" dev lo

# the server runs in the user namespace
printf '#!/bin/sh\nexec nsenter --user=/proc/%s/ns/user -- %s "$@"\n' "$USER_PID" "$SERVER" \
	>"$TEST_TMP/server"
chmod +x "$TEST_TMP/server"
SERVER=$TEST_TMP/server
serve "$HOST" dual6 "$PORT"
is_other_user "$SPAWNED" || fail "the server is not in the user namespace"
want_fixed "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"

say "mode wire"
sluice --netns "$SPAWNED" reply load --mode wire --follow docker0
want_right "$CONTAINER" "$FAR4" "$PORT"
sluice --netns "$SPAWNED" reply unload
want_wrong "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"
stop "$USER_PID"
