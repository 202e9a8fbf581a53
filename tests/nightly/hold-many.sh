#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A hundred thousand flows are silent for two minutes. All mappings stay open, and no keepalive is
# more than a second late, as counted by the daemon and by the NAT.
. "$(dirname "$0")/../net/lib/lib.sh"
. "$(dirname "$0")/../net/lib/daemon.sh"
. "$(dirname "$0")/../net/lib/hold.sh"
. "$(dirname "$0")/../net/lib/hold-many.sh"

keep_many 50000 120 131072 20
want_equal "$LATE" 0 "keepalives that were more than a second late"
want_equal "$LATE_AT_NAT" 0 "keepalives that were more than a second late at the NAT"
