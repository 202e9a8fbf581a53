#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Ten restarts of nsd, which daemonizes, by the recipe of the man page: see tests/net/steer/nsd.sh.
set -euo pipefail

ROUNDS=10 exec "$(dirname "$0")/../net/steer/nsd.sh"
