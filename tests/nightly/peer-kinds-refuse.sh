#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Once each pair of peer-kinds-tcp.sh, but one NAT of each pair answers an unsolicited SYN with a reset segment. If both
# did, the SYN of both peers would have to cross between them, for which this network is too short.
. "$(dirname "$0")/../net/lib/lib.sh"
. "$(dirname "$0")/../net/lib/peer.sh"
. "$(dirname "$0")/../net/lib/kinds.sh"

RUN_REFUSAL=reset kinds_punch_all tcp 1 peer-kinds-tcp.table
