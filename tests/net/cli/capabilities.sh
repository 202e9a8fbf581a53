#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A load names each missing capability, exits with status 4 and leaves nothing behind. Capabilities
# that it does not need may be missing.
. "$(dirname "$0")/../lib/lib.sh"

# without CAPS COMMAND…: runs COMMAND as root without the listed capabilities (-bpf,-sys_admin)
without()
{
	local caps=$1
	shift
	setpriv --bounding-set="$caps" --inh-caps="$caps" "$@"
}

loads_without()
{
	want_status 0 without "$1" "$SLUICE" reply load --mode socket --cgroup "$TEST_CGROUP"
	sluice reply unload
	want_clean
}

refused_without()
{
	want_status 4 without "$1" "$SLUICE" reply load --mode socket --cgroup "$TEST_CGROUP"
	want_text "$2"
	want_clean
}

say "capabilities that the load needs"
# CAP_SYS_ADMIN includes CAP_BPF and CAP_PERFMON
refused_without -bpf,-sys_admin CAP_BPF
refused_without -perfmon,-sys_admin CAP_PERFMON
refused_without -net_admin,-sys_admin CAP_NET_ADMIN
refused_without -all CAP_BPF

say "capabilities that the load does not need"
(
	# kernels before 5.11 charge maps to RLIMIT_MEMLOCK; a test that cannot raise it accepts the
	# current value
	ulimit -l 65536 2>/dev/null || true
	loads_without -sys_resource
)
loads_without -sys_ptrace,-sys_module,-net_raw,-mknod

say "memory for maps: check predicts the error of a load"
pinched()
{
	(
		ulimit -l 64
		without -sys_resource "$@"
	)
}
foreseen=0
pinched "$SLUICE" check --for reply >"$TEST_TMP/check" || foreseen=$?
want_status "$foreseen" pinched "$SLUICE" reply load --mode socket --cgroup "$TEST_CGROUP"
if [ "$foreseen" != 0 ]; then
	want_equal "$foreseen" 4
	want_text CAP_SYS_RESOURCE
	grep -q ' fail .*CAP_SYS_RESOURCE' "$TEST_TMP/check" || fail "$(cat "$TEST_TMP/check")"
fi
sluice cleanup
want_clean

say "a user without capabilities"
unprivileged()
{
	setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
}
want_status 4 unprivileged "$SLUICE" reply load --mode socket --cgroup "$TEST_CGROUP"
want_text CAP_
want_clean
reply_load
before=$(bpftool cgroup show "$TEST_CGROUP")
for words in "reply unload" "cleanup" "reply show" "reply flows" "status" "reply load --mode socket"; do
	# shellcheck disable=SC2086 # a list of words
	want_status 4 unprivileged "$SLUICE" $words
	want_text CAP_
done
want_equal "$(bpftool cgroup show "$TEST_CGROUP")" "$before" "what is attached"
