#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Each kind of NAT and the next kind, by UDP and by TCP; tests/nightly/peer-kinds.sh has all
# pairs.
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/peer.sh"
. "$(dirname "$0")/../lib/kinds.sh"

for transport in udp tcp; do
	for i in "${!LAB_KINDS[@]}"; do
		kinds_plan "$transport" "${LAB_KINDS[i]}" "${LAB_KINDS[(i + 1) % ${#LAB_KINDS[@]}]}" 1
	done
done | kinds_punch "$TEST_TMP/found"
