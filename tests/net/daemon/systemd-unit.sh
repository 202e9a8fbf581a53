#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The daemon works within the restrictions of the systemd unit: with its capabilities, and with a
# file system where only the bpffs and the runtime directory are writable. The example configuration
# file is valid.
#
#   container 172.17.0.3 ── veth3 ═ docker0 172.17.0.1 [host: [::]:56789] eth0 172.16.13.13
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"

UNIT=$TEST_TMP/sluice.service
sed "s|@SBINDIR@/sluice|$SLUICE|; s|@SYSCONFDIR@|/etc|" \
	"$ROOT/tools/deploy/systemd/sluice.service.in" >"$UNIT"

setting()
{
	sed -n "s/^$1=//p" "$UNIT"
}

say "the unit and its file"
if command -v systemd-analyze >/dev/null; then
	want_status 0 systemd-analyze verify --man=no "$UNIT"
	want_equal "$OUTPUT" "" "what systemd reports about the unit"
fi
want_status 0 sluice run --check-config --config "$ROOT/tools/deploy/systemd/sluice.conf"
want_equal "$(setting Type) $(setting ReadWritePaths) $(setting RuntimeDirectory)" \
	"notify /sys/fs/bpf sluice"

# dropped NAME…: prints all capabilities except these, as setpriv(1) expects them
dropped()
{
	setpriv --list-caps | grep -vxF "$(printf '%s\n' "$@")" | sed 's/^/-/' | paste -sd,
}

# shellcheck disable=SC2046 # a list of words
caps=$(dropped $(setting CapabilityBoundingSet | tr 'A-Z' 'a-z' | sed 's/cap_//g'))
cat >"$TEST_TMP/confined" <<-'SHELL'
	set -eu
	mount --rbind / /
	mount -o remount,bind,ro /
	awk '$5 != "/" { print $5 }' /proc/self/mountinfo | sort -u | while read -r point; do
		case "$point" in
		/sys/fs/bpf | /run/sluice | /dev*) ;;
		*) mount -o remount,bind,ro "$point" 2>/dev/null || true ;;
		esac
	done
	if touch "$1/written" /etc/written 2>/dev/null; then
		echo "not confined" >&2
		exit 1
	fi
	caps=$2
	shift 2
	exec setpriv --no-new-privs --bounding-set="$caps" --inh-caps="$caps" "$@"
SHELL

# confined COMMAND…: runs COMMAND with the unit's restrictions
confined()
{
	in_ns "$HOST" unshare --mount --propagation slave \
		bash "$TEST_TMP/confined" "$TEST_TMP" "$caps" "$@"
}

topology_up
serve "$HOST" dual6 "$PORT"

say "confined: the daemon loads, follows, reloads, and takes over"
RENDEZVOUS=('[rendezvous]' "listen = $FAR4:3478" 'xdp = eth0')
configure '[reply]' 'mode = socket' "port = $PORT" '[wire]' 'follow = docker0' 'port = 1-99' \
	"${RENDEZVOUS[@]}"
: >"$DAEMON_LOG"
confined "$SLUICE" run --config "$CONF" 2>"$DAEMON_LOG" </dev/null &
DAEMON=$!
want_logged 'msg="started"'
want_right "$CONTAINER" "$FAR4" "$PORT"
want_right "$CONTAINER" "$FAR6" "$PORT"
want_equal "$(json "[s['state'] for s in d['daemon']['sections']]" sluice -j status)" \
	"['loaded', 'loaded', 'running']"
serves()
{
	[ "$(json "d['ready'], len(d['xdp']['interfaces'])" sluice -j rendezvous show)" = "(True, 1)" ]
}
wait_until 20 serves
ip -n "$HOST" link add new type veth peer name newp
ip -n "$HOST" link set dev new master docker0
want_logged 'msg="attached" iface=new'
addr_add "$HOST" lo 10.9.9.9/32
want_right "$CONTAINER" 10.9.9.9 "$PORT"
addr_del "$HOST" lo 10.9.9.9/32
configure '[reply]' 'mode = socket' "port = 1-100,$PORT" '[wire]' 'follow = docker0' 'port = 1-9' \
	"${RENDEZVOUS[@]}"
daemon=$(pgrep -P "$DAEMON" -x sluice || echo "$DAEMON")
kill -HUP "$daemon"
want_logged 'msg="reloaded"'
want_right "$CONTAINER" "$FAR4" "$PORT"
kill "$daemon"
wait "$DAEMON"
want_equal "$(grep -E 'level=(warning|error)' "$DAEMON_LOG" || true)" "" "warnings and errors of the daemon"

say "without the capabilities that the unit marks as optional"
configure '[reply]' 'mode = socket' "port = 1-100,$PORT" '[wire]' 'follow = docker0' 'port = 1-9'
caps=$(dropped bpf net_admin perfmon)
: >"$DAEMON_LOG"
confined "$SLUICE" run --config "$CONF" 2>"$DAEMON_LOG" </dev/null &
DAEMON=$!
want_logged 'msg="started"'
daemon=$(pgrep -P "$DAEMON" -x sluice || echo "$DAEMON")
kill -HUP "$daemon"
want_logged 'msg="reloaded"'
kill "$daemon"
wait "$DAEMON"
want_right "$CONTAINER" "$FAR4" "$PORT"
sluice --netns "$HOST" cleanup
want_clean
