#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# 'make uninstall' removes exactly the files that 'make install' has installed. It keeps a
# sluice.conf that the administrator has edited.
. "$(dirname "$0")/../lib/lib.sh"

DEST="$TEST_TMP/the root"
CONF=$DEST/etc/sluice/sluice.conf

# installer install|uninstall [VARIABLE=VALUE…]
installer()
{
	local what=$1
	shift
	env DESTDIR="$DEST" PREFIX=/usr "$@" "$ROOT/tools/install" "$what" "$BUILD"
}

listing()
{
	(cd "$DEST" && find . -printf '%p %m\n' | sort)
}

say "the Makefile passes its variables to tools/install"
# make check exports these to its recipes, and so to this test
unset DESTDIR PREFIX SYSCONFDIR UNITDIR MAKEFLAGS
want_status 0 make -n -C "$ROOT" install DESTDIR=/somewhere PREFIX=/usr
want_text "tools/install install"
want_equal "$(make -s -C "$ROOT" --eval 'print: ; @echo $$DESTDIR $$PREFIX $$SYSCONFDIR $$UNITDIR' \
	print DESTDIR=/somewhere PREFIX=/usr)" "/somewhere /usr /etc /usr/lib/systemd/system"
want_status 0 make -s -C "$ROOT" help
for target in install uninstall check lint; do
	want_text "make $target"
done

say "install and uninstall all files"
sluice peer key >"$TEST_TMP/open.key"
chmod 644 "$TEST_TMP/open.key"
KEY=$(sluice peer key --public <"$TEST_TMP/open.key" 2>/dev/null)
mkdir -p "$DEST/usr/share/man" "$DEST/usr/sbin" "$DEST/usr/share/zsh"
touch "$DEST/usr/sbin/other"
before=$(listing)
installer install
for file in usr/sbin/sluice usr/share/man/man8/sluice.8 etc/sluice/sluice.conf \
	usr/share/bash-completion/completions/sluice usr/share/zsh/site-functions/_sluice \
	usr/share/fish/vendor_completions.d/sluice.fish usr/lib/systemd/system/sluice.service \
	usr/lib/systemd/system/sluice-peer@.service usr/lib/systemd/system/sluice-peer-connect@.service usr/share/doc/sluice/peer.conf.example \
	usr/share/doc/sluice/sluice.conf.example usr/share/sluice/prometheus/sluice.rules.yml \
	usr/share/sluice/prometheus/prometheus.yml; do
	[ -s "$DEST/$file" ] || fail "$file is not installed"
done
for page in "$ROOT"/user/man/*.[1-8]; do
	[ -s "$DEST/usr/share/man/man${page##*.}/${page##*/}" ] || fail "$page is not installed"
done
want_equal "$(find "$DEST" -perm /111 -type f | sort)" "$DEST/usr/libexec/sluice-peer
$DEST/usr/sbin/sluice" "executable files"
# the installed program finds it
want_status 4 "$DEST/usr/sbin/sluice" peer run --server 127.0.0.1:1 --id a --peer-key "a=$KEY" \
	--server-key "$KEY" --key-file "$TEST_TMP/open.key" --expose tcp:127.0.0.1:1
want_status 0 sluice run --check-config --config "$CONF"
want_equal "$(sed -n 's/^ExecStart=//p' "$DEST/usr/lib/systemd/system/sluice.service")" \
	"/usr/sbin/sluice run --config /etc/sluice/sluice.conf"
want_equal "$(sed -n 's/^ExecStart=//p' "$DEST/usr/lib/systemd/system/sluice-peer@.service")" \
	"/usr/sbin/sluice peer run --config /etc/sluice/peer/%i.conf"
want_equal "$(sed -n 's/^ExecStart=//p' "$DEST/usr/lib/systemd/system/sluice-peer-connect@.service")" \
	"/usr/sbin/sluice peer connect --config /etc/sluice/peer/%i.conf"
want_equal "$(grep -rl "@[A-Z]*[A-Z _a-z]*@" "$DEST/usr/lib" "$DEST/usr/share/man" || true)" "" \
	"placeholders are left"
for shell in bash:bash-completion/completions/sluice zsh:zsh/site-functions/_sluice \
	fish:fish/vendor_completions.d/sluice.fish; do
	sluice completion "${shell%%:*}" | cmp - "$DEST/usr/share/${shell#*:}"
done
installed=$(listing)
installer install
want_equal "$(listing)" "$installed" "files of the second install"
installer uninstall
want_equal "$(listing)" "$before" "files that are left"

say "an edited sluice.conf"
installer install
printf '[reply]\nmode = audit\n' >"$CONF"
installer install
want_equal "$(cat "$CONF")" "[reply]
mode = audit" "the operator's file"
cmp "$DEST/usr/share/doc/sluice/sluice.conf.example" "$ROOT/tools/deploy/systemd/sluice.conf"
installer uninstall
want_equal "$(listing | grep -vxF "$before" | sed 's/ [0-9]*$//')" "./etc
./etc/sluice
./etc/sluice/sluice.conf" "what is left beside it"
want_equal "$(cat "$CONF")" "[reply]
mode = audit" "the operator's file"
want_status 1 installer uninstall
want_text "nothing is installed"

