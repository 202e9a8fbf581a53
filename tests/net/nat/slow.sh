#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Linux keeps a mapping longer once it has passed datagrams for two seconds. The probe never reports
# this longer lifetime: over a path with an RTT of 1.7 s, it reports none.
#
#   in1 ── nat1 [3 s, or 60 s after two seconds] ── router ── 850 ms ── peer [a STUN server]
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/nat.sh"

lab_core 850 0
lab_nat nat1 in1 address-and-port-dependent 3 1
# without this answer, the probe would wait for the timeout of this test
lab_hairpin nat1 198.51.100.1
in_ns nat1 sysctl -qw net.netfilter.nf_conntrack_udp_timeout_stream=60
wait_link "$ROUTER" outside
spawn_in "$PEER" "$TEST_TMP/servers" python3 "$ROOT/tests/net/lib/stun_server.py" \
	"$PEER4" "$PEER4_SECOND" 4000=none
wait_until 20 grep -q ready "$TEST_TMP/servers"

probe_start in1 slow "$PEER4:4000" --lifetime 6
probes_wait
want_equal "$(json "(d['lifetime']['alive_s'], d['lifetime']['gone_s'])" cat "$PROBES/slow")" \
	"(None, None)"
want_equal "$(json "d['lifetime']['reason']" cat "$PROBES/slow")" \
	"its responses are so slow that a NAT may already use a longer timeout"
want_probed <<-'TABLE'
	slow endpoint-independent address-and-port-dependent yes external_source preserved
TABLE
