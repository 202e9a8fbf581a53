#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Installs missing Debian packages; does nothing if none is missing.
#
# Never installs packages that would start a daemon on the machine: it unpacks the tests' real
# servers below build/servers, and installs only the libraries that they need. Without root, or on
# distributions other than Debian and its derivatives, it prints the missing packages.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
SERVERS=$ROOT/build/servers

BUILD="gcc libc6-dev make pkg-config clang llvm bpftool
	libbpf-dev libelf-dev zlib1g-dev libmnl-dev libnetfilter-conntrack-dev libjansson-dev
	libevent-dev libinih-dev nettle-dev uthash-dev libhiredis-dev libcap-dev
	libngtcp2-dev libngtcp2-crypto-gnutls-dev libgnutls28-dev libncurses-dev libminiupnpc-dev libnatpmp-dev"
RUN="bpftool iproute2 nftables conntrack procps mount util-linux socat netcat-openbsd dnsperf"
UNIT="libcmocka-dev python3"
NET="$RUN libcap2-bin iperf3 tcpdump strace dnsmasq-base bind9-dnsutils zsh fish bash-completion
	stun-client python3-aioice python3-prometheus-client"
LINT="clang-format clang-tidy cppcheck mandoc"
# Packages for make deb, for make image, and for the nightly tests of the package and the image.
PACKAGE="build-essential debhelper"
IMAGE="$PACKAGE mmdebstrap podman crun"
NIGHTLY="$IMAGE lintian debootstrap python3-yaml iptables docker-compose chromium-headless-shell"

# Servers, with package and path. unbound, knot and pdns_recursor have one socket per thread. All
# except knot answer without IP_PKTINFO on the wildcard address.
DEMO_DAEMONS="unbound:usr/sbin/unbound"
TEST_DAEMONS="knot:usr/sbin/knotd pdns-recursor:usr/sbin/pdns_recursor nsd:usr/sbin/nsd
	memcached:usr/bin/memcached atftpd:usr/sbin/atftpd coturn:usr/bin/turnserver prometheus:usr/bin/promtool
	miniupnpd-nftables:usr/sbin/miniupnpd"
# Programs that make bench compares with sluice.
BENCH_DAEMONS="nebula:usr/bin/nebula n2n:usr/sbin/edge wireguard-go:usr/bin/wireguard-go
	wireguard-tools:usr/bin/wg"
NIGHTLY_DAEMONS="docker.io:usr/sbin/dockerd containerd:usr/bin/containerd runc:usr/sbin/runc
	docker.io:usr/sbin/docker-proxy kubernetes-client:usr/bin/kubectl"

usage()
{
	cat <<-'TEXT'
		usage: tools/setup.sh [--list] build|demo|test|bench|package|image|nightly

		  build    what `make` needs
		  demo     the same, and what `make demo` needs
		  test     the same, and what `make check` and `make lint` need, servers among it;
		           without root, where only the unit tests run, what those need
		  bench    the same as test, and the programs that `make bench` compares with
		  package  what `make deb` needs
		  image    what `make image` needs
		  nightly  the same as test and image, and what `make nightly` needs: a browser, and
		           packages of npm

		--list prints the packages and installs none.
	TEXT
}

die()
{
	printf 'setup: %s\n' "$@" >&2
	exit 1
}

# missing PACKAGE…: prints the packages that are not installed. dpkg-query fails for unknown
# packages.
missing()
{
	local installed package

	installed=" $( (dpkg-query -W -f='${Package} ${db:Status-Status}\n' "$@" 2>/dev/null || true) |
		awk '$2 == "installed" { printf "%s ", $1 }') "
	for package in "$@"; do
		[[ $installed == *" $package "* ]] || echo "$package"
	done
}

on_debian()
{
	command -v apt-get >/dev/null && command -v dpkg-query >/dev/null
}

quiet()
{
	local log
	log=$(mktemp)
	if ! "$@" >"$log" 2>&1; then
		cat "$log" >&2
		rm -f "$log"
		die "failed: $*"
	fi
	rm -f "$log"
}

UPDATED=no
update_once()
{
	if [ "$UPDATED" = no ]; then
		quiet apt-get -o DPkg::Lock::Timeout=300 update
		UPDATED=yes
	fi
}

