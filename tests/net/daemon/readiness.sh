#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# /readyz and sluice_section_applied are one decision: a section is attached as the file says, at the
# time of the question. An unload or a load by a command, a detached program, and a rendezvous server
# that does not answer make it false; a server that steering waits for, or a missing interface, does
# not.
#
#   container ── docker0 172.17.0.1 [host: the daemon] eth0 172.16.13.13
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"
. "$(dirname "$0")/../lib/cpu.sh"
. "$(dirname "$0")/../lib/metrics.sh"

APPLIED=()
for section in reply wire hold steer rendezvous; do
	APPLIED+=("sluice_section_applied{section=\"$section\"}")
done

is_ready()
{
	probe /readyz 200 && [ "$(metrics value "${APPLIED[@]}" | sort -u)" = 1 ]
}

want_ready()
{
	wait_until 60 is_ready || fail "$(metrics get /readyz)" "$(metrics get /metrics | grep ^sluice_section)"
}

# is_unready SECTION TEXT: do both show it, with this reason?
is_unready()
{
	probe /readyz 503 "[$1] $2" && [ "$(metrics value "sluice_section_applied{section=\"$1\"}")" = 0 ]
}

want_unready()
{
	wait_until 60 is_unready "$@" ||
		fail "[$1] is ready:" "$(metrics get /readyz)" "$(metrics get /metrics | grep ^sluice_section)"
}

# detached_is_unready PIN SECTION TEXT: detaches a pinned link, again if the daemon has repaired it
detached_is_unready()
{
	bpftool link detach pinned "$PINS/$1" >/dev/null 2>&1 || true
	is_unready "$2" "$3" && sluice status | contains -F "warning: $3"
}

# the links of the programs for socket events are not pinned
events_detached_is_unready()
{
	local prog
	prog=$(bpftool cgroup tree "$TEST_CGROUP" | awk '/sluice_bind4/ { print $1; exit }')
	bpftool -j link show | python3 -IS -c '
import sys
print(*[l["id"] for l in eval(sys.stdin.read()) if l.get("prog_id") == int(sys.argv[1])])' "${prog:-0}" |
		xargs -r bpftool link detach id 2>/dev/null || true
	is_unready steer "a program for socket events is detached"
}

topology_up
FILE=('[reply]' 'mode = socket' "port = $PORT" '[wire]' 'iface = eth0' 'port = 5201'
	'[hold]' 'port = 7000' '[rendezvous]' 'listen = 127.0.0.1:3478' '[steer]' 'port = 5353' 'policy = cpu')
SPREAD=('xdp = eth0,late0' 'cpus = 0')

say "ready, although steering waits for a server, and an interface does not exist"
configure "metrics = $METRICS_PORT" "${FILE[@]}" "${SPREAD[@]}"
daemon_start
want_ready

say "unloaded by a command"
for unload in "reply:reply unload --mode socket" "wire:reply unload --mode wire" "hold:hold unload" "steer:steer unload"; do
	# shellcheck disable=SC2086
	sluice --netns "$HOST" ${unload#*:} >/dev/null
	want_unready "${unload%%:*}" "${unload%%:*} is not loaded"
done
kill -HUP "$DAEMON"
want_ready

say "loaded by a command, with other settings"
sluice reply load --mode audit --cgroup "$TEST_CGROUP" >/dev/null
want_unready reply "a command loaded it last"
kill -HUP "$DAEMON"
want_ready

say "detached by another process"
PORT=5353 workers a@0
want_ready
wait_until 30 test -e "$PINS/steer/sluice_recv4" || fail "$(ls "$PINS/steer")"
index=$(ip -n "$HOST" -o link show dev eth0 | cut -d: -f1)
for link in "reply/link_fix4|reply|a program is detached" "wire/link_${index}_in|wire|eth0: detached" \
	"hold/link_in|hold|a program is detached" "steer/sluice_recv4|steer|a program on recvmsg is detached" \
	"$(cd "$PINS" && echo steer/sluice_x_link*)|steer|eth0: the XDP program is detached"; do
	IFS='|' read -r pin section text <<<"$link"
	wait_until 60 detached_is_unready "$pin" "$section" "$text" ||
		fail "without $pin:" "$(metrics get /readyz)" "$(ls -R "$PINS")"
done
wait_until 60 events_detached_is_unready || fail "$(metrics get /readyz)" "$(bpftool link show)"
want_logged 'the programs for socket events are no longer attached'
want_ready

say "a map that cannot be read"
for map in reply/sluice_counters wire/sluice_w_counts hold/sluice_flows; do
	rm "$PINS/$map"
	want_unready "${map%%/*}" ""
	if [ "${map%%/*}" = hold ]; then
		sluice hold unload >/dev/null
	else
		sluice --netns "$HOST" reply unload >/dev/null
	fi
	kill -HUP "$DAEMON"
	want_ready
done
# a sweep replaces such a group
rm "$PINS"/steer/*/sluice_slots
is_replaced()
{
	test -e "$PINS"/steer/*/sluice_slots
}
wait_until 60 is_replaced || fail "$(ls -R "$PINS/steer")"
want_ready

say "the rendezvous server does not answer a Binding request, or hangs"
in_ns "$HOST" nft -f - <<-'NFT'
	table inet deaf {
		chain input {
			type filter hook input priority filter
			udp dport 3478 drop
		}
	}
NFT
want_unready rendezvous "no answer to a Binding request to 127.0.0.1:3478"
in_ns "$HOST" nft delete table inet deaf
want_ready
SERVER_PID=$(pgrep -P "$DAEMON" -x sluice)
halt "$SERVER_PID"
want_unready rendezvous "the server has reported nothing for "
want_status 0 sluice status
want_text "warning: the server has reported nothing for "
kill -CONT "$SERVER_PID"
want_ready
kill -USR1 "$SERVER_PID"
want_unready rendezvous draining
daemon_stop
sluice --netns "$HOST" cleanup >/dev/null
want_clean
