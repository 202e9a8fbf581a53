#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# may be skipped: a release archive is no clone
#
# 'make dist' gives the same archive for the same commit: from two clones, with another umask, time
# zone, locale and git configuration. It refuses a tree with uncommitted changes, because the
# archive would lack them. The version of a release is that of its commit alone.
. "$(dirname "$0")/../lib/lib.sh"

# Git refuses another user's repository unless this file in the home directory permits it.
export HOME=$TEST_TMP
cat >"$HOME/.gitconfig" <<-'CONF'
	[safe]
		directory = *
CONF
if ! git -C "$ROOT" rev-parse --verify --quiet HEAD >/dev/null; then
	echo "this is no clone of the repository"
	exit 77
fi
# make check exports these to its recipes, and so to this test
unset MAKEFLAGS MFLAGS

VERSION=$("$SLUICE" --version)
VERSION=${VERSION##* }
ARCHIVE=build/sluice-$VERSION.tar.gz

git clone -q "$ROOT" "$TEST_TMP/one"
git clone -q "$ROOT" "$TEST_TMP/another one"

say "two builds, one checksum"
make -s -C "$TEST_TMP/one" dist >/dev/null
(
	umask 077
	export TZ=Pacific/Auckland LC_ALL=C.UTF-8
	git config --global tar.umask 077
	git config --global core.autocrlf true
	make -s -C "$TEST_TMP/another one" dist >/dev/null
)
cmp "$TEST_TMP/one/$ARCHIVE" "$TEST_TMP/another one/$ARCHIVE"

say "the archive contains the committed files, in one directory, and the Makefile's version"
tar -tf "$TEST_TMP/one/$ARCHIVE" | sed -n "s|^sluice-$VERSION/\(.*[^/]\)\$|\1|p" | sort >"$TEST_TMP/packed"
want_equal "$(git -C "$ROOT" ls-tree -r --name-only HEAD | sort | comm -3 - "$TEST_TMP/packed")" "" \
	"files that are only in the archive or only in the commit"
want_equal "$(grep -h '^\.TH' "$BUILD"/man/* | grep -cvF "\"sluice $VERSION\"" || true)" 0 \
	"man pages with another version"

say "a commit after the last release has another version"
read -r release commit < <(sed 's/#.*//' "$ROOT/tests/nightly/upgrade-from" | xargs)
[ "v$VERSION" != "$release" ] || want_equal "$(git -C "$ROOT" rev-parse HEAD)" "$commit" "the commit of $release"

say "a tree with changes"
echo >>"$TEST_TMP/one/README.md"
want_status 2 make -s -C "$TEST_TMP/one" dist
want_text "commit the changes"
