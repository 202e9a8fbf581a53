#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Each pin of steering is removed in turn, including those of a group and of the spread. See
# cli/pins.sh.
set -euo pipefail

OBJECTS=steer EACH=yes exec "$(dirname "$0")/../cli/pins.sh"
