#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The probe measures the lifetimes that are common, in real time: 20 s and 120 s.
#
#   in1 ── nat1 ──┐
#   in2 ── nat2 ──┴── router ── peer [coturn on two addresses]
. "$(dirname "$0")/../net/lib/lib.sh"
. "$(dirname "$0")/../net/lib/nat.sh"

lab_core
coturn_start 3478 "$PEER4" "$PEER4_SECOND"
lab_nat nat1 in1 endpoint-independent 20 1
lab_nat nat2 in2 address-and-port-dependent 120 2
wait_link "$ROUTER" outside
for name in in1 in2; do
	probe_start "$name" "$name" "$PEER4:3478" --lifetime 156
done
probes_wait
want_equal "$(json "[d['lifetime'][k] for k in ('alive_s', 'gone_s')]" cat "$PROBES/in1")" "[13.0, 26.0]"
want_equal "$(json "[d['lifetime'][k] for k in ('alive_s', 'gone_s')]" cat "$PROBES/in2")" "[117.0, 130.0]"
