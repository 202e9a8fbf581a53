#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# unbound with four threads, restarted again and again under dnsperf: the new one starts beside the old,
# which is drained and ended. No query is lost, and each client moves once for each restart. The
# kernel alone loses what comes to the old one's sockets while it ends.
#
#   host: dnsperf, 20 clients ── lo ── unbound, old ▸ unbound, new ▸ …
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/steer.sh"

CLIENTS=20 ROUNDS=10
UNBOUND=$(server_path usr/sbin/unbound)

cat >"$TEST_TMP/unbound.conf" <<CONF
server:
  interface: 127.0.0.1
  interface: ::1
  num-threads: 4
  so-reuseport: yes
  do-tcp: no
  do-daemonize: no
  username: ""
  chroot: ""
  pidfile: ""
  directory: "$TEST_TMP"
  use-syslog: no
  verbosity: 1
  module-config: "iterator"
  local-zone: "example." static
  local-data: "www.example. A 192.0.2.1"
remote-control:
  control-enable: no
CONF
echo "www.example A" >"$TEST_TMP/queries"

# serving: a new one says so when all of its threads have their sockets
unbound_start()
{
	STARTS=$((${STARTS:-0} + 1))
	spawn_in "$HOST" "$TEST_TMP/unbound.$STARTS" "$UNBOUND" -d -c "$TEST_TMP/unbound.conf"
	CURRENT=$SPAWNED
	wait_until 20 grep -q 'start of service' "$TEST_TMP/unbound.$STARTS" ||
		fail "unbound did not start:" "$(cat "$TEST_TMP/unbound.$STARTS")"
}

datagrams()
{
	udp_counter "$HOST" InDatagrams
}

datagrams_more_than()
{
	[ "$(datagrams)" -gt "$1" ]
}

# queries_go_on: each client has had some, however long it takes here
queries_go_on()
{
	wait_until 60 datagrams_more_than $(($(datagrams) + 20 * CLIENTS)) || fail "hardly any queries"
}

# under_dnsperf COMMAND…: as many restarts, with COMMAND and the old one's process id in each
under_dnsperf()
{
	local round old perf
	spawn_in "$HOST" "$TEST_TMP/dnsperf" dnsperf -s "$1" -d "$TEST_TMP/queries" -c "$CLIENTS" \
		-Q 2000 -t 1 -l 600
	perf=$SPAWNED
	shift
	queries_go_on
	for ((round = 0; round < ROUNDS; round++)); do
		old=$CURRENT
		unbound_start
		"$@" "$old"
		queries_go_on
		stop "$old"
		queries_go_on
	done
	# what is lost is known when dnsperf has waited for it
	sleep 1.5
	kill -INT "$perf"
	wait "$perf" || true
	SENT=$(awk '/Queries sent:/ { print $3 }' "$TEST_TMP/dnsperf")
	COMPLETED=$(awk '/Queries completed:/ { print $3 }' "$TEST_TMP/dnsperf")
	LOST=$(awk '/Queries lost:/ { print $3 }' "$TEST_TMP/dnsperf")
	echo "queries $SENT, answered $COMPLETED, lost $LOST"
}

drain()
{
	sluice --netns "$HOST" steer load --port 53
	sluice steer drain --idle 1 --limit 1 "$1"
}

netns_add "$HOST"
unbound_start
say "the kernel alone"
under_dnsperf 127.0.0.1 true
want_at_least 1 "$LOST" "queries lost in restarts"

for addr in 127.0.0.1 ::1; do
	[ "$addr" = 127.0.0.1 ] || ROUNDS=3
	say "loaded and drained, $addr"
	sluice --netns "$HOST" steer load --port 53
	want_equal "$(steer_groups | wc -l)" 2 "groups"
	under_dnsperf "$addr" drain
	want_at_least $((500 * ROUNDS)) "$SENT" "queries"
	want_equal "$LOST" 0 "queries lost in restarts"
	want_equal "$(steer_counter moved_gone) $(steer_counter moved_idle)" "0 0" \
		"flows moved for other reasons"
	want_equal "$(steer_counter moved_drained)" $((CLIENTS * ROUNDS)) "flows that moved"
	sluice steer unload
done
stop "$CURRENT"
