#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Ten restarts of knot by the recipe of the man page: see tests/net/steer/knot.sh.
set -euo pipefail

ROUNDS=10 exec "$(dirname "$0")/../net/steer/knot.sh"
