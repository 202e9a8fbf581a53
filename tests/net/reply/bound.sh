#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Sockets that are bound to one address reply correctly without sluice. sluice ignores them and
# counts nothing.
#
#   container ── docker0 172.17.0.1 [host] eth0 172.16.13.13:56789, [fd16::13]:56790
. "$(dirname "$0")/../lib/lib.sh"

port6=$((PORT + 1))
topology_up
serve "$HOST" sendto4 "$PORT" --bind "$FAR4"
serve "$HOST" sendto6 "$port6" --bind "$FAR6"
want_right "$CONTAINER" "$FAR4" "$PORT"
want_right "$CONTAINER" "$FAR6" "$port6"

reply_load
want_right "$CONTAINER" "$FAR4" "$PORT"
want_right "$CONTAINER" "$FAR6" "$port6"
want_equal "$(counter learned)" 0 "learned on a socket bound to one address"
want_equal "$(counter fixed)" 0 "fixed on a socket bound to one address"

say "the same counters increase for a wildcard socket"
serve "$HOST" sendto4 $((PORT + 2))
want_right "$CONTAINER" "$FAR4" $((PORT + 2))
want_equal "$(counter learned)" 1 "learned"
want_equal "$(counter fixed)" 3 "fixed"
