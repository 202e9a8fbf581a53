#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# runs alone: the cleanup Job searches the whole kernel
#
# The image of make image with the security context, the mounts and the arguments of each Pod template,
# under podman. On a node without bpffs, the init step mounts it. The daemon fixes a bridged client, and
# no answer is wrong while its container restarts and while another version of the Pod replaces it. The
# cleanup Job leaves nothing. The rendezvous server answers and registers peers, and peers of the image
# reach each other. The README's commands for podman alone do what the README says.
#
#   container 172.17.0.3 ── veth3 ═ docker0 172.17.0.1 [host: [::]:56789] eth0 172.16.13.13
. "$(dirname "$0")/../net/lib/lib.sh"
. "$(dirname "$0")/../net/lib/meet.sh"

# The node's mounts, which are invisible to the runner. They are shared mounts, as with systemd.
[ -n "${NODE:-}" ] || NODE=yes exec unshare --mount --propagation shared "$0"

VERSION=$("$SLUICE" --version)
VERSION=${VERSION##* }
ARCHIVE=$BUILD/sluice-image-$VERSION.tar
[ -e "$ARCHIVE" ] || fail "$ARCHIVE is not there: build it with 'make image'"
TRANSLATE=$ROOT/tests/net/lib/pod.py
DEPLOY=$ROOT/tools/deploy/kubernetes
RENDERED=$DEPLOY/rendered
MANIFEST=base.yaml KIND=DaemonSet

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
CONF
export CONTAINERS_CONF=$TEST_TMP/containers.conf

# The test's own podman, also for the commands of the README.
mkdir "$TEST_TMP/bin"
cat >"$TEST_TMP/bin/podman" <<-SHELL
	#!/bin/sh
	exec $(type -p podman) --log-level error --root "$TEST_TMP/storage" --runroot "$TEST_TMP/runroot" "\$@"
SHELL
chmod +x "$TEST_TMP/bin/podman"
export PATH=$TEST_TMP/bin:$PATH

podman_run()
{
	in_ns "$HOST" podman "$@"
}

# pod CONTAINER [OPTION…]: runs a container of the Pod template, as on node HOST
pod()
{
	local name=$1 words
	shift
	python3 "$TRANSLATE" "$RENDERED/$MANIFEST" "$KIND" "$name" "$TEST_TMP/config.$MANIFEST" "$FAR4" \
		>"$TEST_TMP/words"
	mapfile -d '' words <"$TEST_TMP/words"
	podman_run run --replace --name "$name" "$@" "${words[@]}"
}

# pod_start CONTAINER: starts a server's container, and waits until its probes succeed
pod_start()
{
	pod "$1" --detach >/dev/null
	wait_until 20 probe "$1" startup || fail "$(podman_run logs "$1" 2>&1)"
	wait_until 60 probe "$1" readiness || fail "$(podman_run logs "$1" 2>&1)"
	probe "$1" liveness
}

# probe CONTAINER NAME: sends the probe from the node, as the kubelet does
probe()
{
	local url
	url=$(python3 "$TRANSLATE" "$RENDERED/$MANIFEST" "$KIND" "$1" probe "$FAR4" "$2" | tr -d '\0')
	in_ns "$HOST" python3 -IS -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=5)' \
		"$url" 2>/dev/null
}

# status_of CONTAINER FIELD: prints a line of its process's /proc/PID/status
status_of()
{
	sed -n "s/^$2:\t//p" "/proc/$(podman_run inspect --format '{{.State.Pid}}' "$1")/status"
}

