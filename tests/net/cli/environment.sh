#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# SLUICE_BPFFS and SLUICE_CGROUP set the defaults of --bpffs and --cgroup. Precedence: option, the
# daemon's file, environment, built-in default.
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"

topology_host
for name in env file option; do
	mkdir "$TEST_CGROUP/$name"
	declare "$name=/sys/fs/bpf/sluice_$name"
done

# want_loaded_at DIR CGROUP: checks that sluice is loaded there and nowhere else
want_loaded_at()
{
	want_equal "$(find /sys/fs/bpf -mindepth 2 -maxdepth 2 -name reply)" "$1/reply" "the pins"
	want_equal "$(json "d['reply']['cgroup']" "$SLUICE" -j --bpffs "$1" reply show)" "$2"
	sluice --bpffs "$1" cleanup
}

load=(reply load --mode socket)

say "commands"
export SLUICE_BPFFS=$env SLUICE_CGROUP=$TEST_CGROUP/env
sluice "${load[@]}"
want_loaded_at "$env" "$TEST_CGROUP/env"
sluice --bpffs "$option" "${load[@]}" --cgroup "$TEST_CGROUP/option"
want_loaded_at "$option" "$TEST_CGROUP/option"
SLUICE_BPFFS='' sluice "${load[@]}"
want_loaded_at "$PINS" "$TEST_CGROUP/env"
SLUICE_CGROUP='' want_status 1 sluice --cgroup /nowhere "${load[@]}"
want_text "/nowhere"
SLUICE_CGROUP=/nowhere want_status 1 sluice "${load[@]}"
want_text "/nowhere"
# Without a cgroup, load would use the host's root cgroup, so test this only with --help and a dry
# run.
want_equal "$(json "d['cgroup'] == '$TEST_CGROUP/env'" \
	env SLUICE_CGROUP= "$SLUICE" -j "${load[@]}" --dry-run)" False
want_status 0 sluice --help
want_text SLUICE_BPFFS
want_text SLUICE_CGROUP
want_clean

say "the daemon"
printf '%s\n' '[reply]' 'mode = socket' >"$CONF"
daemon_start
daemon_stop
want_loaded_at "$env" "$TEST_CGROUP/env"
printf '%s\n' '[global]' "bpffs = $file" "cgroup = $TEST_CGROUP/file" '[reply]' \
	'mode = socket' >"$CONF"
daemon_start
daemon_stop
want_loaded_at "$file" "$TEST_CGROUP/file"
daemon_start --bpffs "$option" --cgroup "$TEST_CGROUP/option"
daemon_stop
want_loaded_at "$option" "$TEST_CGROUP/option"
for folder in "$env" "$file" "$option"; do
	sluice --bpffs "$folder" cleanup
done
want_clean
