#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Keeps five thousand flows; `make nightly` keeps a hundred thousand.
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"
. "$(dirname "$0")/../lib/hold.sh"
. "$(dirname "$0")/../lib/hold-many.sh"

keep_many 2500 44 16384 40
