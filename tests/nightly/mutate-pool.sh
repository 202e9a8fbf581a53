#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# runs alone: it builds the tree again for each change
TMPDIR=$TEST_TMP exec "$(dirname "$0")/../../tools/mutate" pool
