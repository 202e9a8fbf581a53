#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Of 257 groups, one is refused. It is steered once another group is gone.
#
#   host: sockets.py with a socket on each of 257 ports
. "$(dirname "$0")/../net/lib/lib.sh"
. "$(dirname "$0")/../net/lib/steer.sh"
. "$(dirname "$0")/../net/lib/sockets.sh"

GROUPS_MAX=256
netns_add "$HOST"
LOAD=(sluice --netns "$HOST" steer load --port 20000-20999 --flows 64)
holder "$HOST"
hold open 20000 "$GROUPS_MAX" 1
want_status 0 "${LOAD[@]}"
want_text "$GROUPS_MAX groups steered"
hold open 20900 1 1
want_status 1 "${LOAD[@]}"
want_text "127.0.0.1:20900: there are 256 groups already"
want_equal "$(steer_groups | wc -l)" "$GROUPS_MAX" "groups"
hold close 100
want_status 0 "${LOAD[@]}"
want_text "127.0.0.1:20900: attached, 1 socket"
want_text "$GROUPS_MAX groups steered"
sluice steer unload >/dev/null
holder_end
want_clean
