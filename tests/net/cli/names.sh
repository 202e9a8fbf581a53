#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The names of a network namespace, an interface and a process contain escape sequences and invalid
# UTF-8. Every command that shows such a name prints valid JSON, with the name as far as JSON can
# represent it. Text output never passes an escape sequence to the terminal.
#
#   container ── docker0 172.17.0.1 [host: server] eth0 172.16.13.13
#                odd [a group of two]              an interface of HOST with an odd name
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

# The names contain SGR escape sequences. The byte 0xff is invalid in UTF-8.
ODD=$'odd\033[31m\xff'
ODD_IFACE=$'if\033[7m\xff'
ODD_SERVER=$TEST_TMP/$'srv\033[5m\xff'

# parses COMMAND…: checks that COMMAND prints valid JSON in both forms
parses()
{
	local form
	for form in -j -p; do
		"$SLUICE" "$form" "$@" >"$TEST_TMP/json" || fail "failed: $*"
		python3 -c 'import json, sys; json.load(open(sys.argv[1], encoding="utf-8"))' \
			"$TEST_TMP/json" || fail "no JSON: $*" "$(cat -v "$TEST_TMP/json")"
	done
}

# harmless COMMAND…: checks that COMMAND prints only printable ASCII; saves the output in TEXT
harmless()
{
	TEXT=$TEST_TMP/text
	LC_ALL=C "$SLUICE" "$@" >"$TEXT" 2>&1 || fail "failed: $*" "$(cat -v "$TEXT")"
	[ -s "$TEXT" ] || fail "no text: $*"
	if LC_ALL=C grep -q '[^ -~]' "$TEXT"; then
		fail "not for a terminal: $*" "$(cat -v "$TEXT")"
	fi
}

topology_up
cp "$SERVER" "$ODD_SERVER"
ip -n "$HOST" link add "$ODD_IFACE" type veth peer name other
in_ns "$HOST" ip link set dev "$ODD_IFACE" up

say "steer: a namespace, and processes"
netns_add "$ODD"
odd=()
for i in 1 2; do
	spawn_in "$ODD" "$TEST_TMP/odd.$i" "$ODD_SERVER" --kind sendto4 --port "$PORT" --reuseport
	odd+=("$SPAWNED")
	wait_until 10 grep -q "" "/proc/$SPAWNED/comm"
done
wait_udp "$ODD" "$PORT"
two_bound()
{
	[ "$(in_ns "$ODD" grep -c ":$(printf '%04X' "$PORT") " /proc/net/udp)" = 2 ]
}
wait_until 10 two_bound
parses --netns "$ODD" steer load --port "$PORT"
parses steer show
want_equal "$(json "ascii((d['groups'][0]['netns_name'], d['namespaces'][0]['name']))" sluice -j steer show)" \
	"('odd\\x1b[31m\\ufffd', 'odd\\x1b[31m\\ufffd')"
want_equal "$(json "{s['process'] for s in d['groups'][0]['slots']}" sluice -j steer show)" "{'srv?[5m?'}"
harmless steer show
grep -qF "(odd?[31m?)" "$TEXT" || fail "no name of the namespace" "$(cat -v "$TEXT")"
grep -qF 'srv?[5m?' "$TEXT" || fail "no name of the processes" "$(cat -v "$TEXT")"
parses status
harmless status
sluice steer unload

say "reply: a live process and one that has exited"
serve "$HOST" sendto4 "$PORT"
stop "$SPAWNED"
spawn_in "$HOST" "$TEST_TMP/odd" "$ODD_SERVER" --kind sendto4 --port "$PORT"
wait_udp "$HOST" "$PORT"
sluice reply load --mode audit --cgroup "$TEST_CGROUP"
want_wrong "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"
spawn_in "$HOST" "$TEST_TMP/back" python3 -c "import socket
open('/proc/self/comm', 'wb').write(b'py\\x1b[5m\\xff')
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('0.0.0.0', $((PORT + 1))))
s.connect(s.recvfrom(2048)[1])
s.send(b'gone')"
wait_udp "$HOST" $((PORT + 1))
ask "$CONTAINER" --to "$FAR4:$((PORT + 1))" --timeout-ms 300 >/dev/null
wait_until 10 udp_unbound "$HOST" $((PORT + 1))
for words in "reply flows" "reply audit" "reply show" "status"; do
	# shellcheck disable=SC2086
	parses $words
	# shellcheck disable=SC2086
	harmless $words
done
harmless reply audit
grep -qF 'srv?[5m?' "$TEXT" || fail "no name of the process" "$(cat -v "$TEXT")"
grep -qE "^(py\?\[5m\?|\(gone\)).* $((PORT + 1)) " "$TEXT" ||
	fail "the name of the exited process is missing" "$(cat -v "$TEXT")"
sluice reply unload

say "wire: an interface"
parses --netns "$HOST" reply load --mode wire --iface "$ODD_IFACE"
want_equal "$(json "ascii([i['name'] for i in d['wire']['interfaces']])" \
	sluice -j --netns "$HOST" reply show)" "['if\\x1b[7m\\ufffd']"
for words in "reply flows" "reply show" "status"; do
	# shellcheck disable=SC2086
	parses --netns "$HOST" $words
	# shellcheck disable=SC2086
	harmless --netns "$HOST" $words
done
harmless --netns "$HOST" status
grep -qF 'if?[7m?/ingress' "$TEXT" || fail "no name of the interface" "$(cat -v "$TEXT")"
harmless --netns "$HOST" reply load --mode wire --iface "$ODD_IFACE" --age 60
sluice --netns "$HOST" reply unload --mode wire

say "reply: a cgroup"
odd_cgroup=$TEST_CGROUP/$'cg\033[7m\xff'
mkdir "$odd_cgroup"
harmless reply load --mode audit --cgroup "$odd_cgroup"
harmless reply load --mode audit --cgroup "$TEST_CGROUP"
grep -qF 'cg?[7m?' "$TEXT" || fail "no name of the cgroup before" "$(cat -v "$TEXT")"
sluice reply unload
rmdir "$odd_cgroup"

say "errors"
want_status 2 "$SLUICE" $'re\033[31mply'
[[ $OUTPUT != *$'\033'* ]] || fail "an escape sequence: $(cat -v <<<"$OUTPUT")"
want_status 1 "$SLUICE" --netns "$HOST" reply load --mode wire --iface $'no\033[31m'
[[ $OUTPUT != *$'\033'* ]] || fail "an escape sequence: $(cat -v <<<"$OUTPUT")"
for pid in "${odd[@]}"; do
	stop "$pid"
done
sluice cleanup
want_clean
