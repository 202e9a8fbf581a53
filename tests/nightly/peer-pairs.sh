#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# 100,000 simulated pairs of peers behind NATs of every kind, with loss, reordering and delay: each
# pair gets a path if and only if one is possible in theory.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

PAIRS=100000 "${BUILD:-$ROOT/build}/tests/pairs"
