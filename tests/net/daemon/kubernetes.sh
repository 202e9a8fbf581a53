#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The daemon works with only the capabilities of the Kubernetes manifests, even when it takes over
# the objects of an earlier Pod. Each overlay that adds a capability is needed for its stated
# purpose.
#
#   container 172.17.0.3 ── veth3 ═ docker0 172.17.0.1 [host: [::]:56789] eth0 172.16.13.13
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"

# capabilities MANIFEST: prints the capabilities of the daemon's container
capabilities()
{
	awk '$1 == "drop:" { exit } on { print tolower($2) } $1 == "add:" { on = 1 }' \
		"$ROOT/tools/deploy/kubernetes/rendered/$1.yaml"
}

# within MANIFEST: sets WITHIN to a wrapper command that applies the capabilities of the manifest
within()
{
	local caps
	caps=$(setpriv --list-caps | grep -vxF "$(capabilities "$1")" | sed 's/^/-/' | paste -sd,)
	WITHIN=(setpriv --no-new-privs --bounding-set="$caps" --inh-caps="$caps")
}

# pod_start MANIFEST: starts the daemon with the capabilities of the manifest
pod_start()
{
	within "$1"
	: >"$DAEMON_LOG"
	spawn_in "$HOST" "$DAEMON_LOG" "${WITHIN[@]}" "$SLUICE" run --config "$CONF"
	DAEMON=$SPAWNED
}

want_quiet()
{
	want_equal "$(grep -E 'level=(warning|error)' "$DAEMON_LOG" || true)" "" \
		"warnings and errors of the daemon"
}

want_equal "$(capabilities base | paste -sd' ')" "bpf net_admin perfmon sys_ptrace"
topology_up
serve "$HOST" dual6 "$PORT"

say "base: load, and take over with other settings"
for ports in "$PORT" "$PORT,99"; do
	configure '[reply]' 'mode = socket' "port = $ports" '[wire]' 'follow = docker0' "port = $ports" \
		'[steer]' "port = $ports"
	pod_start base
	want_logged 'msg="started"'
	want_quiet
	want_right "$CONTAINER" "$FAR4" "$PORT"
	want_right "$CONTAINER" "$FAR6" "$PORT"
	daemon_stop
done

say "the overlay hold: keepalives need NET_RAW, and SYS_ADMIN for other namespaces"
within base
want_status 4 "${WITHIN[@]}" "$SLUICE" check --for hold
want_equal "$(sed -nE 's|.*(CAP_[A-Z_]+) +fail .*|\1|p' <<<"$OUTPUT" | paste -sd' ')" \
	"CAP_NET_RAW CAP_SYS_ADMIN"
within hold
want_status 0 "${WITHIN[@]}" "$SLUICE" check --for hold
configure '[hold]' 'port = any' 'netns = all'
pod_start hold
want_logged 'msg="started"'
want_quiet
daemon_stop

say "the overlay netns: a section with another namespace needs SYS_ADMIN"
configure '[reply]' 'mode = socket' '[wire]' "netns = $CONTAINER" 'iface = eth0'
pod_start base
want_logged "cannot enter the network namespace"
daemon_stop
pod_start netns
want_logged 'msg="started"'
want_quiet
daemon_stop
sluice --netns "$HOST" cleanup
want_clean
