#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# sluice top: a screen that reacts to keys and resizes, tables and JSON lines without a terminal,
# and the errors if no screen is possible.
#
#   host: two servers of one group on port 47086, a client on loopback
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/see.sh"

PORT=47086

# on_terminal TERM OPTION…: runs sluice top on a terminal of this type, with the steps of stdin
on_terminal()
{
	local term=$1
	shift
	TERM=$term python3 -B "$ROOT/tests/net/lib/terminal.py" "$SLUICE" top "$@"
}

say "without a terminal, each error has its hint"
want_status 2 sluice top
want_text "standard output is not a terminal"
want_text "use --once for one table, or -j for a line each interval"
want_status 2 sluice top --sort colour
want_text "unknown column 'colour'"
want_status 2 sluice top --interval 0
want_status 0 on_terminal "" <<'STEPS'
see the environment variable TERM is not set
end 2
STEPS
want_status 0 on_terminal dumb <<'STEPS'
see a terminal of type 'dumb' has no cursor
end 2
STEPS
want_status 0 on_terminal no-such-terminal <<'STEPS'
see the terminal type 'no-such-terminal' \(TERM\) is not known here
end 1
STEPS

say "nothing is loaded"
want_status 0 sluice top --once --interval 1
for object in reply wire steer hold; do
	grep -Eqx "$object +not loaded( +-){8}" <<<"$OUTPUT" || fail "no row of $object in:" "$OUTPUT"
done
want_status 0 on_terminal xterm <<'STEPS'
see nothing is loaded below
keys q
end 0
STEPS

say "a table and JSON lines contain the rates of the workers"
netns_add "$HOST"
group_up 2
steer_load --policy cpu --xdp lo --cpus 0 --cgroup "$TEST_CGROUP"
sluice reply load --mode socket --port $((PORT + 1)) --cgroup "$TEST_CGROUP"
sluice --netns "$HOST" reply load --mode wire --iface lo --port $((PORT + 1))
sluice hold load --port $((PORT + 1)) --cgroup "$TEST_CGROUP"
"$SLUICE" -j top --interval 1 >"$TEST_TMP/lines" &
top=$!
spawn_in "$HOST" "$TEST_TMP/client" "$CLIENT" --to "127.0.0.1:$PORT" --from 127.0.0.1:41000 \
	--flows 8 --until-signal
client=$SPAWNED
has_rates()
{
	python3 - "$TEST_TMP/lines" <<'PYTHON'
import json, sys

documents = [json.loads(line) for line in open(sys.argv[1]) if line.endswith("\n")]
rows = [row for d in documents for row in d["rows"]]
# the kernel counts runs only while run-time statistics are on
wanted = {("events_per_s", "object"), ("events_per_s", "group"), ("events_per_s", "worker"),
          ("runs_per_s", "group"), ("ns_per_run", "group"), ("cpu_percent", "object")}
sys.exit(any(not any(row["kind"] == kind and (row[key] or 0) > 0 for row in rows)
             for key, kind in wanted))
PYTHON
}
wait_until 30 has_rates || fail "$(cat "$TEST_TMP/lines")"
# the kernel collects run times while this descriptor is open
find "/proc/$top/fd" -lname 'anon_inode:*bpf-stats*' | contains /fd/ || fail "$(ls -l "/proc/$top/fd")"
stop "$top"
stop "$client"
sluice -j top --once --interval 1 --sort name >"$TEST_TMP/document"
want_equal "$(json "(d['run_times'], d['daemon'])" cat "$TEST_TMP/document")" "(True, False)"
# rows CONDITION KEYS: prints the values of these keys of the rows that meet the condition
rows()
{
	json "' '.join(str(tuple(r[k] for k in '$2'.split())) for r in d['rows'] if $1)" cat "$TEST_TMP/document"
}
want_equal "$(rows "r['kind'] == 'object' and r['object'] != 'rendezvous'" "name state warning reason")" \
	"('hold', 'not sending', True, None) ('reply', 'socket', False, None) ('steer', 'cpu', False, None) ('wire', '1 iface', False, None)"
want_equal "$(rows "r['kind'] == 'group'" "object parent state warning")" "('steer', 'steer', '2 workers', False)"
want_equal "$(rows "r['name'] == 'XDP spread'" "kind parent state")" "('program', 'steer', '1 iface')"
want_equal "$(rows "r['pid'] in [${SERVERS[0]}, ${SERVERS[1]}]" "kind state")" \
	"('worker', 'active') ('worker', 'active')"

say "the screen reacts to keys, resizes and signals"
want_status 0 on_terminal xterm --interval 1 <<'STEPS'
see by events
see 2 workers
keys >^L
see by new
keys r^L
see by new reversed
size 30 10
see needs 40x4
size 120 10
see ns/run
keys q
end 0
STEPS
want_status 0 on_terminal xterm --sort name <<'STEPS'
see by name
signal TERM
end 0
STEPS

sluice steer unload
sluice reply unload
sluice hold unload
want_clean
