# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Helpers for all tests below tests/net: the topology, the program under test, and checks that print
# the expected and the actual value. Source it first. A test that is started directly runs itself
# through tests/run, which creates and removes its namespaces and its cgroup.
#
# The test of a fix has three steps. Without sluice, the kernel must show the fault; otherwise the
# test would prove nothing. With sluice loaded, the fault must not occur. After the unload, it must
# occur again.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
if [ -z "${TEST_CGROUP:-}" ]; then
	case $(realpath "$0") in
	"$ROOT"/tests/net/* | "$ROOT"/tests/nightly/*) ;;
	*)
		echo "$0: source this from a test below tests/net or tests/nightly" >&2
		exit 1
		;;
	esac
	exec "$ROOT/tests/run" --verbose "$0"
fi

BUILD=${BUILD:-$ROOT/build}
SLUICE=${SLUICE:-$BUILD/sluice}
SERVER=$BUILD/tests/udp-server
CLIENT=$BUILD/tests/udp-client
FOREIGN=$BUILD/tests/foreign-prog
# shellcheck disable=SC2034
PINS=/sys/fs/bpf/sluice
NOT_LOADED="reply is not loaded"
for needed in "$SLUICE" "$SERVER" "$CLIENT" "$FOREIGN"; do
	if [ ! -x "$needed" ]; then
		echo "$needed is not there: build it with 'make tested'" >&2
		exit 1
	fi
done

# shellcheck source=tools/topology.sh
. "$ROOT/tools/topology.sh"

# Addresses of HOST: NEAR is on CONTAINER's route, and the kernel answers from it; FAR is the other.
NEAR4=172.17.0.1 FAR4=172.16.13.13
# shellcheck disable=SC2034
NEAR6=fd17::1 FAR6=fd16::13
PORT=56789

# Prints the line of the test itself that failed, even if a helper has failed.
failed_line()
{
	local depth=${#BASH_LINENO[@]}
	echo "$(basename "$0"): failed on line ${BASH_LINENO[depth - 2]}" >&2
}

trap 'failed_line' ERR
set -E

fail()
{
	printf '%s\n' "$@" >&2
	failed_line
	exit 1
}

say()
{
	printf '== %s\n' "$*"
}

sluice()
{
	"$SLUICE" "$@"
}

# shellcheck disable=SC2120 # most calls give no options
reply_load()
{
	sluice reply load --mode socket --cgroup "$TEST_CGROUP" "$@" || return
	# for want_verified: the ids of this test's programs
	bpftool cgroup tree "$TEST_CGROUP" | awk '/sluice_/ { print $1 }' >>"$TEST_TMP/own_programs"
}

# ---- servers ----

# serve NAME KIND PORT [OPTION…]: starts a test server in namespace NAME, and returns once it is up.
# Sets LOG to its output file, and SPAWNED to its process id.
serve()
{
	local name=$1 kind=$2 port=$3
	shift 3
	LOG=$TEST_TMP/$name.$kind.$port.log
	spawn_in "$name" "$LOG" "$SERVER" --kind "$kind" --port "$port" "$@"
	wait_udp "$name" "$port"
}

# stop PID: stops a server of this test, and waits until it has exited
stop()
{
	kill "$1"
	wait "$1" 2>/dev/null || true
}

is_halted()
{
	awk '$1 == "State:" && $2 != "T" { runs = 1 } END { exit runs }' /proc/"$1"/task/*/status
}

# halt PID: stops the process until SIGCONT, and waits until it has stopped. Until it gets a CPU and
# handles the signal, it may receive another datagram.
halt()
{
	kill -STOP "$1"
	wait_until 20 is_halted "$1"
}

# server_path NAME: prints the path of a real server, either unpacked below build/servers or
# installed
server_path()
{
	local path
	for path in "$BUILD/servers/$1" "/$1"; do
		if [ -x "$path" ]; then
			echo "$path"
			return
		fi
	done
	echo "$1 is missing: run tools/setup.sh test as root" >&2
	return 1
}

no_errors()
{
	if grep -q ': ' "$1"; then
		fail "the server could not send:" "$(cat "$1")"
	fi
}

# ---- requests and the expected answers ----

# ask NAME OPTION…: runs the client in namespace NAME. Prints its output, and ignores its exit
# status.
ask()
{
	local name=$1
	shift
	in_ns "$name" "$CLIENT" "$@" || true
}

target()
{
	case "$1" in
	*:*) echo "[$1]:$2" ;;
	*) echo "$1:$2" ;;
	esac
}

# want_line LINE TEXT: checks that TEXT, the output of a client, contains LINE
want_line()
{
	grep -qxF "$1" <<<"$2" || fail "wanted: $1" "got:    ${2//$'\n'/$'\n'        }"
}

