#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Compares ten million random requests: the XDP program answers as the full codec does, or passes.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

MEET_CASES=10000000 "${BUILD:-$ROOT/build}/tests/prog/test_meet"
