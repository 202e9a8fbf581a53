#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# `sluice check` says what is there and what is missing, a line each, and a verdict for each plane
# last. Where something is missing the line says how to mend it, and the exit code of what kind it
# is.
. "$(dirname "$0")/../lib/lib.sh"

verdict()
{
	echo "${OUTPUT##*$'\n'}"
}

# finding NAME: the line about NAME
finding()
{
	grep -E "^[a-z]+ +$1 " <<<"$OUTPUT"
}

say "on a kernel that can"
want_status 0 sluice check --for reply
[[ $(verdict) == "reply: ready"* ]] || fail "verdict: $(verdict)"
[[ $(finding kernel) == *"$(uname -r)"* ]] || fail "kernel: $(finding kernel)"
root=$(awk '$0 ~ / - cgroup2 / { print $5; exit }' /proc/self/mountinfo)
[[ $(finding cgroup2) == *" ok "*"$root"* ]] || fail "cgroup2: $(finding cgroup2)"
for name in CAP_BPF CAP_NET_ADMIN BTF bpffs cgroup_skb/ingress cgroup/sendmsg4 cgroup/sendmsg6; do
	[[ $(finding "$name") == *" ok "* ]] || fail "$name: $(finding "$name")"
done
# "fallback" where the kernel lacks what the plane can do without
[[ $(json "d['verdict']['reply']" sluice -j check --for reply) =~ ^(ready|fallback)$ ]] ||
	fail "$(sluice -j check --for reply)"

say "planes"
want_status 0 sluice check --for reply,reply
want_status 2 sluice check --for rpely
want_text "'reply'"

say "nothing is changed by checking"
want_clean

say "without a bpffs"
no_bpffs()
{
	# the test's own is mounted over the system's
	unshare --mount --propagation private bash -c \
		'while umount -l /sys/fs/bpf 2>/dev/null; do :; done; exec "$@"' - "$@"
}
want_status 3 no_bpffs "$SLUICE" check --for reply
[[ $(finding bpffs) == *" fail "*"mount -t bpf"* ]] || fail "bpffs: $(finding bpffs)"
want_text "not possible"

say "without capabilities"
want_status 4 setpriv --bounding-set=-bpf,-sys_admin --inh-caps=-bpf,-sys_admin \
	"$SLUICE" check --for reply
[[ $(finding CAP_BPF) == *" fail "* ]] || fail "CAP_BPF: $(finding CAP_BPF)"
[[ $(finding CAP_NET_ADMIN) == *" ok "* ]] || fail "CAP_NET_ADMIN: $(finding CAP_NET_ADMIN)"
want_status 4 setpriv --reuid 65534 --regid 65534 --clear-groups "$SLUICE" check --for reply
[[ $(finding CAP_NET_ADMIN) == *" fail "* ]] || fail "CAP_NET_ADMIN: $(finding CAP_NET_ADMIN)"
