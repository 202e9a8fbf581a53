#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Loads of mode wire under traffic, ten of each kind: see tests/net/wire/load.sh.
set -euo pipefail

ROUNDS=10 exec "$(dirname "$0")/../net/wire/load.sh"
