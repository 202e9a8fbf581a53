#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The daemon repairs and logs damage by other processes within ten seconds: a removed pin of any
# object, a detached hook, and a load by a command that was killed half-way. If a command has loaded
# the object, the daemon only logs the damage.
#
#   container ── docker0 172.17.0.1 [host: workers on [::]:56789] eth0 172.16.13.13
#
# takes long: every pin of every object is removed
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"
. "$(dirname "$0")/../lib/cpu.sh"

SERVED=55555
topology_up
workers a@0 b@1
serve "$HOST" dual6 "$SERVED"

# pins: prints the pins, with a name for the directory of a group
pins()
{
	find "$PINS" -type f -printf '%P\n' | sed -E 's:steer/[0-9_]+/:steer/GROUP/:' | sort
}

whole()
{
	[ "$(pins)" = "$PINNED" ] && ! reply_detached
}

# want_whole WHAT: checks that all pins exist again, and that their programs are attached
want_whole()
{
	wait_until 30 whole ||
		fail "$1 is not repaired:" "$(diff <(echo "$PINNED") <(pins))" "$(cat "$DAEMON_LOG")"
}

reply_detached()
{
	[ "$(bpftool cgroup tree "$TEST_CGROUP" | grep -c sluice_)" != "$ATTACHED" ]
}

configure '[reply]' 'mode = socket' "port = 1-100,$SERVED" '[wire]' 'follow = docker0' 'port = 1-99' \
	'[steer]' "port = $PORT" 'policy = cpu' 'xdp = eth0' 'cpus = 0-1' '[hold]' 'port = 4000'
daemon_start
want_logged 'flows are spread over CPUs'
wait_until 20 test -e "$PINS/steer/sluice_consumers"
PINNED=$(pins)
ATTACHED=$(bpftool cgroup tree "$TEST_CGROUP" | grep -c sluice_)

say "nothing to repair"
sleep 11
! grep -E 'another process|half-way|remains' "$DAEMON_LOG" || fail "a false alarm"

# logged_since LINE TEXT: returns true if the daemon has logged TEXT after its first LINE lines
logged_since()
{
	tail -n "+$(($1 + 1))" "$DAEMON_LOG" | contains -F -- "$2"
}

# lose TEXT PIN…: removes the pins, one of each object, and waits until they exist again and the
# daemon has logged each TEXT
lose()
{
	local pin group before texts=()
	before=$(wc -l <"$DAEMON_LOG")
	group=$(basename "$(find "$PINS/steer" -mindepth 1 -type d)")
	while [ $# != 0 ]; do
		texts+=("$1")
		rm "$PINS/${2/GROUP/$group}"
		shift 2
	done
	want_whole "${texts[*]}"
	for pin in "${texts[@]}"; do
		wait_until 30 logged_since "$before" "$pin" ||
			fail "'$pin' is not logged:" "$(tail -n "+$((before + 1))" "$DAEMON_LOG")"
	done
}

say "pins that are removed"
LOST='msg="pin removed by another process" section='
lose "${LOST}reply pin=link_fix4" reply/link_fix4 \
	"${LOST}wire pin=sluice_w_flows" wire/sluice_w_flows \
	"${LOST}hold pin=link_out" hold/link_out \
	'a group has lost a pin' steer/GROUP/sluice_table \
	'msg="steer: pin removed by another process" pin=sluice_x_cpus' steer/sluice_x_cpus
lose "${LOST}reply pin=sluice_flows" reply/sluice_flows \
	"${LOST}wire pin=sluice_w_ifaces" wire/sluice_w_ifaces \
	"${LOST}hold pin=sluice_flows" hold/sluice_flows \
	'programs on recvmsg are no longer attached' steer/sluice_recv4 \
	'msg="steer: detached by another process" iface=eth0' "steer/$(pins | sed -n 's:steer/\(sluice_x_link_.*\):\1:p')"
lose "${LOST}reply pin=sluice_meta" reply/sluice_meta \
	"${LOST}hold pin=sluice_meta" hold/sluice_meta \
	'msg="detached by another process" iface=' "wire/$(pins | sed -n 's:wire/\(link_.*_in\):\1:p' | sed -n 1p)" \
	'msg="only leftovers remain" section=steer' steer/sluice_steering
lose "${LOST}reply pin=link_learn" reply/link_learn \
	"${LOST}hold pin=link_closed" hold/link_closed "${LOST}wire pin=prog_" "wire/$(pins |
	sed -n 's:wire/\(prog_.*\):\1:p' | sed -n 1p)" 'a group has lost a pin' steer/GROUP/sluice_group
