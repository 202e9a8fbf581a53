#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The Prometheus alert rules are valid, and each rule fires only on its fault.
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/metrics.sh"

DEPLOY=$ROOT/tools/deploy/prometheus
cp "$DEPLOY/sluice.rules.yml" "$TEST_TMP"

say "the files parse"
want_status 0 "$PROMTOOL" check config --syntax-only "$DEPLOY/prometheus.yml"
want_status 0 "$PROMTOOL" check rules --lint-fatal "$DEPLOY/sluice.rules.yml"
want_text "14 rules found"

say "each rule has a fault, and fires only on this fault"
python3 "$ROOT/tests/net/lib/alerts.py" "$TEST_TMP/sluice.rules.yml" >"$TEST_TMP/alerts.yml"
want_status 0 "$PROMTOOL" test rules "$TEST_TMP/alerts.yml"
