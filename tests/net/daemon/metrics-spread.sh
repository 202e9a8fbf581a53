#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The metrics of the spread over CPUs are its counters; while the kernel measures programs, the run
# time of each program of steering is a metric.
#
#   lan ── eth0 172.16.13.13 [host: a worker on CPU 0, [::]:56789; the daemon]
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"
. "$(dirname "$0")/../lib/cpu.sh"
. "$(dirname "$0")/../lib/metrics.sh"

topology_host
topology_lan
checksums_full "$LAN" eth0

# has_run PROGRAM…: has each of these run, by the metrics?
has_run()
{
	local program runs=()
	for program in "$@"; do
		runs+=("sluice_program_runs_total{program=\"$program\"}")
	done
	[ "$(metrics value "${runs[@]}" | grep -cvx 0)" = $# ]
}

say "without a spread, its series are 0"
configure "metrics = $METRICS_PORT" '[steer]' "port = $PORT" 'policy = cpu'
daemon_start
want_values sluice_steer_spread_spread_total 0 'sluice_steer_spread_cpu_datagrams_total{cpu="0"}' 0

say "the values are those of steer show"
configure "metrics = $METRICS_PORT" '[steer]' "port = $PORT" 'policy = cpu' 'xdp = eth0' 'cpus = 0'
daemon_reload 'msg="reloaded"'
workers a@0
# BPF statistics are on while top runs
"$SLUICE" -j top --interval 1 >"$TEST_TMP/top" &
TOP=$!
wait_until 30 test -s "$TEST_TMP/top" || fail "top prints nothing"
want_equal "$(tally "$LAN" 0 "$FAR4")" "a:40"
wait_until 30 has_run sluice_spread sluice_steer sluice_recv6 sluice_release ||
	fail "$(metrics get /metrics | grep ^sluice_program_runs)"
stop "$TOP"
sent()
{
	json "$1" sluice -j --netns "$HOST" steer show
}
want_values sluice_steer_spread_spread_total "$(sent "d['xdp']['counters']['spread']")" \
	sluice_steer_spread_stayed_total "$(sent "d['xdp']['counters']['stayed']")" \
	'sluice_steer_spread_cpu_datagrams_total{cpu="0"}' 40
daemon_stop
sluice steer unload
