#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# `sluice check` says what is there and what is missing, one line each, and a verdict last; where
# something is missing the verdict says so, and so does the exit code.
. "$(dirname "$0")/lib.sh"

say "on a kernel that can"
want_status 0 sluice check
for word in kernel BTF bpffs cgroup2 CAP_BPF CAP_NET_ADMIN sendmsg4 sendmsg6 cgroup_skb; do
	want_text "$word"
done
root=$(awk '$0 ~ / - cgroup2 / { print $5; exit }' /proc/self/mountinfo)
want_text "$root"
want_text "$(uname -r)"
[[ ${OUTPUT##*$'\n'} == *reply* ]] || fail "the last line is no verdict:" "$OUTPUT"

say "the same, for one plane"
want_status 0 sluice check --for reply
want_status 2 sluice check --for rpely
want_text "'reply'"

say "nothing is changed by checking"
want_clean

say "without a bpffs"
want_status 1 unshare --mount --propagation private bash -c \
	'while umount -l /sys/fs/bpf 2>/dev/null; do :; done; exec "$1" check' - "$SLUICE"
want_text "mount -t bpf"
want_text fail

say "without capabilities"
want_status 4 setpriv --reuid 65534 --regid 65534 --clear-groups "$SLUICE" check
want_text CAP_BPF
