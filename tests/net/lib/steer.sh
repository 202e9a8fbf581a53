# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Helpers for the tests of steering. Source it after lib.sh.
#
# The server is tests/servers/udp-worker.c. The client is tests/servers/udp-flows.c, which counts
# the flows that move to another worker. All run in one namespace without a network, on loopback
# addresses: a flow is a source port.

WORKER=$BUILD/tests/udp-worker
FLOWS=$BUILD/tests/udp-flows
for needed in "$WORKER" "$FLOWS"; do
	if [ ! -x "$needed" ]; then
		echo "$needed is missing: build it with 'make tested'" >&2
		exit 1
	fi
done

# workers NAME OPTION…: starts a server in namespace NAME, and returns once its sockets are bound.
# Sets SERVER_PID to its process id, and WORKERS to the ids of its workers, in order.
workers()
{
	local name=$1
	shift
	SERVERS=$((${SERVERS:-0} + 1))
	LOG=$TEST_TMP/workers.$SERVERS
	: >"$LOG"
	spawn_in "$name" "$LOG" "$WORKER" "$@"
	# shellcheck disable=SC2034
	SERVER_PID=$SPAWNED
	wait_until 20 grep -qx ready "$LOG" || fail "the server did not start:" "$(cat "$LOG")"
	# shellcheck disable=SC2034
	mapfile -t WORKERS < <(awk '$1 == "worker" { print $3 }' "$LOG")
}

# flows NAME OPTION…: starts a client in namespace NAME, and returns once each flow has received two
# answers. The client runs until flows_end. Sets CLIENT_PID to its process id, and FLOWS_LOG to its
# output file. Without --rate, it sends only 2000 datagrams per second, to leave CPU time to the
# tested programs.
flows()
{
	local name=$1
	shift
	CLIENTS=$((${CLIENTS:-0} + 1))
	FLOWS_LOG=$TEST_TMP/flows.$CLIENTS
	# a subshell may have used the same name for an earlier client
	: >"$FLOWS_LOG"
	spawn_in "$name" "$FLOWS_LOG" "$FLOWS" --until-signal --rate 2000 "$@"
	CLIENT_PID=$SPAWNED
	wait_until 30 grep -qx ready "$FLOWS_LOG" ||
		fail "not all flows are answered:" "$(cat "$FLOWS_LOG")"
}

looks()
{
	grep -c '^sent ' "$FLOWS_LOG" || true
}

printed_more_than()
{
	[ "$(looks)" -gt "$1" ]
}

# refresh_results [SIGNAL]: makes the client print its results
refresh_results()
{
	local before
	before=$(looks)
	kill "-${1:-USR1}" "$CLIENT_PID"
	wait_until 20 printed_more_than "$before" || fail "the client is gone:" "$(cat "$FLOWS_LOG")"
}

# settle_results: like refresh_results, once no datagram is in flight
settle_results()
{
	refresh_results USR2
}

# flows_end: stops the client, which prints its results
flows_end()
{
	kill -TERM "$CLIENT_PID"
	wait "$CLIENT_PID" || true
}

# result NAME: prints the number after NAME in the client's last results
result()
{
	awk -v name="$1" '$1 == "sent" { for (i = 1; i < NF; i += 2) if ($i == name) value = $(i + 1) }
		END { print value }' "$FLOWS_LOG"
}

# of_process NAME PID…: prints the number after NAME in the client's last results, summed over the
# workers of these processes
of_process()
{
	local name=$1
	shift
	awk -v name="$name" -v pids=" $* " '
		$1 == "sent" { sum = 0 }
		$1 == "worker" && index(pids, " " substr($2, 1, index($2, "/") - 1) " ") {
			for (i = 3; i < NF; i += 2) if ($i == name) sum += $(i + 1)
		}
		END { print sum + 0 }' "$FLOWS_LOG"
}

answered_at_least()
{
	refresh_results
	[ "$(result answered)" -ge "$1" ]
}

