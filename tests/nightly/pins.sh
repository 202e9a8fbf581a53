#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Each pin of reply and hold is removed in turn: see tests/net/cli/pins.sh.
set -euo pipefail

EACH=yes exec "$(dirname "$0")/../net/cli/pins.sh"
