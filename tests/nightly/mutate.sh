#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Makes one-line changes to the BPF programs, each of which a test must catch; the list is
# tests/nightly/mutations.
set -euo pipefail

TMPDIR=$TEST_TMP exec "$(dirname "${BASH_SOURCE[0]}")/../../tools/mutate"
