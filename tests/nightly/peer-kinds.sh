#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# All pairs of NAT kinds, each punched 100 times by UDP: the hosts have the same private address
# (except without a NAT). They connect directly if this is possible in theory, and otherwise through
# the relay. peer-kinds.table, which README.md shows, has the results.
#
# runs alone: it takes most of the kernel's table of neighbours
. "$(dirname "$0")/../net/lib/lib.sh"
. "$(dirname "$0")/../net/lib/peer.sh"
. "$(dirname "$0")/../net/lib/kinds.sh"

kinds_punch_all udp 100 peer-kinds.table