# flows_go_on COUNT: waits without a timeout for COUNT more answers
flows_go_on()
{
	refresh_results
	wait_until 60 answered_at_least $(($(result answered) + $1)) ||
		fail "hardly any answers:" "$(cat "$FLOWS_LOG")"
}

# ---- the program's counters ----

# steer_groups: prints the directories of the steered groups
steer_groups()
{
	find "$PINS/steer" -mindepth 1 -maxdepth 1 -type d | sort
}

# steer_groups_of NAME: prints the directories of the groups of namespace NAME
steer_groups_of()
{
	steer_groups | { grep "_$(stat -Lc %i "/run/netns/$1")_[0-9]*$" || true; }
}

# steer_counter NAME [DIR…]: prints a counter, summed over these groups, or over all groups
steer_counter()
{
	local name=$1 folder
	shift
	[ $# != 0 ] || mapfile -t folder < <(steer_groups)
	for folder in "${@:-${folder[@]}}"; do
		bpftool -j map dump pinned "$folder/sluice_counters"
	done | python3 -IS -c '
import sys

text = open(sys.argv[2]).read().split("define SLUICE_STEER_COUNTERS")[1].split("enum")[0]
names = [entry.split(",")[0] for entry in text.split("X(")[1:]]
at = names.index(sys.argv[1])
maps = eval("[" + sys.stdin.read().replace("][", "],[").replace("]\n[", "],[") + "]")
print(sum(cpu["value"]["value"][at] for entries in maps for cpu in entries[0]["formatted"]["values"]))
' "$name" "$ROOT/include/sluice/counters.h"
}

# incarnations PID: prints the sum of the incarnations of the process's slots, which increases when
# its flows move
incarnations()
{
	bpftool -j map dump pinned "$(steer_groups)/sluice_slots" | python3 -IS -c '
import sys

slots = [entry["formatted"]["value"] for entry in eval(sys.stdin.read())]
print(sum(s["incarnation"] for s in slots if s["pid"] == int(sys.argv[1])))' "$1"
}

# has_moved PID BEFORE: returns true if the flows of the process have moved since 'incarnations'
# printed BEFORE
has_moved()
{
	[ "$(incarnations "$1")" -gt "$2" ]
}

# udp_counter NAME COUNTER: prints COUNTER (as named in /proc/net/snmp) of namespace NAME, for both
# families together
udp_counter()
{
	in_ns "$1" cat /proc/net/snmp /proc/net/snmp6 | awk -v counter="$2" '
		$1 == "Udp:" && !column { for (i = 2; i <= NF; i++) if ($i == counter) column = i; next }
		$1 == "Udp:" { sum += $column }
		$1 == "Udp6" counter { sum += $2 }
		END { print sum }'
}

# ---- checks ----

# want_at_least NUMBER GOT WHAT: checks that GOT is at least NUMBER
want_at_least()
{
	[ "$2" -ge "$1" ] || fail "$3: wanted at least $1, got $2"
}

want_at_most()
{
	[ "$2" -le "$1" ] || fail "$3: wanted at most $1, got $2"
}

# kernel_time: prints the time of the last line of the kernel's log
kernel_time()
{
	dmesg 2>/dev/null | sed -n '$s/^\[ *\([0-9.]*\)\].*/\1/p' || true
}

# kernel_complaints SINCE: prints later lines of the kernel log that no test may cause. The log is a
# ring buffer, so older lines may be lost.
kernel_complaints()
{
	dmesg 2>/dev/null | awk -F '[][ ]+' -v since="${1:-0}" '
		$2 + 0 > since + 0 && /BUG|WARNING|Oops|general protection|RCU|lockdep/' || true
}

# drain_halt: stops the drain with process id DRAIN_PID while it does not hold the lock
drain_halt()
{
	halt "$DRAIN_PID"
	until flock --nonblock "$PINS" true; do
		kill -CONT "$DRAIN_PID"
		# the kernel rejects a program whose load was interrupted five times (EAGAIN)
		sleep 0.1
		halt "$DRAIN_PID"
	done
}
