#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A load restores each pin of steering, including those of a group and of the spread. An unload or a
# cleanup copes with the loss of one pin of each kind. See cli/pins.sh.
#
# takes long: every pin of steering is removed
set -euo pipefail

OBJECTS=steer EACH=load exec "$(dirname "$0")/../cli/pins.sh"
