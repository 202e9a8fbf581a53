#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Each pin of steering is removed in turn, those of a group and of the spread too: see cli/pins.sh.
set -euo pipefail

OBJECTS=steer EACH=yes exec "$(dirname "$0")/../cli/pins.sh"