need_root()
{
	[ "$(id -u)" = 0 ] || die "missing: $*" "run as root: apt-get install $*"
}

install_packages()
{
	local packages
	packages=$(missing "$@")
	[ -n "$packages" ] || return 0
	packages=${packages//$'\n'/ }
	need_root "$packages"
	echo "setup: installing $packages"
	update_once
	# shellcheck disable=SC2086 # a list of words
	quiet env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 \
		install -y -q --no-install-recommends $packages
}

# Prints the libraries that a package file depends on: only first alternatives, without versions,
# and without JavaScript packages.
library_dependencies()
{
	dpkg-deb -f "$1" Depends | tr ',' '\n' |
		sed -n '/^ *libjs-/d; s/^ *\(lib[a-z0-9.+-]*\).*/\1/p'
}

unpack_server()
{
	local package=$1 scratch libraries

	need_root "$package"
	echo "setup: unpacking $package under build/servers (it is not installed)"
	update_once
	scratch=$(mktemp -d)
	# apt's own user cannot write to the scratch directory
	(cd "$scratch" && quiet apt-get -o APT::Sandbox::User=root download "$package")
	mapfile -t libraries < <(library_dependencies "$scratch"/*.deb)
	mkdir -p "$SERVERS"
	dpkg-deb -x "$scratch"/*.deb "$SERVERS"
	rm -rf "$scratch"
	install_packages "${libraries[@]}"
}

setup_servers()
{
	local entry package path

	for entry in "$@"; do
		package=${entry%%:*}
		path=${entry#*:}
		# a program with the same name that is not from Debian does not count
		[ -x "/$path" ] && [ -e "/var/lib/dpkg/info/$package.list" ] && continue
		[ -x "$SERVERS/$path" ] || unpack_server "$package"
	done
}

# package-lock.json pins the packages, and none may run install scripts.
setup_npm()
{
	local packages=$ROOT/build/interop

	! cmp -s "$ROOT/tests/interop/package-lock.json" "$packages/installed.json" || return 0
	echo "setup: installing packages of npm under build/interop"
	mkdir -p "$packages"
	cp "$ROOT"/tests/interop/package*.json "$packages"
	quiet npm --prefix "$packages" ci --prefer-offline --ignore-scripts --no-audit --no-fund
	cp "$packages/package-lock.json" "$packages/installed.json"
}

want()
{
	case "$1" in
	build) echo "$BUILD" ;;
	demo) echo "$BUILD $RUN" ;;
	test | bench | nightly)
		echo "$BUILD $UNIT $LINT"
		[ "$(id -u)" != 0 ] || echo "$NET"
		[ "$1" != nightly ] || echo "$NIGHTLY"
		# other distributions package npm with node
		[ "$1" != nightly ] || command -v npm >/dev/null || echo npm
		;;
	package) echo "$BUILD $PACKAGE" ;;
	image) echo "$BUILD $IMAGE" ;;
	esac
}

main()
{
	local wanted list=no

	if [ "${1:-}" = --list ]; then
		list=yes
		shift
	fi
	wanted=$(want "${1:-}")
	if [ $# != 1 ] || [ -z "$wanted" ]; then
		usage >&2
		exit 2
	fi
	# shellcheck disable=SC2086 # a list of words
	wanted=$(printf '%s\n' $wanted | sort -u)
	if [ "$list" = yes ]; then
		echo "$wanted"
		return
	fi
	on_debian || die "only Debian's packages are known; this needs what Debian 12 calls" "$wanted"
	# shellcheck disable=SC2086 # a list of words
	install_packages $wanted
	[[ " demo test bench nightly " == *" $1 "* ]] && [ "$(id -u)" = 0 ] || return 0
	# shellcheck disable=SC2086 # lists of words
	setup_servers $DEMO_DAEMONS
	# shellcheck disable=SC2086
	[ "$1" = demo ] || setup_servers $TEST_DAEMONS
	# shellcheck disable=SC2086
	[ "$1" != bench ] || setup_servers $BENCH_DAEMONS
	# shellcheck disable=SC2086
	[ "$1" != nightly ] || { setup_servers $NIGHTLY_DAEMONS && setup_npm; }
}

main "$@"
