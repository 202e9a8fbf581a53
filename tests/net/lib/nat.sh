# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Helpers for the tests of `sluice nat probe`. Source it after lib.sh. The network is that of
# tools/lab/nat.sh, with any number of NATs.

# shellcheck source=tools/lab/nat.sh
. "$ROOT/tools/lab/nat.sh"

# coturn_start PORT ADDRESS…: starts coturn in PEER. It supports RFC 5780 if it has an even number
# of addresses: each pair are alternates of each other. Sets COTURN to its process id.
coturn_start()
{
	local port=$1 address options=()
	shift
	for address in "$@"; do
		options+=(--listening-ip "$address")
	done
	spawn_in "$PEER" "$TEST_TMP/turn.$port.log" "$(server_path usr/bin/turnserver)" -n \
		"${options[@]}" --listening-port "$port" --stun-only --no-tcp --no-tls --no-dtls \
		--no-cli --log-file stdout --pidfile "$TEST_TMP/turn.$port.pid"
	# shellcheck disable=SC2034
	COTURN=$SPAWNED
	wait_udp "$PEER" "$port"
}

# probe_start NAME LABEL SERVER [OPTION…]: probes from namespace NAME in the background; the document
# goes to PROBES/LABEL
PROBES=$TEST_TMP/probes
mkdir "$PROBES"
PROBE_PIDS=()
probe_start()
{
	local name=$1 label=$2
	shift 2
	nsenter --net="/run/netns/$name" -- "$SLUICE" -j nat probe "$@" >"$PROBES/$label" \
		2>"$TEST_TMP/$label.errors" </dev/null &
	PROBE_PIDS+=("$!")
}

# probes_wait: waits for all probes, and checks that they succeed
probes_wait()
{
	local pid
	for pid in "${PROBE_PIDS[@]}"; do
		wait "$pid" || fail "a probe failed:" "$(cat "$TEST_TMP"/*.errors)"
	done
	PROBE_PIDS=()
}

# want_probed: compares the documents with the table in its input, one line per probe:
#
#   LABEL MAPPING FILTERING CONFIRMED HAIRPIN PORTS
#
# '_' stands for a blank, '-' for an unknown behaviour, and '*' for any.
want_probed()
{
	python3 -c '
import json, sys

NAMES = ["mapping", "filtering", "confirmed", "hairpin", "ports"]
failed = 0
for line in sys.stdin:
    label, *wanted = line.split()
    document = json.load(open(f"{sys.argv[1]}/{label}"))
    found = [document["mapping"]["behaviour"], document["filtering"]["behaviour"],
             "yes" if document["filtering"]["confirmed"] else "no",
             document["hairpin"]["behaviour"], document["ports"]["behaviour"]]
    found = [(word or "-").replace(" ", "_") for word in found]
    for name, want, got in zip(NAMES, wanted, found):
        if want not in (got, "*"):
            failed += 1
            print(f"{label}: {name}: wanted {want}, got {got}")
            print(json.dumps(document, indent=1))
sys.exit(1 if failed else 0)' "$PROBES" || fail "a NAT has another name"
}
