#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# As peer-kinds.sh, but by TCP: there is no prediction of ports, so peer-kinds-tcp.table differs.
#
# runs alone: it takes most of the kernel's table of neighbours
. "$(dirname "$0")/../net/lib/lib.sh"
. "$(dirname "$0")/../net/lib/peer.sh"
. "$(dirname "$0")/../net/lib/kinds.sh"

kinds_punch_all tcp 100 peer-kinds-tcp.table
