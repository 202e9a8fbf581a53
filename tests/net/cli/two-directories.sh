#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Messages for an administrator who has lost track of the pin directories: another sluice is
# attached to the same sockets or interfaces; a directory is empty although the kernel has sluice
# programs; a load has changed nothing.
#
#   container ── veth3 ═ docker0 172.17.0.1 [host: 0.0.0.0:56789] eth0 172.16.13.13
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

SECOND=/sys/fs/bpf/sluice_second

want_no_text()
{
	[[ $OUTPUT != *"$1"* ]] || fail "did not want '$1' in:" "$OUTPUT"
}

load_again()
{
	want_status 0 "$SLUICE" "$@"
}

topology_up
serve "$HOST" sendto4 "$PORT"

say "sockets: the second load prints a warning, the first does not"
reply=(reply load --mode socket --cgroup "$TEST_CGROUP")
load_again "${reply[@]}"
want_no_text another
want_text ": loaded:"
load_again "${reply[@]}"
want_no_text another
want_text ": unchanged:"
load_again "${reply[@]}" --port "$PORT"
want_text ": updated:"
want_text "ports    any     $PORT"
load_again "${reply[@]}" --port "$PORT"
want_text ": unchanged:"
want_no_text "it was"
load_again --bpffs "$SECOND" "${reply[@]}"
want_text "sluice_learn of another pin directory"
want_right "$CONTAINER" "$FAR4" "$PORT"

say "the wrong directory"
want_status 0 sluice --bpffs /sys/fs/bpf/sluice_third cleanup
want_text "nothing to remove in /sys/fs/bpf/sluice_third"
want_text "loaded in another directory: name it with --bpffs $PINS"
want_status 0 sluice --bpffs /sys/fs/bpf/sluice_third status
want_text "name it with --bpffs $PINS"
for command in "reply show" "reply flows" "reply audit" "reply unload" "steer show" "steer unload" \
	"steer drain $$" "steer promote $$" "hold show" "hold flows" "hold unload"; do
	# shellcheck disable=SC2086 # two words
	want_status 1 sluice --bpffs /sys/fs/bpf/sluice_third $command
	want_text "name it with --bpffs $PINS"
done
say "the right directory, with another object"
sluice --bpffs "$SECOND" cleanup
for command in "steer show" "hold show" "hold unload" "reply unload --mode wire"; do
	# shellcheck disable=SC2086
	want_status 1 sluice $command
	want_no_text "another directory"
done
load_again --bpffs "$SECOND" "${reply[@]}"
want_right "$CONTAINER" "$FAR4" "$PORT"
want_equal "$(json "d['removed_pins']" sluice -j --bpffs /sys/fs/bpf/sluice_third cleanup)" 0
sluice --bpffs "$SECOND" cleanup
sluice cleanup

say "interfaces"
wire=(--netns "$HOST" reply load --mode wire)
load_again "${wire[@]}" --follow docker0
want_no_text another
load_again "${wire[@]}" --follow docker0
want_text ": unchanged:"
want_no_text another
load_again "${wire[@]}" --follow docker0 --port 53
want_text ": updated:"
load_again "${wire[@]}" --follow docker0 --iface eth0 --port 53
want_text ": updated:"
load_again "${wire[@]}" --iface eth0 --follow docker0 --port 53
want_text ": unchanged:"
load_again --bpffs "$SECOND" "${wire[@]}" --iface eth0
want_text "eth0: a sluice of another pin directory is attached"
sluice --bpffs "$SECOND" --netns "$HOST" cleanup
sluice --netns "$HOST" cleanup

say "check reports only existing objects"
want_status 0 sluice check --for reply
want_no_text meet
OUTPUT=$(sluice check || true)
want_no_text "meet"
want_status 2 sluice check --for meet
want_text "'meet'"
want_verified
