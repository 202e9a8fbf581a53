#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The probe, against coturn, classifies each NAT of the lab in the terms of RFC 4787: no NAT, only a
# firewall, each kind with and without hairpinning, and a NAT behind a NAT. It also measures the
# lifetimes of 20 s and 120 s, scaled to 3 s and 9 s.
#
#   in1 ── nat1 ──────────┐
#   …                     ├── router ── peer [coturn on two addresses]
#   home9 ── in9 ── nat9 ─┘
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/nat.sh"

HIDDEN=address-and-port-dependent
lab_core
coturn_start 3478 "$PEER4" "$PEER4_SECOND" "$PEER6" fd71::3

number=0
# nat KIND SECONDS: adds a NAT, and a host behind it
nat()
{
	number=$((number + 1))
	lab_nat "nat$number" "in$number" "$1" "$2" "$number"
}

nat none 30
nat firewall 30
nat endpoint-independent 3
lab_hairpin nat3 198.51.100.3
nat address-dependent 30
nat "$HIDDEN" 9
lab_hairpin nat5 198.51.100.5
nat other-port 30
nat address-dependent-mapping 30
nat symmetric 30
# behind the filter of another NAT, and behind its mapping
nat endpoint-independent 30
lab_hairpin nat9 198.51.100.9
lab_nat_behind in9 home9 "$HIDDEN" 30
nat symmetric 30
lab_nat_behind in10 home10 endpoint-independent 30
wait_link "$ROUTER" outside

server=$PEER4:3478
probe_start in1 none "$server"
probe_start in2 firewall "$server"
probe_start in3 full "$server" --lifetime 12
probe_start in4 restricted "$server"
probe_start in5 port-restricted "$server" --lifetime 12
probe_start in6 other-port "$server"
probe_start in7 two-mappings "$server"
probe_start in8 symmetric "$server"
probe_start home9 behind-filter "$server"
probe_start home10 behind-mapping "$server"
probe_start in1 none6 "[$PEER6]:3478"
probe_start in3 firewall6 "[$PEER6]:3478"
in_ns in5 "$SLUICE" nat probe "$server" --lifetime 2 >"$TEST_TMP/text" &
text=$!
probes_wait
wait "$text"

say "the names"
# without a NAT, hairpinning does not apply; a mapping per peer allows no confirmation
want_probed <<-TABLE
	none             none                 endpoint-independent yes -               preserved
	firewall         none                 $HIDDEN              yes -               preserved
	full             endpoint-independent endpoint-independent yes external_source preserved
	restricted       endpoint-independent address-dependent    yes no              preserved
	port-restricted  endpoint-independent $HIDDEN              yes external_source preserved
	other-port       endpoint-independent endpoint-independent yes no              changed
	two-mappings     address-dependent    $HIDDEN              no  no              preserved
	symmetric        $HIDDEN              $HIDDEN              no  no              *
	behind-filter    endpoint-independent $HIDDEN              yes external_source preserved
	behind-mapping   $HIDDEN              $HIDDEN              no  no              *
	none6            none                 endpoint-independent yes -               preserved
	firewall6        none                 $HIDDEN              yes -               preserved
TABLE
# if no test can confirm it, the probe waits for a missing answer only once
for label in two-mappings symmetric behind-mapping; do
	want_equal "$(json "d['filtering']['observed_after_opening']" cat "$PROBES/$label")" "[]" "$label"
done

say "the lifetimes"
# lifetime LABEL EXPRESSION: evaluates EXPRESSION with `alive` and `gone`
lifetime()
{
	[ "$(json "(lambda alive, gone: $2)(d['lifetime']['alive_s'], d['lifetime']['gone_s'])" \
		cat "$PROBES/$1")" = True ] ||
		fail "$1: not $2:" "$(json "d['lifetime']" cat "$PROBES/$1")"
}
# On a busy machine, a mapping may be unused for longer than a step, but never for less.
lifetime full "1 <= alive <= 3 and gone <= 4"
lifetime port-restricted "4 <= alive <= 9 and gone <= 10"
want_equal "$(json "d['lifetime']['reason']" cat "$PROBES/none")" "not measured"

say "the text"
for text in "second address $PEER4_SECOND:3479" \
	"mapping  *endpoint-independent  *10.0.0.2:[0-9]* to $server: 198.51.100.5:" \
	"filtering  *$HIDDEN  *from $PEER4_SECOND:3479: none; after a request to it: response" \
	"hairpin  *external source  *10.0.0.2:[0-9]* to 198.51.100.5:[0-9]*: arrived from 198" \
	"ports  *preserved  *4 of 4 sockets" "lifetime  *at least 2 s  *unused for 0.166 to 2 s: alive"; do
	contains "$text" "$TEST_TMP/text" || fail "no '$text' in:" "$(cat "$TEST_TMP/text")"
done
