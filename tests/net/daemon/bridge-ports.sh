#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Containers come and go 200 times. The daemon attaches to each new port of the followed bridge. A
# removed port leaves no pin, no entry in the interface table, and no open file in the daemon. The
# daemon requests only the new interface from the kernel, since a host may have thousands.
#
#   container 172.17.0.3 ── veth3 ┐
#   containers, one at a time ────┴ docker0 172.17.0.1 [host: [::]:56789] eth0 172.16.13.13
#
# takes long: containers come and go 200 times
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"

# files: counts the daemon's open files; a leaked descriptor would keep a program or link in the
# kernel
files()
{
	find "/proc/$DAEMON/fd" -type l | wc -l
}

files_are()
{
	[ "$(files)" = "$1" ]
}

ifaces()
{
	json "sorted(i['name'] for i in d['wire']['interfaces'])" sluice -j --netns "$HOST" reply show
}

pins()
{
	find "$PINS/wire" | wc -l
}

pins_are()
{
	[ "$(pins)" = "$1" ]
}

topology_up
# a fixed address, because by default the bridge inherits the address of a port, which may change
ip -n "$HOST" link set dev docker0 address 02:42:00:00:00:01
serve "$HOST" dual6 "$PORT"
configure '[wire]' 'follow = docker0' "port = $PORT"
daemon_start
want_right "$CONTAINER" "$FAR4" "$PORT"
want_equal "$(ifaces)" "['veth3']"
before=$(pins)
files=$(files)

say "200 ports, some of them up and with traffic, some removed immediately"
for round in $(seq 200); do
	if [ $((round % 40)) = 0 ]; then
		bridge_port "guest$round" 9
		want_logged 'msg="attached" iface=veth9' $((round / 40))
		want_right "guest$round" "$FAR4" "$PORT"
		want_right "guest$round" "$FAR6" "$PORT"
		ip netns del "guest$round"
		wait_until 10 bash -c "! ip -n $HOST link show dev veth9"
	else
		ip -n "$HOST" link add "port$round" type veth peer name "peer$round"
		ip -n "$HOST" link set dev "port$round" master docker0
		ip -n "$HOST" link del "port$round"
	fi
done
wait_until 30 pins_are "$before"
want_equal "$(ifaces)" "['veth3']"
wait_until 30 files_are "$files" || fail "open files of the daemon: $files before, now $(files)"
want_equal "$(grep level=warning "$DAEMON_LOG" || true)" "" "warnings of the daemon"

say "50 at a time, and all removed at once"
for number in $(seq 50); do
	echo "link add port$number type veth peer name peer$number"
	echo "link set dev port$number master docker0"
done >"$TEST_TMP/batch"
ip -n "$HOST" -batch "$TEST_TMP/batch"
all_attached()
{
	[ "$(json "len(d['wire']['interfaces'])" sluice -j --netns "$HOST" reply show)" = 51 ]
}
wait_until 60 all_attached
seq -f 'link del port%g' 50 >"$TEST_TMP/batch"
ip -n "$HOST" -batch "$TEST_TMP/batch"
wait_until 60 pins_are "$before"
want_equal "$(ifaces)" "['veth3']"

say "a new port does not trigger a dump of all interfaces"
strace -f -p "$DAEMON" -e trace=sendto,sendmsg -o "$TEST_TMP/calls" 2>"$TEST_TMP/strace" &
strace=$!
wait_until 20 grep -q attached "$TEST_TMP/strace"
bridge_port guest 9
want_logged 'msg="attached" iface=veth9' 6
kill "$strace"
wait "$strace" || true
contains -E "RTM_GETLINK|nlmsg_type=0x12 " <"$TEST_TMP/calls" || fail "no call was seen:" "$(cat "$TEST_TMP/calls")"
! grep -E '(RTM_GETLINK|nlmsg_type=0x12 ).*NLM_F_DUMP' "$TEST_TMP/calls" || fail "the daemon has dumped all interfaces"
ip netns del guest

want_right "$CONTAINER" "$FAR4" "$PORT"
daemon_stop
want_right "$CONTAINER" "$FAR4" "$PORT"
no_errors "$LOG"
sluice --netns "$HOST" cleanup
want_clean
