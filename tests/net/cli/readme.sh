#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# README.md stays short, and shows the outcomes of the last tests/nightly/peer-kinds.sh.
. "$(dirname "$0")/../lib/lib.sh"

lines=$(wc -l <"$ROOT/README.md")
[ "$lines" -le 250 ] || fail "README.md has $lines lines, of at most 250"

# shown: prints the block that begins as the table does
shown()
{
	awk -v head="$(head -n 1 "$ROOT/tests/nightly/peer-kinds.table")" '
		$0 == head { found = 1 }
		/^```/ { found = 0 }
		found' "$ROOT/README.md"
}
want_equal "$(shown)" "$(cat "$ROOT/tests/nightly/peer-kinds.table")" "the table of NAT pairs"
