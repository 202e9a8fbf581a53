#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Each pin of reply, hold and steering is removed in turn: see tests/net/cli/pins.sh.
set -euo pipefail

EACH=yes OBJECTS="reply audit hold tcx clsact steer" exec "$(dirname "$0")/../net/cli/pins.sh"
