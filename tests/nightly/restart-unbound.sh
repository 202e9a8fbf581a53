#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Ten restarts of unbound by the recipe of the man page: see tests/net/steer/unbound.sh.
set -euo pipefail

ROUNDS=10 exec "$(dirname "$0")/../net/steer/unbound.sh"
