#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Loaders are killed at many random moments: see tests/net/reply/crash.sh.
set -euo pipefail

ROUNDS=30 exec "$(dirname "$0")/../net/reply/crash.sh"
