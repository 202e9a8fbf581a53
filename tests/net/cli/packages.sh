#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# README's list of run-time packages equals the list that tools/packages derives from the binary.
# The installed program does not start if one of these packages is missing.
. "$(dirname "$0")/../lib/lib.sh"

if ! command -v dpkg-query >/dev/null; then
	echo "only Debian's packages are known"
	exit 77
fi

# listed FILE: prints the packages of the first apt-get line and its continuation lines
listed()
{
	awk '/^apt-get install / { on = 1; sub(/^apt-get install /, "") }
		on { more = sub(/\\$/, ""); print; if (!more) exit }' "$1" | xargs -n 1
}

say "the tool names the packages that own the libraries"
needed=$("$ROOT/tools/packages" "$SLUICE")
want_equal "$(grep -cx 'libbpf1' <<<"$needed")" 1
say "README has the same list"
want_equal "$(listed "$ROOT/README.md")" "$needed"
say "the packages in README include the libraries that only sluice-peer needs"
for entry in libngtcp2-crypto-gnutls2:libngtcp2_crypto_gnutls libminiupnpc17:libminiupnpc \
	libnatpmp1:libnatpmp; do
	package=${entry%%:*}
	contains -F "\`$package\`" "$ROOT/README.md" || fail "README does not name $package"
	library=$(ldd "$BUILD/sluice-peer" | sed -n "s,.* => \(.*/${entry#*:}[^ ]*\) .*,\1,p")
	dpkg-query -L "$package" | contains -F "${library##*/}" || fail "$package does not have '$library'"
done
say "the library that only sluice top loads is listed too"
screen=libncursesw6
contains -F "\`$screen\`" "$ROOT/README.md" || fail "README does not name $screen"
dpkg-query -L "$screen" | contains -F "$(sed -n 's/^#define LIBRARY "\(.*\)"/\1/p' "$ROOT/user/cmd/top/terminal.c")" ||
	fail "$screen does not have the library of user/cmd/top/terminal.c"
say "a missing binary is an error"
want_status 1 "$ROOT/tools/packages" "$TEST_TMP/nothing"