say "other directories for the configuration file and the unit"
rm -r "$DEST/etc"
installer install SYSCONFDIR=/opt/etc UNITDIR=/opt/units
want_equal "$(sed -n 's/^ExecStart=//p' "$DEST/opt/units/sluice.service")" \
	"/usr/sbin/sluice run --config /opt/etc/sluice/sluice.conf"
[ -s "$DEST/opt/etc/sluice/sluice.conf" ] || fail "no sluice.conf"
# The manifest contains the paths.
installer uninstall
want_equal "$(listing)" "$before" "files that are left"

say "a symbolic link in place of sluice.conf, also a dangling one"
EXAMPLE=$ROOT/tools/deploy/systemd/sluice.conf
mkdir -p "$DEST/etc/sluice"
cp "$EXAMPLE" "$TEST_TMP/own.conf"
for target in /not/mounted.conf "$TEST_TMP/own.conf"; do
	ln -sfn "$target" "$CONF"
	kept=$(listing)
	installer install
	want_equal "$(readlink "$CONF")" "$target" "the link"
	installer uninstall
	want_equal "$(listing)" "$kept" "files that are left"
done

say "the operator's own sluice.conf, equal to the example"
rm "$CONF"
cp "$EXAMPLE" "$CONF"
kept=$(listing)
installer install
installer uninstall
want_equal "$(listing)" "$kept" "files that are left"
rm -r "$DEST/etc"

say "an upgrade with a different example, and a sluice.conf without edits"
installer install
mkdir "$TEST_TMP/next"
cp -r "$ROOT/tools" "$TEST_TMP/next"
echo "# new" >>"$TEST_TMP/next/tools/deploy/systemd/sluice.conf"
env DESTDIR="$DEST" PREFIX=/usr "$TEST_TMP/next/tools/install" install "$BUILD"
cmp "$CONF" "$EXAMPLE"
installer uninstall
want_equal "$(listing)" "$before" "files that are left"

say "two PREFIXes and one sluice.conf"
installer install
installer install PREFIX=/second
installer uninstall
cmp "$CONF" "$EXAMPLE"
[ -x "$DEST/second/sbin/sluice" ] || fail "the second program is gone"
installer uninstall PREFIX=/second
want_equal "$(listing | grep -vxF "$before" | sed 's/ [0-9]*$//')" "./etc
./etc/sluice
./etc/sluice/sluice.conf" "what is left"
rm -r "$DEST/etc"
installer install
installer install PREFIX=/second
installer uninstall PREFIX=/second
installer uninstall
want_equal "$(listing)" "$before" "files that are left, the other way round"

say "a file that no manifest lists"
for make in "echo foreign >" "ln -s /not/there"; do
	eval "$make" '"$DEST/usr/sbin/sluice"'
	kept=$(listing)
	want_status 1 installer install
	want_text "$DEST/usr/sbin/sluice exists, and $DEST/usr/share/doc/sluice/manifest does not list it"
	want_equal "$(listing)" "$kept" "files after the refusal"
	rm "$DEST/usr/sbin/sluice"
done

say "an install that fails halfway"
mkdir -p "$DEST/usr/lib"
: >"$DEST/usr/lib/systemd"
kept=$(listing)
want_status 1 installer install
[ -x "$DEST/usr/sbin/sluice" ] || fail "install has failed too early for this test"
installer uninstall
want_equal "$(listing)" "$kept" "files that are left"
want_status 1 installer install
rm "$DEST/usr/lib/systemd"
installer install
installer uninstall
rmdir "$DEST/usr/lib"
want_equal "$(listing)" "$before" "files that are left"

say "a relative path"
for variable in PREFIX SYSCONFDIR UNITDIR; do
	want_status 1 installer install "$variable=inst"
	want_text "must be absolute: inst"
done
want_equal "$(listing)" "$before" "files after the refusal"

say "systemd accepts the unit"
if command -v systemd-analyze >/dev/null; then
	DEST='' installer install PREFIX="$TEST_TMP/prefix" SYSCONFDIR="$TEST_TMP/etc"
	want_status 0 systemd-analyze verify --man=no \
		"$TEST_TMP/prefix/lib/systemd/system/sluice.service"
	want_equal "$OUTPUT" "" "what systemd reports about the unit"

	# systemd accepts neither quotes nor backslashes in the program's path.
	say "special characters in PREFIX and SYSCONFDIR"
	special="$TEST_TMP/a&b|c %d"
	DEST='' installer install PREFIX="$special" SYSCONFDIR="$special/e\\f\"g'h" \
		UNITDIR="$TEST_TMP/units"
	want_equal "$(sed -n 's/^ExecStart=//p' "$TEST_TMP/units/sluice.service")" \
		"$TEST_TMP/a&b|c\\x20%%d/sbin/sluice run --config $TEST_TMP/a&b|c\\x20%%d/e\\\\f\\x22g\\x27h/sluice/sluice.conf"
	want_status 0 systemd-analyze verify --man=no "$TEST_TMP/units/sluice.service"
	want_equal "$OUTPUT" "" "what systemd reports about the unit"
	DEST='' installer uninstall PREFIX="$special"
	[ ! -e "$special" ] || fail "files are left:" "$(find "$special")"
fi
