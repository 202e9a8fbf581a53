#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The Debian package: lintian accepts it. On a minimal Debian 12, its installation affects no
# traffic, a peer registers, and an upgrade keeps the data path attached. Its removal leaves nothing
# in the kernel, and a purge leaves no file.
#
#   container 172.17.0.3 ── veth3 ═ docker0 172.17.0.1 [host: [::]:56789] eth0 172.16.13.13
. "$(dirname "$0")/../net/lib/lib.sh"

export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
BARE=$TEST_TMP/bare
DROP=$BARE/drop

bare()
{
	chroot "$BARE" "$@"
}

# The program of the package, with the bpffs and the cgroup of the test.
SLUICE=$TEST_TMP/packaged
cat >"$SLUICE" <<-SHELL
	#!/bin/sh
	exec chroot "$BARE" sluice "\$@"
SHELL
chmod +x "$SLUICE"

say "the package of make deb"
VERSION=$("$ROOT/build/sluice" --version)
VERSION=${VERSION##* }
deb=$(echo "$BUILD/sluice_${VERSION//-/\~}"_*.deb)
[ -e "$deb" ] || fail "$deb is not there: build it with 'make deb'"
want_status 0 lintian --allow-root --fail-on error,warning "$deb"
want_equal "$OUTPUT" "" "what lintian reports"
INDIRECT='libgmp10|libnfnetlink0|libelf1|libffi8|libidn2-0|libp11-kit0|libtasn1-6|libunistring2'
want_equal "$(dpkg-deb -f "$deb" Depends | sed 's/ *([^)]*)//g; s/, /\n/g' | sort |
	comm -23 - <({ "$ROOT/tools/packages" "$BUILD/sluice" && "$ROOT/tools/packages" "$BUILD/sluice-peer" &&
		echo libncursesw6; } |
		sort -u))" "" "dependencies that are not packages of the libraries"

say "a minimal Debian 12"
mirror=$(apt-get indextargets --format '$(SITE) $(RELEASE)' | awk '$2 == "bookworm" { print $1; exit }')
debootstrap --variant=minbase bookworm "$BARE" "$mirror" >"$TEST_TMP/debootstrap.log" 2>&1 ||
	fail "$(tail -n 20 "$TEST_TMP/debootstrap.log")"
cp -L /etc/resolv.conf /etc/hosts "$BARE/etc/"
cp -aL /etc/apt/apt.conf.d/. "$BARE/etc/apt/apt.conf.d/"
for dir in proc sys dev; do
	mount --rbind "/$dir" "$BARE/$dir"
done
bare apt-get update -q >/dev/null
# make deb installs what dpkg-buildpackage requires
# shellcheck disable=SC2046 # a list of words
want_status 0 bare apt-get install -s -q --no-install-recommends $("$ROOT/tools/setup.sh" --list package)
want_text "Inst build-essential "
mkdir "$DROP"
cp "$deb" "$DROP/first.deb"
# the same program with a higher version
dpkg-deb -R "$deb" "$TEST_TMP/second"
sed -i 's/^Version: .*/&+again/' "$TEST_TMP/second/DEBIAN/control"
dpkg-deb --root-owner-group -b "$TEST_TMP/second" "$DROP/second.deb" >/dev/null

# install FILE: installs a package file with its dependencies
install_deb()
{
	bare apt-get install -y -q --no-install-recommends "/drop/$1" >"$TEST_TMP/apt.log" 2>&1 ||
		fail "$(cat "$TEST_TMP/apt.log")"
}

listing()
{
	(cd "$BARE" && find etc usr lib var/lib run -xdev ! -path 'var/lib/dpkg/*' ! -path 'var/lib/apt/*' |
		sort)
}

topology_up
serve "$HOST" dual6 "$PORT"

say "the installation changes no traffic"
# the libraries are installed before, so that only the package's own files differ
# shellcheck disable=SC2046 # a list of words
bare apt-get install -y -q --no-install-recommends \
	$(dpkg-deb -f "$deb" Depends | sed 's/ *([^)]*)//g; s/,/ /g') >/dev/null 2>&1
