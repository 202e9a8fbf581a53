#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Commands find the cgroup of a load by its id, even without the permission to open it by id. They
# report if the cgroup is gone, or if another process has detached the links.
. "$(dirname "$0")/../lib/lib.sh"

is_detached()
{
	[ "$(json "all(not hook['attached'] for hook in d['reply']['hooks'])" sluice -j reply show)" = True ]
}

say "the path"
mkdir -p "$TEST_CGROUP/a/b c"
sluice reply load --mode socket --cgroup "$TEST_CGROUP/a/b c"
want_equal "$(json "d['reply']['cgroup']" sluice -j reply show)" "$TEST_CGROUP/a/b c"
want_equal "$(json "d['reply']['cgroup']" setpriv --bounding-set=-dac_read_search \
	--inh-caps=-dac_read_search "$SLUICE" -j reply show)" "$TEST_CGROUP/a/b c"
want_equal "$(json "(d['reply']['detached'], d['reply']['cgroup_gone'])" sluice -j reply show)" \
	"(False, False)"

say "the cgroup path is found without a walk over the cgroups"
strace -y -o "$TEST_TMP/calls" -e trace=getdents64 "$SLUICE" -j reply show >/dev/null
! grep "${TEST_CGROUP%/sluice-test*}" "$TEST_TMP/calls" || fail "cgroups are listed"
strace -y -o "$TEST_TMP/calls" -e trace=getdents64 setpriv --bounding-set=-dac_read_search \
	--inh-caps=-dac_read_search "$SLUICE" -j reply show >/dev/null
grep -q "${TEST_CGROUP%/sluice-test*}" "$TEST_TMP/calls" || fail "the test would not detect a walk"

say "a link that another process has detached"
bpftool link detach pinned "$PINS/reply/link_fix4"
want_equal "$(json "[h['hook'] for h in d['reply']['hooks'] if not h['attached']]" \
	sluice -j reply show)" "['cgroup/sendmsg4']"
want_equal "$(json "(d['reply']['detached'], d['reply']['cgroup_gone'])" sluice -j reply show)" \
	"(True, False)"
want_status 0 sluice status
want_text "detached: by another process"
want_text "cgroup/sendmsg4 (detached)"
sluice reply load --mode socket --cgroup "$TEST_CGROUP/a/b c"
want_equal "$(json "d['reply']['detached']" sluice -j reply show)" False

say "the cgroup is gone"
rmdir "$TEST_CGROUP/a/b c" "$TEST_CGROUP/a"
# the kernel detaches the links from a work queue
wait_until 20 is_detached
for command in status "reply show"; do
	# shellcheck disable=SC2086 # the words of a command
	want_status 0 sluice $command
	want_text "detached: the cgroup is gone"
done
want_equal "$(json "(d['reply']['detached'], d['reply']['cgroup_gone'])" sluice -j reply show)" \
	"(True, True)"
want_equal "$(json "d['reply']['cgroup']" setpriv --bounding-set=-dac_read_search \
	--inh-caps=-dac_read_search "$SLUICE" -j reply show)" "(gone)"
sluice reply load --mode socket --cgroup "$TEST_CGROUP"
want_equal "$(json "(d['reply']['detached'], d['reply']['cgroup'])" sluice -j reply show)" \
	"(False, '$TEST_CGROUP')"
sluice reply unload
want_clean
