#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# With -j or -p, every command that prints a report prints valid JSON with schema_version, whether
# sluice is loaded or not.
#
#   container ── docker0 172.17.0.1 [host: 0.0.0.0:56789] eth0 172.16.13.13
. "$(dirname "$0")/../lib/lib.sh"

parses()
{
	local text
	text=$("$@") || fail "failed: $*"
	python3 -c 'import json, sys
sys.exit(type(json.load(sys.stdin)["schema_version"]) is not int)' <<<"$text" ||
		fail "no JSON with a schema_version: $*" "$text"
}

# all_parse loaded|unloaded
all_parse()
{
	local form
	for form in -j --pretty; do
		parses "$SLUICE" "$form" status
		parses "$SLUICE" "$form" check
		[ "$1" = loaded ] || continue
		parses "$SLUICE" "$form" reply show
		parses "$SLUICE" "$form" reply flows
	done
}

topology_up
serve "$HOST" dual6 "$PORT"

say "nothing loaded"
all_parse unloaded
say "loaded, with flows"
parses "$SLUICE" -j reply load --mode socket --cgroup "$TEST_CGROUP" --dry-run
parses "$SLUICE" -j reply load --mode socket --cgroup "$TEST_CGROUP"
want_right "$CONTAINER" "$FAR4" "$PORT"
want_right "$CONTAINER" "$FAR6" "$PORT"
all_parse loaded
parses "$SLUICE" -j reply flows --all
say "audit"
parses "$SLUICE" -j reply load --mode audit --cgroup "$TEST_CGROUP"
want_wrong "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"
all_parse loaded
parses "$SLUICE" -j reply audit
parses "$SLUICE" -p reply audit
parses "$SLUICE" -j reply unload
parses "$SLUICE" -j cleanup
# exits non-zero if another sluice is loaded, but still prints its report
parses bash -c '"$0" -j cleanup --verify || [ $? = 5 ]' "$SLUICE"

say "an error does not go to stdout"
want_equal "$("$SLUICE" -j reply show 2>/dev/null || true)" ""

reply_load
say "pretty JSON has several lines, plain JSON has one"
[ "$(sluice -p reply show | wc -l)" -gt 5 ] || fail "not pretty"
want_equal "$(sluice -j reply show | wc -l)" 1 "lines of -j"
