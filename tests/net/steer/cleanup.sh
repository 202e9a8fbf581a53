#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# 'cleanup' returns steered groups to the kernel in any state: loaded, with some or all pins removed
# by hand, or with pins of another version. It reports groups of another pin directory, and leaves
# them alone.
#
#   container ── docker0 172.17.0.1 [host: three servers on 0.0.0.0:56789]
#
# runs alone: any `sluice cleanup` on this machine takes the groups whose pins are gone
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/see.sh"

OTHER=${PINS}_other

# want_gone: checks that no program of this test is left, and that the kernel selects the sockets
want_gone()
{
	wait_until 10 none_attached || fail "still in the kernel:" "$(bpftool prog show | grep sluice_)"
	want_verified
	want_answers 10 2 30000
}

# want_stays WHY: checks that the program is still on the group, unknown to sluice
want_stays()
{
	want_equal "$(attached)" 1 "programs attached, $1"
	want_answers 10 2 30000
}

# cleaned: prints whether cleanup found pins and groups. Groups of other tests may have lost their
# pins too.
cleaned()
{
	json "(d['removed_pins'] > 0, d['groups_given_back'] > 0)" sluice -j cleanup
}

topology_up
group_up 3

say "loaded"
steer_load
want_answers 10 2 30000
want_stays loaded
want_equal "$(cleaned)" "(True, True)"
want_gone

say "nothing to clean up"
want_equal "$(json "d['removed_pins']" sluice -j cleanup)" 0

say "all pins removed by hand"
: >"$TEST_TMP/own_programs"
steer_load
rm -r "$PINS"
want_stays "without pins"
want_status 1 "$SLUICE" steer unload
want_status 5 "$SLUICE" --netns "$HOST" steer load --port "$PORT"
want_text "0.0.0.0:$PORT: left alone: it still has the program of a sluice whose pins are gone (program "
want_text "'sluice cleanup' if its pins are gone"
want_equal "$(cleaned)" "(False, True)"
want_gone

say "some pins removed by hand"
: >"$TEST_TMP/own_programs"
steer_load
rm "$PINS"/steer/*/sluice_sockets "$PINS"/steer/sluice_steering
want_stays "with half of its pins"
want_equal "$(json "d['groups_given_back'] > 0" sluice -j cleanup)" True
want_gone

say "pins of another version"
: >"$TEST_TMP/own_programs"
steer_load
group=$(echo "$PINS"/steer/*/sluice_group)
python3 - "$group" <<'PYTHON'
import json
import subprocess
import sys

pin = ["pinned", sys.argv[1]]
entry = json.loads(subprocess.check_output(["bpftool", "-j", "map", "dump", *pin]))[0]
value = [int(byte, 16) for byte in entry["value"]]
value[4] += 1  # abi, the second word
subprocess.check_call(["bpftool", "map", "update", *pin, "key", "0", "0", "0", "0", "value",
                       *map(str, value)])
PYTHON
want_status 0 "$SLUICE" steer unload
want_gone

say "without the capability to copy sockets from other processes"
: >"$TEST_TMP/own_programs"
steer_load
want_status 4 setpriv --bounding-set=-sys_ptrace --inh-caps=-sys_ptrace "$SLUICE" cleanup
want_text CAP_SYS_PTRACE
want_stays "without the capability to detach it"
want_equal "$(json "len(d['groups'])" sluice -j steer show)" 1
want_equal "$(cleaned)" "(True, True)"
want_gone

say "pins in another directory: left alone, and reported"
: >"$TEST_TMP/own_programs"
sluice --netns "$HOST" --bpffs "$OTHER" steer load --port "$PORT"
json "d['groups'][0]['program_id']" sluice --bpffs "$OTHER" -j steer show >"$TEST_TMP/own_programs"
want_equal "$(json "d['removed_pins']" sluice -j cleanup)" 0
want_stays "from another folder"
want_status 5 "$SLUICE" -j cleanup --verify
want_equal "$(json "[o['name'] for o in d['left'] if (o['kind'], o['id']) == \
	('steered group', $(cat "$TEST_TMP/own_programs"))]" grep -m1 '^{' <<<"$OUTPUT")" \
	"['0.0.0.0:$PORT']"
sluice --bpffs "$OTHER" cleanup
want_gone
