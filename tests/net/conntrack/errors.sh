#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Checks the messages and exit statuses for arguments that the conntrack commands refuse. The JSON
# is valid even if there is nothing to report.
#
#   [host: conntrack]
. "$(dirname "$0")/../lib/lib.sh"

without()
{
	local capability=$1
	shift
	setpriv --bounding-set "-$capability" --inh-caps "-$capability" "$@"
}

refused()
{
	local status=$1 text=$2
	shift 2
	want_status "$status" sluice "$@"
	want_text "$text"
}

topology_up

say "commands and options"
refused 2 "unknown command 'shwo'" conntrack shwo
want_text "did you mean 'show'?"
refused 2 "unexpected word 'eth0'" conntrack show eth0
refused 2 "--port: '65536'" conntrack show --port 65536
refused 2 "--addr: '172.17.0': not an IP address" conntrack audit --addr 172.17.0
refused 2 "unknown reason 'twins'" conntrack audit --reason twins
want_text "did you mean 'twin'?"
refused 2 "unknown reason ''" conntrack repair --reason socket-gone,
refused 2 "--watch: 'soon' is not a number" conntrack audit --watch soon
refused 2 "--watch: 3601 is out of range" conntrack audit --watch 3601
refused 2 "unknown option '--dry-run'" conntrack audit --dry-run

say "namespaces"
refused 1 "no network namespace 'nowhere'" --netns nowhere conntrack show
refused 1 "no network namespace ''" --netns '' conntrack show
refused 1 "no network namespace '99999999', and no process with that id" --netns 99999999 conntrack show
refused 1 "no network namespace '/run/netns/nowhere'" --netns /run/netns/nowhere conntrack show
refused 1 "'/proc/self/ns/mnt' is not a network namespace" \
	--netns /proc/self/ns/mnt conntrack show
refused 1 "'/etc/hostname' is not a network namespace" --netns /etc/hostname conntrack show

say "capabilities"
for command in show "audit --watch 0" "repair --watch 0"; do
	# shellcheck disable=SC2086 # words
	want_status 4 without net_admin "$SLUICE" conntrack $command
	want_text CAP_NET_ADMIN
done
want_status 4 without sys_admin "$SLUICE" --netns "$HOST" conntrack show
want_text CAP_SYS_ADMIN

say "nothing to report"
conntrack_flush "$HOST"
for command in show "audit --watch 0" "repair --watch 0" "repair --dry-run --watch 0"; do
	for format in -j -p; do
		# shellcheck disable=SC2086
		want_equal "$(json "d['schema_version'], d['total']" \
			sluice --netns "$HOST" $format conntrack $command)" "(1, 0)"
	done
	# shellcheck disable=SC2086
	want_status 0 sluice conntrack ${command%% *} --help
	want_text "usage: sluice conntrack"
done
want_equal "$(sluice --netns "$HOST" conntrack audit --watch 0)" \
	"0 of 0 UDP entries contradict this host"
want_equal "$(sluice --netns "$HOST" conntrack repair --watch 0)" "deleted 0 of 0 UDP entries"
