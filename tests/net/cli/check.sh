#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# `sluice check` prints one line for each requirement and ends with a verdict for each object. The
# line of a missing requirement names the fix, and the exit status names the kind of failure.
. "$(dirname "$0")/../lib/lib.sh"

verdict()
{
	echo "${OUTPUT##*$'\n'}"
}

# finding NAME: prints the line about NAME
finding()
{
	grep -E "^[a-z]+ +$1 " <<<"$OUTPUT"
}

say "a kernel with all features"
want_status 0 sluice check --for reply
[[ $(verdict) == "reply: ready"* ]] || fail "verdict: $(verdict)"
[[ $(finding kernel) == *"$(uname -r)"* ]] || fail "kernel: $(finding kernel)"
root=$(awk '$0 ~ / - cgroup2 / { print $5; exit }' /proc/self/mountinfo)
[[ $(finding cgroup2) == *" ok "*"$root"* ]] || fail "cgroup2: $(finding cgroup2)"
for name in CAP_BPF CAP_NET_ADMIN BTF bpffs cgroup_skb/ingress cgroup/sendmsg4 cgroup/sendmsg6; do
	[[ $(finding "$name") == *" ok "* ]] || fail "$name: $(finding "$name")"
done
# "fallback" if the kernel lacks an optional feature
[[ $(json "d['verdict']['reply']" sluice -j check --for reply) =~ ^(ready|fallback)$ ]] ||
	fail "$(sluice -j check --for reply)"

say "objects"
want_status 0 sluice check --for reply,reply
want_status 0 sluice check --for rendezvous
for name in xdp "bpf_link for XDP" bpf_xdp_adjust_head; do
	[[ $(finding "$name") == *" ok "* ]] || fail "$name: $(finding "$name")"
done
want_equal "$(verdict)" "rendezvous: ready"
want_status 2 sluice check --for rpely
want_text "'reply'"

say "check changes nothing"
want_clean

say "without a bpffs"
no_bpffs()
{
	# the test's own bpffs is mounted over the system's
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
want_status 0 setpriv --bounding-set=-bpf,-sys_admin --inh-caps=-bpf,-sys_admin \
	"$SLUICE" check --for rendezvous
[[ $(verdict) == "rendezvous: ready, with "*" fallback"* ]] || fail "verdict: $(verdict)"
[[ $(finding xdp) == *" warn "*"no --xdp"* ]] || fail "xdp: $(finding xdp)"
want_status 4 setpriv --reuid 65534 --regid 65534 --clear-groups "$SLUICE" check --for reply
[[ $(finding CAP_NET_ADMIN) == *" fail "* ]] || fail "CAP_NET_ADMIN: $(finding CAP_NET_ADMIN)"
