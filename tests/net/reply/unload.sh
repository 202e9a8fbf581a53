#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The programs stay loaded without the loader. 'unload' and 'cleanup' remove all of them; running
# either twice is harmless. --dry-run changes nothing.
#
#   container ── docker0 172.17.0.1 [host: 0.0.0.0:56789] eth0 172.16.13.13
. "$(dirname "$0")/../lib/lib.sh"

topology_up
serve "$HOST" sendto4 "$PORT"

say "not loaded: unload and cleanup report that, and change nothing"
want_clean
want_status 1 sluice reply unload
want_text "$NOT_LOADED"
want_status 1 sluice reply show
want_text "$NOT_LOADED"
want_status 0 sluice status
want_text "not loaded"
want_status 0 sluice cleanup
want_verified

say "dry run"
want_status 0 reply_load --dry-run
[ -n "$OUTPUT" ] || fail "a dry run without output"
want_text "$TEST_CGROUP"
want_clean
want_wrong "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"

say "without --cgroup, the default is the root of the cgroup2 tree"
root=$(awk '$0 ~ / - cgroup2 / { print $5; exit }' /proc/self/mountinfo)
want_status 0 sluice reply load --mode socket --dry-run
want_text " cgroup $root, table"
want_clean

say "loaded twice: one set of programs"
reply_load
reply_load
want_right "$CONTAINER" "$FAR4" "$PORT"
want_equal "$(bpftool cgroup show "$TEST_CGROUP" | grep -c sluice_fix4)" 1 "programs on sendmsg4"
want_equal "$(bpftool cgroup show "$TEST_CGROUP" | grep -c sluice_learn)" 1 "programs on ingress"

say "a dry run leaves the loaded programs alone"
ids=$(bpftool cgroup show "$TEST_CGROUP")
reply_load --dry-run --port 1-2 >/dev/null
want_equal "$(bpftool cgroup show "$TEST_CGROUP")" "$ids" "programs after a dry run"
want_right "$CONTAINER" "$FAR4" "$PORT"

say "cleanup --verify finds objects in another directory, and leaves them alone"
want_status 5 sluice --bpffs /sys/fs/bpf/empty cleanup --verify
want_text sluice_
want_right "$CONTAINER" "$FAR4" "$PORT"

say "another bpffs directory"
sluice reply unload
want_clean
sluice --bpffs /sys/fs/bpf/elsewhere reply load --mode socket --cgroup "$TEST_CGROUP"
want_right "$CONTAINER" "$FAR4" "$PORT"
[ -n "$(find /sys/fs/bpf/elsewhere -type f)" ] || fail "nothing is pinned at --bpffs"
sluice --bpffs /sys/fs/bpf/elsewhere reply unload
want_wrong "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"
want_equal "$(find /sys/fs/bpf -path '*elsewhere*')" "" "pins left"

say "unload twice, cleanup twice"
reply_load
sluice reply unload
want_status 1 sluice reply unload
want_text "$NOT_LOADED"
want_verified
reply_load
sluice cleanup
sluice cleanup
want_verified
want_wrong "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"

say "a load to another cgroup frees the first cgroup"
mkdir "$TEST_CGROUP/one" "$TEST_CGROUP/two"
sluice reply load --mode socket --cgroup "$TEST_CGROUP/one"
sluice reply load --mode socket --cgroup "$TEST_CGROUP/two"
want_equal "$(bpftool cgroup show "$TEST_CGROUP/one" | grep -c sluice_)" 0 "programs on the first"
want_equal "$(bpftool cgroup show "$TEST_CGROUP/two" | grep -c sluice_fix4)" 1 "on the second"
sluice reply unload

say "the fix is inactive when unload returns"
for round in $(seq 15); do
	reply_load
	want_right "$CONTAINER" "$FAR4" "$PORT"
	sluice reply unload
	want_line "sent 1 right 0 wrong 1 refused 0 lost 0 corrupt 0" \
		"$(ask "$CONTAINER" --any --to "$FAR4:$PORT")"
done
