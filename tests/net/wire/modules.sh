#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A kfunc that vmlinux lacks, as where nf_conntrack is a module: without CAP_SYS_ADMIN the load of
# mode wire names the capability, and mode socket loads. The kernel lacks no such function here, so
# a copy of the program asks for one with another name.
. "$(dirname "$0")/../lib/lib.sh"

topology_host
sed 's/bpf_ct_change_timeout/bpf_xt_change_timeout/g' "$SLUICE" >"$TEST_TMP/sluice"
chmod +x "$TEST_TMP/sluice"
cmp -s "$SLUICE" "$TEST_TMP/sluice" && fail "the program does not contain the name"

# without NAME ARGUMENT...: runs the copy without a capability
without()
{
	local cap=$1
	shift
	in_ns "$HOST" setpriv --bounding-set="-$cap" --inh-caps="-$cap" "$TEST_TMP/sluice" "$@"
}

say "without CAP_SYS_ADMIN"
want_status 4 without sys_admin reply load --mode wire --follow docker0
want_text "bpf_xt_change_timeout is not in the kernel itself"
want_text "grant CAP_SYS_ADMIN"
want_clean
without sys_admin --cgroup "$TEST_CGROUP" reply load --mode socket --port "$PORT"
sluice --netns "$HOST" reply unload

say "with it"
without sys_time reply load --mode wire --follow docker0
sluice --netns "$HOST" reply unload
