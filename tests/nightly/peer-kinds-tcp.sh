#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# All pairs of NAT kinds, by TCP alone: the outcomes are those of peer-kinds.sh.
. "$(dirname "$0")/../net/lib/lib.sh"
. "$(dirname "$0")/../net/lib/peer.sh"
. "$(dirname "$0")/../net/lib/kinds.sh"

kinds_run --transport tcp
