#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A server runs in another network namespace below the same cgroup, as in a pod. Its replies are
# fixed, whatever the namespace of the loader. Equal addresses in two namespaces are kept apart.
#
#   container 172.17.0.3 ── docker0 [host] ── container2 172.17.0.4 on eth0, 10.9.9.9 on lo
#                                             server on 0.0.0.0:56789
. "$(dirname "$0")/../lib/lib.sh"

topology_up second
addr_add "$CONTAINER2" lo 10.9.9.9/32
addr_add "$CONTAINER2" lo fd99::9/128
ip -n "$CONTAINER" route add 10.9.9.9 via 172.17.0.4
ip -n "$CONTAINER" route add fd99::9 via fd17::4
serve "$CONTAINER2" dual6 "$PORT"
want_fixed "$CONTAINER" 10.9.9.9 "$PORT" 172.17.0.4
want_fixed "$CONTAINER" fd99::9 "$PORT" fd17::4
no_errors "$LOG"

say "servers on the same port in two namespaces, and a client with this port"
serve "$HOST" dual6 "$PORT"
reply_load
for round in 1 2 3; do
	want_right "$CONTAINER" 10.9.9.9 "$PORT" --from 172.17.0.3:4000
	want_right "$CONTAINER" "$FAR4" "$PORT" --from 172.17.0.3:4000
	want_right "$CONTAINER" fd99::9 "$PORT" --from "[fd17::3]:4000"
	want_right "$CONTAINER" "$FAR6" "$PORT" --from "[fd17::3]:4000"
done

say "a server in a descendant cgroup"
mkdir "$TEST_CGROUP/pod"
stop "$SPAWNED"
spawn_in "$HOST" "$TEST_TMP/pod.log" bash -c \
	'echo $$ >"$1/cgroup.procs"; exec "$2" --kind sendto4 --port "$3"' \
	- "$TEST_CGROUP/pod" "$SERVER" "$PORT"
wait_udp "$HOST" "$PORT"
want_right "$CONTAINER" "$FAR4" "$PORT"
sluice reply unload
want_wrong "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"
