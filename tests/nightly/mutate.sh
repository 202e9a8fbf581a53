#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Applies the one-line changes listed in tests/nightly/mutations, most of them to BPF programs; a
# test must catch each change.
set -euo pipefail

TMPDIR=$TEST_TMP exec "$(dirname "${BASH_SOURCE[0]}")/../../tools/mutate"
