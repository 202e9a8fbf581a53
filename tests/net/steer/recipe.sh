#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Restarts unbound under dnsperf, with the commands in README, sluice-steer(8) and --help, and with
# the commands for a systemd unit, for which the test sets MAINPID as systemd does. No query is
# lost. Only paths and the limit differ: wrapper programs with the same names run unbound in the
# namespace and find the old instance.
#
#   host: dnsperf, 20 clients ── lo ── unbound, old ▸ unbound, new ▸ …
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/steer.sh"
. "$(dirname "$0")/../lib/dns.sh"

UNBOUND=$(server_path usr/sbin/unbound)
PIDS=$TEST_TMP/pids
PIDFILE=$TEST_TMP/unbound.pid

cat >"$TEST_TMP/unbound.conf" <<CONF
server:
  interface: 127.0.0.1
  num-threads: 4
  so-reuseport: yes
  do-tcp: no
  username: ""
  chroot: ""
  pidfile: ""
  directory: "$TEST_TMP"
  use-syslog: no
  module-config: "iterator"
  local-zone: "example." static
  local-data: "www.example. A 192.0.2.1"
remote-control:
  control-enable: no
CONF
mkdir "$TEST_TMP/bin"
cat >"$TEST_TMP/bin/unbound" <<SCRIPT
#!/bin/bash
echo \$\$ >>"$PIDS"
exec nsenter --net=/run/netns/$HOST "$UNBOUND" -c "$TEST_TMP/unbound.conf" "\$@" \
	>>"$TEST_TMP/unbound.log" 2>&1
SCRIPT
cat >"$TEST_TMP/bin/pgrep" <<SCRIPT
#!/bin/sh
[ "\$*" = "-o -x unbound" ] && tail -n 1 "$PIDS"
SCRIPT
ln -s "$SLUICE" "$TEST_TMP/bin/sluice"
chmod +x "$TEST_TMP"/bin/*

# unit_line NAME: prints the command of a unit in the man page
unit_line()
{
	plain "$MAN_STEER" | sed -n "s|/run/unbound.pid|$PIDFILE|g; s/^$1=//p"
}

# run_lines TEXT: runs TEXT as a shell script, which must succeed; the drain has a shorter limit
run_lines()
{
	local status=0
	PATH=$TEST_TMP/bin:$PATH bash -c "${1//--wait/--limit 1 --wait}" >"$TEST_TMP/output" 2>&1 || status=$?
	want_equal "$status" 0 "exit status: $(cat "$TEST_TMP/output")"
}

newest()
{
	tail -n 1 "$PIDS"
}

four_sockets()
{
	[ "$(in_ns "$HOST" grep -c ":0035 " /proc/net/udp)" -ge 4 ]
}

# want_restarted OLD: checks that the old server has exited, and that another server runs
want_restarted()
{
	wait_until 20 is_gone "$1" || fail "process $1 still runs: $(cat "$TEST_TMP/output")"
	[ "$(newest)" != "$1" ] && ! is_gone "$(newest)" || fail "no new server runs"
}

LINES_OF_MAN=$(plain "$MAN_STEER" | recipe)
want_equal "$(wc -l <<<"$LINES_OF_MAN")" 3 "lines in the man page"
want_equal "$(recipe <"$ROOT/README.md")" "$LINES_OF_MAN" "README and man page"
want_equal "$(sluice steer drain --help | recipe)" "$LINES_OF_MAN" "--help and man page"
want_equal "$(sluice help steer | recipe)" "$LINES_OF_MAN" "help steer and man page"

netns_add "$HOST"
say "by a unit"
run_lines "$(unit_line ExecStart)"
wait_until 20 four_sockets || fail "unbound did not start:" "$(cat "$TEST_TMP/unbound.log")"
sluice --netns "$HOST" steer load --port 53
dns_queries 127.0.0.1 5
for _ in 1 2; do
	MAINPID=$(cat "$PIDFILE")
	export MAINPID
	run_lines "$(unit_line ExecReload)"
	want_restarted "$MAINPID"
	want_equal "$(cat "$PIDFILE")" "$(newest)" "the pid file"
	queries_go_on
done

say "by the shell"
for _ in 1 2; do
	old=$(newest)
	run_lines "$LINES_OF_MAN"
	want_restarted "$old"
	queries_go_on
done
dns_queries_end
want_at_least 1000 "$SENT" "queries"
want_equal "$LOST" 0 "queries lost in restarts"

say "a server that does not start: the old server continues"
old=$(newest)
printf '#!/bin/sh\nexit 1\n' >"$TEST_TMP/bin/unbound"
status=0
PATH=$TEST_TMP/bin:$PATH bash -c "${LINES_OF_MAN//--wait 10/--wait 1}" >"$TEST_TMP/output" 2>&1 ||
	status=$?
want_equal "$status" 5 "exit status: $(cat "$TEST_TMP/output")"
want_equal "$(json "{s['state'] for g in d['groups'] for s in g['slots']}" sluice -j steer show)" \
	"{'active'}" "states"
kill "$old"
wait_until 20 is_gone "$old"
sluice steer unload
