# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The second part of `make demo`: restarts a server with four workers under load, without and with
# steering. tools/demo/run sources it after its own functions and the topology. Each line is
# asserted here, too.
#
# The server is unbound with so-reuseport, which answers from local data and needs no network. The
# load is dnsperf.

RESTARTS=10 CLIENTS=20 RATE=4000
DNS_ADDR=172.17.0.1

unbound_path()
{
	local path
	for path in "$ROOT/build/servers/usr/sbin/unbound" /usr/sbin/unbound; do
		if [ -x "$path" ]; then
			echo "$path"
			return
		fi
	done
	die "unbound is not here" "run 'make demo'"
}

unbound_configure()
{
	cat >"$SCRATCH/unbound.conf" <<-CONF
		server:
		  interface: $DNS_ADDR
		  num-threads: 4
		  so-reuseport: yes
		  do-tcp: no
		  do-daemonize: no
		  username: ""
		  chroot: ""
		  pidfile: ""
		  directory: "$SCRATCH"
		  use-syslog: no
		  verbosity: 1
		  access-control: 172.17.0.0/16 allow
		  module-config: "iterator"
		  local-zone: "example." static
		  local-data: "www.example. A 192.0.2.1"
		remote-control:
		  control-enable: no
	CONF
	echo "www.example A" >"$SCRATCH/queries"
}

# unbound logs a line once all of its threads have their sockets.
unbound_start()
{
	: >"$SCRATCH/unbound.log"
	# shellcheck disable=SC2153 # topology.sh sets HOST
	nsenter --net="/run/netns/$HOST" -- "$UNBOUND" -d -c "$SCRATCH/unbound.conf" \
		</dev/null >"$SCRATCH/unbound.log" 2>&1 &
	SERVER=$!
	wait_until 20 grep -q 'start of service' "$SCRATCH/unbound.log" ||
		die "unbound did not start" "$(cat "$SCRATCH/unbound.log")"
}

queries_received()
{
	in_ns "$HOST" cat /proc/net/snmp | awk '/^Udp: [0-9]/ { print $2 }'
}

queries_more_than()
{
	[ "$(queries_received)" -gt "$1" ]
}

# Waits without a timeout until each client has sent some queries.
queries_go_on()
{
	wait_until 60 queries_more_than $(($(queries_received) + 10 * CLIENTS)) || die "no queries arrive"
}

# restarts [COMMAND…]: restarts the server repeatedly under dnsperf. Runs COMMAND with the old
# process id before it stops the old process. Sets SENT and LOST to the numbers of queries.
restarts()
{
	local round old perf
	nsenter --net="/run/netns/$CONTAINER" -- dnsperf -s "$DNS_ADDR" -d "$SCRATCH/queries" \
		-c "$CLIENTS" -Q "$RATE" -t 1 -l 600 </dev/null >"$SCRATCH/dnsperf" 2>&1 &
	perf=$!
	queries_go_on
	for ((round = 0; round < RESTARTS; round++)); do
		old=$SERVER
		unbound_start
		[ $# = 0 ] || "$@" "$old"
		queries_go_on
		kill "$old"
		wait "$old" || true
		queries_go_on
	done
	# dnsperf counts a query as lost only after its timeout
	sleep 1.5
	kill -INT "$perf"
	wait "$perf" || true
	SENT=$(awk '/Queries sent:/ { print $3 }' "$SCRATCH/dnsperf")
	LOST=$(awk '/Queries lost:/ { print $3 }' "$SCRATCH/dnsperf")
	[ -n "$LOST" ] || die "dnsperf printed no result" "$(cat "$SCRATCH/dnsperf")"
}

# Runs the two commands that sluice adds to a restart.
hand_over()
{
	{
		"$SLUICE" --netns "$HOST" steer load --port 53 &&
			"$SLUICE" steer drain "$1" --limit 1
	} >"$SCRATCH/output" 2>&1 || die "the server was not drained" "$(cat "$SCRATCH/output")"
}

# steer_counter NAME: prints a counter of the only group
steer_counter()
{
	"$SLUICE" -j steer show | grep -oE "\"$1\": ?[0-9]+" | grep -oE '[0-9]+$'
}

steer_drawing()
{
	cat <<-TEXT

		  container                    host
		  $CLIENTS clients (dnsperf) ------ $DNS_ADDR:53   [ unbound: 4 threads, a socket each ]

		  The kernel selects a socket for each client by a hash and the number of sockets. A restart
		  closes the old server's sockets, which loses the queries in their queues. It also changes
		  the number of sockets, which moves clients without need.
	TEXT
}

restarts_without()
{
	heading "$RESTARTS restarts under load, without sluice"
	unbound_start
	good server "$("$UNBOUND" -V | awk '/^Version/ { print "unbound", $2 }'), unmodified"
	good restart "start the new server beside the old one, then kill \$OLD"
	for _ in 1 2 3 4 5 6 7 8 9; do
		restarts
		[ "$LOST" = 0 ] || break
		good queries "0 of $SENT lost by luck: another $RESTARTS restarts"
	done
	[ "$LOST" -gt 0 ] || die "no query was lost in any of the restarts"
	good queries "$LOST of $SENT lost"
}

restarts_with()
{
	local drained
	heading "$RESTARTS restarts under load, with sluice"
	good restart "the same, with two commands before the kill"
	printf '%s\n' "sluice steer load --port 53" "sluice steer drain \$OLD --limit 1" | detail
	restarts hand_over
	expect queries 0 "$LOST" "0 of $SENT lost"
	drained=$(steer_counter moved_drained)
	expect moved "$((CLIENTS * RESTARTS))" "$drained" \
		"$drained: each of $CLIENTS clients once per restart, when its server ended"
	expect "other moves" "0 0" "$(steer_counter moved_gone) $(steer_counter moved_idle)" 0
}

steer_act()
{
	steer_drawing
	UNBOUND=$(unbound_path)
	unbound_configure
	restarts_without
	run_sluice --netns "$HOST" steer load --port 53
	restarts_with
	run_sluice steer show
	run_sluice cleanup
	[ ! -e /sys/fs/bpf/sluice ] || die "left in the bpffs:" "$(find /sys/fs/bpf/sluice)"
	heading "Done: the server was restarted $RESTARTS times, and its clients did not notice."
}