# effective_caps CONTAINER: prints the effective capabilities of its process
effective_caps()
{
	capsh --decode="$(status_of "$1" CapEff)" | sed 's/.*=//'
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
pod bpffs
want_equal "$(bpffs_mounts)" 1
pod bpffs
want_equal "$(bpffs_mounts)" 1

say "the Pod fixes a bridged client, with the four capabilities"
pod_start sluice
want_right "$CONTAINER" "$FAR4" "$PORT"
want_right "$CONTAINER" "$FAR6" "$PORT"
want_equal "$(effective_caps sluice)" cap_net_admin,cap_sys_ptrace,cap_perfmon,cap_bpf
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
pod_start sluice
want_equal "$(status_of sluice Seccomp)" 2 "the mode of seccomp"
want_right "$CONTAINER" "$FAR4" "$PORT"
podman_run stop sluice >/dev/null

# overlay NAME CAPABILITIES [LINE…]: runs an overlay, with LINEs more in its sluice.conf
overlay()
{
	MANIFEST=$1.yaml RENDERED=$TEST_TMP
	sed "s/^    mode = socket\$/&$(printf '\\n    %s' "${@:3}")/" "$DEPLOY/rendered/$MANIFEST" >"$TEST_TMP/$MANIFEST"
	pod_start sluice
	want_equal "$(effective_caps sluice)" "$2" "the capabilities of overlay $1"
	want_right "$CONTAINER" "$FAR4" "$PORT"
	podman_run stop sluice >/dev/null
	MANIFEST=base.yaml RENDERED=$DEPLOY/rendered
}

say "the other overlays, with the sections that need them"
overlay hold cap_net_admin,cap_net_raw,cap_sys_ptrace,cap_sys_admin,cap_perfmon,cap_bpf \
	'[hold]' 'port = 20999' 'netns = all'
overlay netns cap_net_admin,cap_sys_ptrace,cap_sys_admin,cap_perfmon,cap_bpf \
	'[steer]' 'port = 20999' 'netns = all'
# a machine that lacks SYS_RESOURCE itself cannot add it
all=$(capsh --decode="$(sed -n 's/^CapBnd:\t//p' /proc/self/status)" | sed 's/.*=//')
overlay old-kernel "cap_net_admin,cap_sys_ptrace,$(grep -o cap_sys_resource, <<<"$all" || true)cap_perfmon,cap_bpf"
overlay podmonitor cap_net_admin,cap_sys_ptrace,cap_perfmon,cap_bpf
overlay privileged "$all"
pod_start sluice

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
pod_start sluice
podman_run stop sluice >/dev/null
podman_run tag "localhost/sluice:$VERSION" "localhost/sluice:next"
sed "s|localhost/sluice:$VERSION|localhost/sluice:next|" "$RENDERED/base.yaml" >"$TEST_TMP/next.yaml"
RENDERED=$TEST_TMP
cp "$TEST_TMP/next.yaml" "$TEST_TMP/base.yaml"
pod_start sluice
RENDERED=$DEPLOY/rendered
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
sed 's/NODE/host/' "$RENDERED/cleanup.yaml" >"$TEST_TMP/cleanup.yaml"
RENDERED=$TEST_TMP MANIFEST=cleanup.yaml KIND=Job
# exit status 5 if the kernel has objects of other owners
status=0
pod cleanup >"$TEST_TMP/job" 2>&1 || status=$?
[ "$status" = 0 ] || [ "$status" = 5 ] || fail "exit status $status" "$(cat "$TEST_TMP/job")"
want_equal "$(awk '$1 == "program" { print $2 }' "$TEST_TMP/job" | grep -xF -f "$TEST_TMP/own_programs" || true)" \
	"" "programs of this test that the Job has left"
want_clean
want_verified
want_wrong "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"

say "the rendezvous server answers, with the key and the peers of the template's volumes"
PEERS=$TEST_TMP/peers
mkdir -p "$TEST_TMP/config.rendezvous.yaml/secrets/sluice-rendezvous"
(umask 077 && sluice peer key >"$TEST_TMP/server.key")
cp "$TEST_TMP/server.key" "$TEST_TMP/config.rendezvous.yaml/secrets/sluice-rendezvous/key"
peer_add alice
peer_add bob
sed -e "s|^    # NAME PUBLIC-KEY .*|$(sed 's/^/    /; $!s/$/\\/' "$PEERS")|" "$DEPLOY/rendered/rendezvous.yaml" \
	>"$TEST_TMP/rendezvous.yaml"
MANIFEST=rendezvous.yaml KIND=Deployment
pod_start rendezvous
want_status 0 in_ns "$CONTAINER" "$(server_path usr/bin/turnutils_stunclient)" -L 172.17.0.3 "$FAR4"
want_text "UDP reflexive addr: 172.17.0.3:"
want_equal "$(effective_caps rendezvous) $(status_of rendezvous Uid)" "$(printf ' 65534\t65534\t65534\t65534')"
want_equal "$(status_of rendezvous Seccomp)" 2 "the mode of seccomp"

say "peers of the image reach each other"
serve "$HOST" sendto4 7001
# peer_container NAME OTHER WORD…: runs `sluice peer WORD…` in the image, as NAME
peer_container()
{
	local name=$1 other=$2
	shift 2
	podman_run run --detach --name "$name" --network=host --volume "$TEST_TMP:/keys:ro" \
		"localhost/sluice:$VERSION" peer "$@" --server "$FAR4:3478" --id "$name" \
		--server-key "$(sluice peer key --public <"$TEST_TMP/server.key")" --key-file "/keys/$name.key" \
		--peer-key "$other=$(sluice peer key --public <"$TEST_TMP/$other.key")" >/dev/null
}
peer_container bob alice run --expose udp:127.0.0.1:7001
peer_container alice bob connect --to bob --listen udp:127.0.0.1:7002
wait_udp "$HOST" 7002
want_right "$HOST" 127.0.0.1 7002
podman_run rm --all --force >/dev/null

say "podman alone, by the commands of the README"
umount /sys/fs/bpf
sed -n '/^Try it with podman alone/,/^Checks/s/^    //p' "$DEPLOY/README" >"$TEST_TMP/commands"
(cd "$ROOT" && in_ns "$HOST" timeout 300 bash "$TEST_TMP/commands") >"$TEST_TMP/output" 2>&1 || true
OUTPUT=$(cat "$TEST_TMP/output")
want_equal "$(grep -xE 'broken|fixed|kept|removed' <<<"$OUTPUT" || true)" $'fixed\nkept' "answers: $OUTPUT"
want_text ' 127.0.0.2:7000 '
want_equal "$(bpffs_mounts)" 1
want_equal "$(podman_run ps --all --quiet)" "" "containers"
want_clean
