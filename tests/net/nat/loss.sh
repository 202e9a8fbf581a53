#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The probe classifies a NAT correctly although packets are lost, delayed and reordered: it repeats
# each request, and accepts a missing answer only after a check.
#
#   in1 ── nat1 ──┐
#   …             ├── router (drops one packet in 20) ── 30 to 60 ms ── peer [coturn]
#   in3 ── nat3 ──┘
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/nat.sh"

HIDDEN=address-and-port-dependent
lab_core 30 30
lab_nat nat1 in1 address-dependent 60 1
lab_hairpin nat1 198.51.100.1
lab_nat nat2 in2 "$HIDDEN" 60 2
lab_nat nat3 in3 symmetric 60 3
wait_link "$ROUTER" outside
coturn_start 3478 "$PEER4" "$PEER4_SECOND"
lab_loss 5
for number in 1 2 3; do
	for round in a b; do
		probe_start "in$number" "$number$round" "$PEER4:3478"
	done
done
probes_wait
for round in a b; do
	want_probed <<-TABLE
		1$round endpoint-independent address-dependent yes external_source preserved
		2$round endpoint-independent $HIDDEN           yes no              preserved
		3$round $HIDDEN              $HIDDEN           no  no              *
	TABLE
done
