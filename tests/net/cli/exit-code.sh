#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# With --exit-code, the audits exit with status 6 if they find a fault, and print the same report.
# An error keeps its own status.
#
#   container ── docker0 172.17.0.1 [host: 0.0.0.0:56789] eth0 172.16.13.13
. "$(dirname "$0")/../lib/lib.sh"

# want_report STATUS EXPRESSION COMMAND…: checks that COMMAND exits with STATUS, and that EXPRESSION
# holds for the document
want_report()
{
	local wanted=$1 expression=$2 status=0 text
	shift 2
	text=$("$@" 2>"$TEST_TMP/errors") || status=$?
	want_equal "$status" "$wanted" "exit status of $*: $(cat "$TEST_TMP/errors")"
	want_equal "$(json "$expression" cat <<<"$text")" True "$expression in $text"
}

topology_up
serve "$HOST" sendto4 "$PORT"

say "not loaded is an error, not a finding"
want_status 1 sluice reply audit --exit-code
want_text "$NOT_LOADED"

say "nothing found"
sluice reply load --mode audit --cgroup "$TEST_CGROUP"
want_right "$CONTAINER" "$NEAR4" "$PORT"
want_report 0 "d['wrong'] == 0" sluice -j reply audit --exit-code
want_report 0 "d['findings'] == []" sluice -j --netns "$HOST" conntrack audit --exit-code --watch 0

say "found"
conntrack_flush "$HOST"
want_wrong "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"
want_report 6 "d['wrong'] == 3" sluice -j reply audit --exit-code
want_report 6 "{f['reason'] for f in d['findings']} == {'twin'}" \
	sluice -j --netns "$HOST" conntrack audit --exit-code --watch 0
want_status 6 sluice reply audit --exit-code
want_text "mode socket fixes"
want_status 6 sluice --netns "$HOST" conntrack audit --exit-code --watch 0
want_text "UDP entries contradict this host"

say "without the option, a finding is no failure"
want_report 0 "d['wrong'] == 3" sluice -j reply audit
want_report 0 "len(d['findings']) > 0" sluice -j --netns "$HOST" conntrack audit --watch 0

say "only the selected findings count"
want_status 0 sluice --netns "$HOST" conntrack audit --exit-code --watch 0 --reason backend-gone
want_status 2 sluice conntrack audit --exit-code=1
want_status 2 sluice conntrack repair --exit-code
sluice reply unload
want_clean
