#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Fuzzes each parser for two minutes, starting with the corpus of `make check`.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

for source in "$ROOT"/tests/fuzz/fuzz_*.c; do
	name=$(basename "$source" .c)
	new=$TEST_TMP/$name
	mkdir "$new"
	"${BUILD:-$ROOT/build}/fuzz/$name" -max_total_time=120 -print_final_stats=1 \
		-artifact_prefix="$TEST_TMP/" "$new" "$ROOT/tests/fuzz/corpus/${name#fuzz_}"
done
