#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Removes the pins of each object in turn. After each removal, a load restores the pin and does not
# report "unchanged", and an unload or a cleanup leaves nothing attached. None of these commands
# fails. OBJECTS selects the objects to test; steer/pins.sh tests steering. The test removes one pin
# of each kind: a link, a program, the record of the load, and another map. With EACH=load, a load
# restores every pin; with EACH=yes, every pin is removed for an unload or a cleanup as well
# (tests/nightly/pins.sh).
#
#   container ── docker0 172.17.0.1 [host: workers on [::]:56789] eth0 172.16.13.13
#
# takes long: every object is loaded again for each kind of pin
. "$(dirname "${BASH_SOURCE[0]}")/../lib/lib.sh"
. "$ROOT/tests/net/lib/cpu.sh"

topology_up
workers a@0 b@1

# load_reply, load_audit, load_tcx, load_clsact, load_steer: load one object; unload_…: unload it
load_reply()
{
	sluice reply load --mode socket --cgroup "$TEST_CGROUP"
}

load_audit()
{
	sluice reply load --mode audit --cgroup "$TEST_CGROUP"
}

load_tcx()
{
	sluice --netns "$HOST" reply load --mode wire --iface eth0
}

load_clsact()
{
	sluice --netns "$HOST" reply load --mode wire --iface eth0 --attach clsact
}

load_hold()
{
	sluice hold load --port 4000 --cgroup "$TEST_CGROUP"
}

load_steer()
{
	sluice --netns "$HOST" --cgroup "$TEST_CGROUP" steer load --port "$PORT" --policy cpu \
		--xdp eth0 --cpus 0-1
}

cleanup()
{
	sluice --netns "$HOST" cleanup
}

unload()
{
	case $1 in
	hold) sluice hold unload ;;
	steer) sluice --netns "$HOST" steer unload ;;
	*) sluice --netns "$HOST" reply unload ;;
	esac
}

# pins: prints the pins, with a name for the directory of a group
pins()
{
	find "$PINS" -type f -printf '%P\n' | sed -E 's:steer/[0-9_]+/:steer/GROUP/:' | sort
}

# attached: prints the number of attached programs by name, and their targets
attached()
{
	bpftool cgroup tree "$TEST_CGROUP" | awk '/sluice_/ { print $NF }' | sort | uniq -c
	in_ns "$HOST" tc filter show dev eth0 ingress | grep -c sluice || true
	in_ns "$HOST" tc filter show dev eth0 egress | grep -c sluice || true
	in_ns "$HOST" ip -d link show dev eth0 | grep -c 'prog/xdp' || true
	sluice -j --netns "$HOST" status | python3 -c '
import json, sys
status = json.load(sys.stdin)
print(sorted(hook["hook"] for hook in status["hooks"] for prog in hook["order"] if prog["own"]))
print(status["steer"] and [(group["port"], group["active"]) for group in status["steer"]["groups"]])'
}

# chosen EACH: prints the pins of its input that the test removes
chosen()
{
	awk -v each="$1" '
		{ kind = /meta$/ ? "meta" : /\/link_/ ? "link" : /\/prog_/ ? "prog" : "map" }
		each || !seen[kind]++'
}

# lose PIN: removes a pin
lose()
{
	rm "$PINS/${1/GROUP/$(basename "$(find "$PINS" -path '*steer/*' -type d)")}"
}

want_nothing()
{
	want_clean
	want_equal "$(attached)" "$NOTHING" "after $1"
}

NOTHING=$(attached)
clean=cleanup
for object in ${OBJECTS:-reply audit hold tcx clsact}; do
	say "$object"
	"load_$object" >/dev/null 2>&1
	whole=$(pins)
	were=$(attached)
	[ "$were" != "$NOTHING" ] || fail "nothing is attached"
	first=$(chosen "" <<<"$whole")
	for pin in $(chosen "${EACH:-}" <<<"$whole"); do
		lose "$pin"
		OUTPUT=$("load_$object" 2>&1) || fail "load without $pin:" "$OUTPUT"
		[ "$object" = steer ] || [[ $OUTPUT != *unchanged* ]] ||
			fail "$pin was missing, and the load says:" "$OUTPUT"
		want_equal "$(pins)" "$whole" "pins after a load without $pin"
		want_equal "$(attached)" "$were" "attached after a load without $pin"
		[ "${EACH:-}" = yes ] || contains -xF "$pin" <<<"$first" || continue
		lose "$pin"
		# unload and cleanup take turns
		clean=$([ "$clean" = unload ] && echo cleanup || echo unload)
		OUTPUT=$($clean "$object" 2>&1) || fail "$clean without $pin:" "$OUTPUT"
		want_nothing "$clean without $pin"
		"load_$object" >/dev/null 2>&1 || fail "after $clean without $pin"
		want_equal "$(pins)" "$whole" "pins after $clean without $pin"
	done
	unload "$object" >/dev/null
	want_nothing "unload"
done