want_right "$CONTAINER" "$FAR4" "$SERVED"

say "hooks are detached, and their pins still exist"
for pin in reply/link_connect4 hold/link_in; do
	bpftool link detach pinned "$PINS/$pin"
	want_logged "msg=\"detached by another process\" section=${pin%/*}"
	want_whole "$pin"
done

say "a reload that changes nothing, and one that does"
daemon_reload 'msg="reloaded"'
want_logged 'msg="wire is active" outcome=unchanged'
want_logged 'msg="reply is active" outcome=unchanged'
want_logged 'msg="hold is active" outcome=unchanged'
before=$(grep -c 'msg="reply is active" outcome=updated' "$DAEMON_LOG" || true)
rm "$PINS/reply/link_fix6"
daemon_reload 'msg="reloaded"'
want_logged 'msg="reply is active" outcome=updated' $((before + 1))
want_whole link_fix6

# killed_half_way COMMAND…: kills COMMAND right after it has replaced a program of the daemon's load
killed_half_way()
{
	local call
	strace -o "$TEST_TMP/calls" -e trace=bpf "$@" >/dev/null
	call=$(grep '^bpf(' "$TEST_TMP/calls" | grep -n BPF_LINK_UPDATE | sed -n '2s/:.*//p')
	[ -n "$call" ] || fail "not two updates of links by: $*"
	daemon_reload 'msg="reloaded"'
	! strace -o "$TEST_TMP/calls" -e trace=bpf -e "inject=bpf:signal=KILL:when=$call" \
		"$@" >/dev/null 2>&1 || fail "not killed at call $call: $*"
	contains BPF_LINK_UPDATE <"$TEST_TMP/calls" || fail "killed too early: $*"
}

say "a load by a command that is killed half-way"
killed_half_way "$SLUICE" reply load --cgroup "$TEST_CGROUP" --mode socket --table 5000
want_logged 'msg="incomplete: a command was killed half-way" section=reply'
want_logged 'msg="reply is active" outcome=recovered'
want_whole "reply, of a killed command"
killed_half_way "$SLUICE" --netns "$HOST" reply load --mode wire --follow docker0 --table 5000
want_logged 'msg="incomplete: a command was killed half-way" section=wire'
want_logged 'msg="wire is active" outcome=recovered'
want_whole "wire, of a killed command"
killed_half_way "$SLUICE" --netns "$HOST" hold load --cgroup "$TEST_CGROUP" --port 4000 --max 60
want_logged 'msg="incomplete: a command was killed half-way" section=hold'
want_logged 'msg="hold is active" outcome=recovered'
want_whole "hold, of a killed command"
want_right "$CONTAINER" "$FAR4" "$SERVED"

say "an object loaded by a command is not repaired; the damage is logged once"
reply_load --table 5000 >/dev/null
bpftool link detach pinned "$PINS/reply/link_fix4"
want_logged 'msg="detached by another process" section=reply hint="a command loaded it last'
sleep 21
want_equal "$(grep -c 'hint="a command loaded it last' "$DAEMON_LOG")" 1 "warnings"
want_equal "$(json "d['reply']['flows']['size']" sluice -j reply show)" 5000
daemon_reload 'msg="reloaded"'
want_whole "after SIGHUP"

say "unloaded by a command: the hint"
sluice steer unload >/dev/null
want_logged 'msg="steer: cannot track sockets" reason="unloaded by another process" hint="send SIGHUP'
daemon_stop
sluice --netns "$HOST" cleanup
want_clean
