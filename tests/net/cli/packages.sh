#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# README's list of run-time packages is what tools/packages reads from the binary: all of it, since
# the installed program does not start without one of them, and no more.
. "$(dirname "$0")/../lib/lib.sh"

if ! command -v dpkg-query >/dev/null; then
	echo "only Debian's packages are known"
	exit 77
fi

# The packages of the first apt-get line, over its continuation lines.
listed()
{
	awk '/^apt-get install / { on = 1; sub(/^apt-get install /, "") }
		on { more = sub(/\\$/, ""); print; if (!more) exit }' "$1" | xargs -n 1
}

say "the tool names the owners of libraries"
needed=$("$ROOT/tools/packages" "$SLUICE")
want_equal "$(grep -cx 'libbpf1' <<<"$needed")" 1
say "README names the same"
want_equal "$(listed "$ROOT/README.md")" "$needed"
say "a binary that is not there is an error"
want_status 1 "$ROOT/tools/packages" "$TEST_TMP/nothing"