# want_right NAME ADDR PORT [OPTION…]: checks that three answers arrive from ADDR, on a connected
# socket
want_right()
{
	local name=$1 addr=$2 port=$3
	shift 3
	want_line "sent 3 right 3 wrong 0 refused 0 lost 0 corrupt 0" \
		"$(ask "$name" --to "$(target "$addr" "$port")" --count 3 "$@")"
}

# want_wrong NAME ADDR PORT ANSWERER [OPTION…]: checks that three answers arrive from ANSWERER
# instead of ADDR
want_wrong()
{
	local name=$1 addr=$2 port=$3 answerer=$4 output
	shift 4
	output=$(ask "$name" --any --to "$(target "$addr" "$port")" --count 3 "$@")
	want_line "sent 3 right 0 wrong 3 refused 0 lost 0 corrupt 0" "$output"
	want_line "answered $(target "$answerer" "$port") 3" "$output"
}

# want_fixed NAME ADDR PORT ANSWERER [OPTION…]: checks that answers arrive from ANSWERER without
# sluice, from ADDR with sluice loaded, and from ANSWERER again after the unload
want_fixed()
{
	local name=$1 addr=$2 port=$3 answerer=$4
	shift 4
	say "$addr, without sluice"
	want_wrong "$name" "$addr" "$port" "$answerer" "$@"
	say "$addr, loaded"
	reply_load
	want_right "$name" "$addr" "$port" "$@"
	say "$addr, unloaded"
	sluice reply unload
	want_wrong "$name" "$addr" "$port" "$answerer" "$@"
}

# want_status CODE COMMAND…: checks that COMMAND exits with CODE, and stores its output in OUTPUT
want_status()
{
	local wanted=$1 status=0
	shift
	OUTPUT=$("$@" 2>&1) || status=$?
	[ "$status" = "$wanted" ] || fail "wanted exit $wanted, got $status: $*" "$OUTPUT"
}

# want_text TEXT: checks that the OUTPUT of the last want_status contains TEXT
want_text()
{
	[[ $OUTPUT == *"$1"* ]] || fail "wanted '$1' in:" "$OUTPUT"
}

want_equal()
{
	[ "$1" = "$2" ] || fail "${3:-values differ}" "wanted: $2" "got:    $1"
}

# clients_start: starts six clients in the container, each with one request in flight at a time
clients_start()
{
	local number addr
	clients=()
	rm -f "$TEST_TMP"/client.*
	for number in 1 2 3; do
		for addr in "$FAR4" "$FAR6"; do
			spawn_in "$CONTAINER" "$TEST_TMP/client.$number.$addr" \
				"$CLIENT" --any --until-signal --to "$(target "$addr" "$PORT")"
			clients+=("$SPAWNED")
		done
	done
}

# ---- sluice's output ----

# json FILTER COMMAND…: evaluates the Python expression FILTER with `d` = the parsed output. Short
# documents are evaluated as Python literals, since importing a JSON parser takes longer than the
# rest.
json()
{
	local filter=$1
	shift
	"$@" | python3 -IS -c 'import sys
text = sys.stdin.read()
if len(text) < 50000:
    d = eval(text, {"true": True, "false": False, "null": None})
else:
    import json
    d = json.loads(text)
print(eval(sys.argv[1]))' "$filter"
}

# counter NAME: prints a counter of `reply show -j`
counter()
{
	json "d['reply']['counters']['$1']" sluice -j reply show
}

# ---- conntrack ----

# conntrack_count NAME PORT: counts the entries of namespace NAME with PORT
conntrack_count()
{
	conntrack_list "$1" | grep -cE "[sd]port=$2 " || true
}

# ---- leftovers ----

# want_clean: checks that sluice has nothing on the cgroup or in the bpffs
want_clean()
{
	local left
	left=$(bpftool cgroup tree "$TEST_CGROUP" | grep sluice_ || true)
	[ -z "$left" ] || fail "still attached:" "$left"
	left=$(find /sys/fs/bpf -path '*sluice*' || true)
	[ -z "$left" ] || fail "still pinned:" "$left"
}

# want_verified: checks that 'cleanup --verify', which searches the whole kernel, finds nothing of
# this test. It reports objects of the administrator or of other tests, and leaves them alone.
want_verified()
{
	local status=0
	want_clean
	sluice -j cleanup --verify >"$TEST_TMP/verified" || status=$?
	python3 - "$status" "$TEST_TMP/verified" "$TEST_TMP/own_programs" <<-'PYTHON'
		import json
		import sys

		status, report = int(sys.argv[1]), json.load(open(sys.argv[2]))
		own = set(map(int, open(sys.argv[3]).read().split()))
		left = [o for o in report["left"] if o["kind"] == "program" and o["id"] in own]
		if left:
		    sys.exit(f"still in the kernel: {left}")
		if status != (5 if report["left"] else 0):
		    sys.exit(f"exit {status}, but left is {report['left']}")
		if report["removed_pins"]:
		    sys.exit(f"{report['removed_pins']} pins were there")
	PYTHON
}

touch "$TEST_TMP/own_programs"
