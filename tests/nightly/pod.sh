#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# runs alone: the cleanup Job searches the whole kernel
#
# The image of make image with the security context and the mounts of the Pod template, under podman.
# On a node without bpffs, the init step mounts it. The daemon fixes a bridged client, and no answer
# is wrong while its container restarts and while another version of the Pod replaces it. The cleanup
# Job leaves nothing.
#
#   container 172.17.0.3 ── veth3 ═ docker0 172.17.0.1 [host: [::]:56789] eth0 172.16.13.13
. "$(dirname "$0")/../net/lib/lib.sh"

# The node's mounts, which are invisible to the runner. They are shared mounts, as with systemd.
[ -n "${NODE:-}" ] || NODE=yes exec unshare --mount --propagation shared "$0"

VERSION=$("$SLUICE" --version)
VERSION=${VERSION##* }
ARCHIVE=$BUILD/sluice-image-$VERSION.tar
[ -e "$ARCHIVE" ] || fail "$ARCHIVE is not there: build it with 'make image'"
RENDERED=$ROOT/tools/deploy/kubernetes/rendered
MANIFEST=base.yaml

# Uses runc, which works with the limits of this test; its cgroups are below that of the test.
cat >"$TEST_TMP/containers.conf" <<-CONF
	[containers]
	default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
	pids_limit = 0
	[engine]
	cgroup_manager = "cgroupfs"
	runtime = "runc"
	[engine.runtimes]
	runc = ["$(server_path usr/sbin/runc)"]
	[network]
	network_backend = "netavark"
CONF
export CONTAINERS_CONF=$TEST_TMP/containers.conf

podman_run()
{
	in_ns "$HOST" podman --log-level error --root "$TEST_TMP/storage" --runroot "$TEST_TMP/runroot" "$@"
}

# pod MANIFEST KIND CONTAINER [OPTION…]: runs a container of the Pod template, as on node HOST
pod()
{
	local manifest=$1 kind=$2 name=$3 words
	shift 3
	python3 "$ROOT/tests/net/lib/pod.py" "$RENDERED/$manifest" "$kind" "$name" "$TEST_TMP/config" \
		>"$TEST_TMP/words"
	mapfile -d '' words <"$TEST_TMP/words"
	podman_run run --replace --name "$name" "$@" "${words[@]}"
}

# pod_start [OPTION…]: starts the daemon's container, and waits until its startup probe succeeds
pod_start()
{
	pod "$MANIFEST" DaemonSet sluice --detach "$@" >/dev/null
	wait_until 20 probe startup || fail "$(podman_run logs sluice 2>&1)"
	wait_until 60 probe readiness || fail "$(podman_run logs sluice 2>&1)"
	probe liveness
}

# probe NAME: sends the probe from the node, as the kubelet does
probe()
{
	local url
	url=$(python3 "$ROOT/tests/net/lib/pod.py" "$RENDERED/$MANIFEST" DaemonSet sluice probe "$1" |
		tr -d '\0')
	in_ns "$HOST" python3 -IS -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=5)' \
		"$url" 2>/dev/null
}

daemon_pid()
{
	podman_run inspect --format '{{.State.Pid}}' sluice
}

bpffs_mounts()
{
	grep -c ' /sys/fs/bpf bpf ' /proc/self/mounts || true
}

link_ids()
{
	json "sorted((h['hook'], h['link_id']) for h in d['reply']['hooks'])" sluice -j reply show
}

topology_up
serve "$HOST" dual6 "$PORT"

say "a node without bpffs, whose cgroup2 root is that of the test"
mount --bind "$TEST_CGROUP" /sys/fs/cgroup
TEST_CGROUP=/sys/fs/cgroup
while mountpoint -q /sys/fs/bpf; do
	umount /sys/fs/bpf
done
podman_run load --quiet -i "$ARCHIVE" >/dev/null
want_equal "$(podman_run run --rm "localhost/sluice:$VERSION" --version)" "sluice $VERSION"
want_wrong "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"

say "the init step mounts the bpffs of the node, once"
want_equal "$(bpffs_mounts)" 0
pod base.yaml DaemonSet bpffs
want_equal "$(bpffs_mounts)" 1
pod base.yaml DaemonSet bpffs
want_equal "$(bpffs_mounts)" 1

