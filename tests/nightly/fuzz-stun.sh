#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Fuzzes the STUN codec and the framing of TCP with ten million inputs each.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
CASES=${CASES:-10000000}

fuzzers=()
for name in stun tcp; do
	mkdir "$TEST_TMP/$name"
	"${BUILD:-$ROOT/build}/fuzz/fuzz_$name" -runs="$CASES" -entropic=0 -print_final_stats=1 \
		-artifact_prefix="$TEST_TMP/" "$TEST_TMP/$name" "$ROOT/tests/fuzz/corpus/$name" &
	fuzzers+=($!)
done
for fuzzer in "${fuzzers[@]}"; do
	wait "$fuzzer"
done
