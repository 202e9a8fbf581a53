#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Fuzzes the state machine of the rendezvous server with ten million inputs, by two processes.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
CASES=${CASES:-10000000}

fuzzers=()
for seed in 1 2; do
	mkdir "$TEST_TMP/$seed"
	# short sequences; fuzz.sh covers long ones for two minutes
	"${BUILD:-$ROOT/build}/fuzz/fuzz_rendezvous" -seed="$seed" -runs=$((CASES / 2)) -max_len=160 \
		-entropic=0 -print_final_stats=1 -artifact_prefix="$TEST_TMP/" "$TEST_TMP/$seed" \
		"$ROOT/tests/fuzz/corpus/rendezvous" &
	fuzzers+=($!)
done
for fuzzer in "${fuzzers[@]}"; do
	wait "$fuzzer"
done
