#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# runs alone: it counts the BPF objects of the whole kernel
#
# 500 reloads of each section and mode do not change the number of programs, maps and links in the
# kernel, nor the descriptors and memory of the daemon.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# in_kernel: prints the number of programs, maps and links in the kernel
in_kernel()
{
	local kind
	for kind in prog map link; do
		bpftool -j "$kind" show | python3 -c 'import json, sys; print(len(json.load(sys.stdin)))'
	done
}

before=$(in_kernel)
ROUNDS=500 "$ROOT/tests/net/daemon/leak.sh"
# the kernel frees BPF objects from a work queue
for _ in $(seq 100); do
	after=$(in_kernel)
	[ "$after" != "$before" ] || exit 0
	sleep 0.1
done
echo "programs, maps and links before: ${before//$'\n'/, }; after: ${after//$'\n'/, }" >&2
exit 1