before=$(listing)
install_deb first.deb
want_clean
want_wrong "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"
want_status 0 bare sluice run --check-config --config /etc/sluice/sluice.conf
want_equal "$(find "$BARE"/etc/systemd -name 'sluice*')" "" "the enabled units"
for file in usr/share/bash-completion/completions/sluice usr/share/zsh/vendor-completions/_sluice \
	usr/share/fish/vendor_completions.d/sluice.fish lib/systemd/system/sluice.service \
	usr/share/man/man8/sluice.8.gz usr/share/sluice/prometheus/sluice.rules.yml; do
	[ -s "$BARE/$file" ] || fail "$file is missing"
done
want_equal "$(bare dpkg --verify sluice)" ""

say "the package brings the libraries of peers, which sluice-peer alone needs"
for name in server alice; do
	(umask 077 && sluice peer key >"$BARE/drop/$name.key")
done
echo "alice $(sluice peer key --public <"$BARE/drop/alice.key")" >"$BARE/drop/peers"
spawn_in "$HOST" "$TEST_TMP/rendezvous.log" "$SLUICE" rendezvous serve --listen 127.0.0.1:3478 \
	--key-file /drop/server.key --peers /drop/peers
rendezvous=$SPAWNED
wait_udp "$HOST" 3478
spawn_in "$HOST" "$TEST_TMP/alice.log" "$SLUICE" peer run --server 127.0.0.1:3478 --id alice \
	--server-key "$(sluice peer key --public <"$BARE/drop/server.key")" --key-file /drop/alice.key \
	--trust-server --expose udp:127.0.0.1:7001
wait_until 20 grep -q 'msg="registered"' "$TEST_TMP/alice.log" || fail "$(cat "$TEST_TMP/"*.log)"
stop "$SPAWNED"
stop "$rendezvous"
# its socket, which the user that the server becomes cannot remove
rm -r "$BARE/run/sluice"

say "an upgrade keeps the data path attached, and the edited configuration"
reply_load
want_right "$CONTAINER" "$FAR4" "$PORT"
hooks=$(json "sorted((h['hook'], h['link_id']) for h in d['reply']['hooks'])" sluice -j reply show)
printf '# edited\n[reply]\nmode = audit\n' >"$BARE/etc/sluice/sluice.conf"
install_deb second.deb
want_equal "$(bare dpkg-query -W -f '${Version}' sluice | sed 's/.*+//')" again
want_equal "$(json "sorted((h['hook'], h['link_id']) for h in d['reply']['hooks'])" sluice -j reply show)" \
	"$hooks" "the links after the upgrade"
want_right "$CONTAINER" "$FAR4" "$PORT"
want_equal "$(head -n 1 "$BARE/etc/sluice/sluice.conf")" "# edited"

say "removing the package removes everything from the kernel, in each directory of the file"
for dir in sluice-two sluice-three; do
	sluice --bpffs "/sys/fs/bpf/$dir" reply load --mode socket --port 99 --cgroup "$TEST_CGROUP"
done
cat >"$BARE/etc/sluice/sluice.conf" <<-'CONF'
	[global]
	log_level = debug
	  bpffs = /sys/fs/bpf/sluice-two ; the first
	metrics = 9477
	# bpffs = /sys/fs/bpf/none
	bpffs=/sys/fs/bpf/sluice-three
	[reply]
	mode = audit
CONF
want_status 0 bare dpkg --remove sluice
want_clean
want_wrong "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"
[ -e "$BARE/etc/sluice/sluice.conf" ] || fail "the removal took the configuration"

say "the removal succeeds even if the cleanup cannot"
install_deb first.deb
reply_load
rm "$BARE/etc/sluice/sluice.conf"
mount -o remount,bind,ro "$BARE/sys/fs/bpf"
want_status 0 bare dpkg --remove sluice
want_text "a reboot removes them"
mount -o remount,bind,rw "$BARE/sys/fs/bpf"
"$ROOT/build/sluice" cleanup
want_clean

say "a purge leaves no file"
want_status 0 bare dpkg --purge sluice
want_equal "$(listing | diff - <(echo "$before") || true)" "" "the difference of the files"