say "the Pod fixes a bridged client, with the four capabilities"
pod_start
want_right "$CONTAINER" "$FAR4" "$PORT"
want_right "$CONTAINER" "$FAR6" "$PORT"
want_equal "$(capsh --decode="$(sed -n 's/^CapEff:\t//p' "/proc/$(daemon_pid)/status")" | sed 's/.*=//')" \
	cap_net_admin,cap_sys_ptrace,cap_perfmon,cap_bpf
want_status 2 podman_run exec sluice sh -c ': >/written'

say "the overlay seccomp, with a default profile that supports CAP_BPF, as in newer runtimes"
python3 - /usr/share/containers/seccomp.json >"$TEST_TMP/seccomp.json" <<-'PYTHON'
	import json
	import sys

	profile = json.load(open(sys.argv[1]))
	if not any("bpf" in rule["names"] and "CAP_BPF" in rule.get("includes", {}).get("caps", [])
	           for rule in profile["syscalls"]):
	    for rule in profile["syscalls"]:
	        if "bpf" in rule["names"]:
	            rule["names"].remove("bpf")
	    profile["syscalls"] += [{"names": ["bpf"], "action": "SCMP_ACT_ALLOW"}]
	json.dump(profile, sys.stdout)
PYTHON
sed -i "/^\[containers\]/a seccomp_profile = \"$TEST_TMP/seccomp.json\"" "$CONTAINERS_CONF"
podman_run stop sluice >/dev/null
MANIFEST=seccomp.yaml
pod_start
want_equal "$(sed -n 's/^Seccomp:\t//p' "/proc/$(daemon_pid)/status")" 2 "the mode of seccomp"
want_right "$CONTAINER" "$FAR4" "$PORT"
MANIFEST=base.yaml

say "no answer is wrong while the container restarts and while another version replaces the Pod"
bpftool cgroup tree "$TEST_CGROUP" | awk '/sluice_/ { print $1 }' >"$TEST_TMP/own_programs"
ids=$(link_ids)
clients=()
for addr in "$FAR4" "$FAR6"; do
	spawn_in "$CONTAINER" "$TEST_TMP/client.${#clients[@]}" \
		"$CLIENT" --any --until-signal --to "$(target "$addr" "$PORT")"
	clients+=("$SPAWNED")
done
podman_run kill sluice >/dev/null
podman_run wait sluice >/dev/null 2>&1 || true
pod_start
podman_run stop sluice >/dev/null
podman_run tag "localhost/sluice:$VERSION" "localhost/sluice:next"
sed "s|localhost/sluice:$VERSION|localhost/sluice:next|" "$RENDERED/base.yaml" >"$TEST_TMP/next.yaml"
RENDERED=$TEST_TMP
cp "$TEST_TMP/next.yaml" "$TEST_TMP/base.yaml"
pod_start
RENDERED=$ROOT/tools/deploy/kubernetes/rendered
want_equal "$(podman_run inspect --format '{{.ImageName}}' sluice)" localhost/sluice:next
for client in "${clients[@]}"; do
	kill "$client"
	wait "$client" || true
done
for file in "$TEST_TMP"/client.*; do
	want_equal "$(grep -oE 'right [0-9]+ wrong 0 refused 0 lost [01] corrupt 0' "$file" |
		grep -cvE 'right 0 ')" 1 "$(cat "$file")"
done
want_equal "$(link_ids)" "$ids" "the links of the data path"

say "the data path stays when the Pod is deleted, until the cleanup Job runs"
podman_run stop sluice >/dev/null
want_right "$CONTAINER" "$FAR4" "$PORT"
sed 's/NODE/host/' "$ROOT/tools/deploy/kubernetes/rendered/cleanup.yaml" >"$TEST_TMP/cleanup.yaml"
RENDERED=$TEST_TMP
# exit status 5 if the kernel has objects of other owners
status=0
pod cleanup.yaml Job cleanup >"$TEST_TMP/job" 2>&1 || status=$?
[ "$status" = 0 ] || [ "$status" = 5 ] || fail "exit status $status" "$(cat "$TEST_TMP/job")"
want_equal "$(awk '$1 == "program" { print $2 }' "$TEST_TMP/job" | grep -xF -f "$TEST_TMP/own_programs" || true)" \
	"" "programs of this test that the Job has left"
want_clean
want_verified
want_wrong "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"
