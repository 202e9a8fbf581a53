#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The daemon reports all errors in its file at once, each with its line, before it changes anything.
# --check-config never changes anything.
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"

topology_host

# refused TEXT LINE…: both a check and a start reject a file with these lines for this reason
refused()
{
	local text=$1
	shift
	printf '%s\n' "$@" >"$CONF"
	want_status 2 sluice run --check-config --config "$CONF"
	want_text "$text"
	want_text "nothing was changed"
	want_status 2 sluice run --config "$CONF"
	want_text "level=error msg="
	want_clean
}

good=('[reply]' 'mode = socket')

say "one by one"
refused "$CONF:1: unknown section [replay]; did you mean [reply]?" '[replay]' 'mode = socket'
refused "$CONF:3: [reply]: unknown key 'prot'; did you mean 'port'?" "${good[@]}" 'prot = 53'
refused "$CONF:3: [reply]: unknown key 'iface'; valid keys are mode, port" "${good[@]}" 'iface = eth0'
refused "$CONF:2: [reply] mode: unknown mode 'sokcet'; did you mean 'socket'?" '[reply]' 'mode=sokcet'
refused "$CONF:2: [reply] mode: unknown mode '??31mred'" '[reply]' $'mode = \xc2\x9b31mred'
refused "$CONF:2: [reply] mode: unknown mode 'wire'; mode wire has its own section" '[reply]' 'mode = wire'
refused "$CONF:1: [reply] needs a mode" '[reply]' 'port = 53'
refused "$CONF:1: [reply] needs a mode" '[reply]'
refused "$CONF:3: [reply] port: '65536'" "${good[@]}" 'port = 53,65536'
refused "$CONF:3: [reply] port: '60-50': the range is reversed" "${good[@]}" 'port = 60-50'
refused "$CONF:3: [reply] port: '53,,54': a port is empty" "${good[@]}" 'port = 53,,54'
refused "$CONF:3: [reply] port: no value" "${good[@]}" 'port ='
refused "$CONF:3: [reply] table: 0 is out of range" "${good[@]}" 'table = 0'
refused "$CONF:3: [reply] table: 'many' is not a number" "${good[@]}" 'table = many'
refused "$CONF:3: [reply] age: 86401 is out of range" "${good[@]}" 'age = 86401'
refused "$CONF:4: [reply] port: already set on line 3" "${good[@]}" 'port = 53' 'port = 54'
refused "$CONF:4: [reply]: already started on line 1" "${good[@]}" '' '[reply]'
refused "$CONF:3: neither 'key = value'" "${good[@]}" 'port 53'
refused "$CONF:3: neither 'key = value'" "${good[@]}" '[wire'
refused "$CONF:1: 'port' comes before any [section]" 'port = 53' "${good[@]}"
refused "$CONF:3: the line is longer than" "${good[@]}" "port = $(seq -s, 1000 1100)"
refused "$CONF:4: [global] bpffs: 'pins' is not an absolute path" "${good[@]}" '[global]' 'bpffs = pins'
refused "$CONF:4: [global] cgroup: 'x/y' is not an absolute path" "${good[@]}" '[global]' 'cgroup = x/y'
refused "$CONF:4: [global] log_level: unknown level 'inof'; did you mean 'info'?" \
	"${good[@]}" '[global]' 'log_level = inof'
refused "$CONF: no [reply], [wire], [steer], [hold], [rendezvous] or [peer] section" '[global]' 'log_level = info'
refused "$CONF: no [reply], [wire], [steer], [hold], [rendezvous] or [peer] section" '# nothing'
refused "$CONF:1: [wire] needs iface, follow or gateway" '[wire]' 'port = 53'
refused "$CONF:1: [wire] gateway needs the addresses" '[wire]' 'gateway = eth0'
refused "$CONF:1: [wire] server: one address is not enough" \
	'[wire]' 'gateway = eth0' 'server = 10.0.0.5'
refused "$CONF:1: [wire] server needs the interface" \
	'[wire]' 'iface = eth0' 'server = 10.0.0.5,10.0.1.5'
refused "$CONF:2: [wire] iface: 'averyveryverylongname'" \
	'[wire]' 'iface = averyveryverylongname'
refused "$CONF:2: [wire] iface: 'eth0,,eth1': a name is empty" '[wire]' 'iface = eth0,,eth1'
refused "$CONF:3: [wire] server: '10.0.0.256': not an IP address" \
	'[wire]' 'gateway = eth0' 'server = 10.0.0.256,10.0.0.1'
refused "$CONF:3: [wire] attach: unknown attach mode 'tcy'; did you mean 'tcx'?" \
	'[wire]' 'iface = eth0' 'attach = tcy'
refused "$CONF:1: [steer] needs a port" '[steer]' 'policy = flow'
refused "$CONF:3: [steer]: unknown key 'ports'; did you mean 'port'?" \
	'[steer]' 'port = 53' 'ports = 54'
refused "$CONF:3: [steer] policy: unknown value 'flwo'; did you mean 'flow'?" \
	'[steer]' 'port = 53' 'policy = flwo'
refused "$CONF:3: [steer] cpus: '0-x' is not a CPU list" '[steer]' 'port = 53' 'cpus = 0-x'
refused "$CONF:3: [steer] sweep: 0 is out of range" '[steer]' 'port = 53' 'sweep = 0'
refused "$CONF:1: 'mode = socket' after [reply]: a key needs a line of its own" \
	'[reply] mode = socket' 'mode = socket'
refused "$CONF:1: 'bpffs = /x' after [global]" '[global]bpffs = /x' "${good[@]}"

say "an error in one key does not cause an error in another"
for lines in $'[reply]\nmode = sokcet\nany_peer_port = yes' \
	$'[steer]\nport = 53\npolicy = cpu\nxdp = eth0\ncpus = 0-x' \
	$'[wire]\ngateway = eth0\nserver = 10.0.0.5,10.0.0'; do
	want_status 2 bash -c 'printf "%s\n" "$2" >"$3" && exec "$1" run --check-config --config "$3"' - \
		"$SLUICE" "$lines" "$CONF"
	want_text ": 1 problem, nothing was changed"
done
printf '[reply]\nmode = so\0cket\n' >"$CONF"
want_status 2 sluice run --check-config --config "$CONF"
want_text "$CONF:2: the line holds a NUL byte"

say "all errors at once, in line order"
printf '%s\n' 'stray = 1' '[replay]' 'x = 1' '[reply]' 'mode = socket' 'port = 0' 'nonsense' \
	'port = 1' 'tabel = 5' '[wire]' 'age = -1' >"$CONF"
want_status 2 sluice run --check-config --config "$CONF"
want_equal "$(sed -n 's/^[^ ]*:\([0-9]*\): .*/\1/p' <<<"$OUTPUT" | xargs)" "1 2 6 7 8 9 10 11" \
	"lines with a problem"
want_text "8 problems, nothing was changed"
want_status 2 sluice run --config "$CONF"
want_equal "$(grep -c 'level=error.* line=' <<<"$OUTPUT")" 8 "lines in the log"
want_clean

say "unreadable files"
want_status 2 sluice run --config "$TEST_TMP/none"
want_text "$TEST_TMP/none: cannot read the file: No such file"
want_text "give the daemon's file with --config"
want_status 2 sluice run --check-config --config "$CONF/none"
want_text "$CONF/none: cannot read the file: Not a directory"
want_status 2 sluice run --config "$TEST_TMP"
want_text "$TEST_TMP: cannot read the file: Is a directory"
want_status 2 sluice run
want_text "--config"
want_status 2 sluice run --config ''
want_text "--config: the path is empty"
want_status 2 bash -c 'ulimit -v 200000 && exec "$@"' - "$SLUICE" run --check-config --config /dev/zero
want_text "/dev/zero: cannot read the file: File too large"
want_clean

say "a pipe is read once: a reload neither blocks on it nor treats end of file as an empty file"
mkfifo "$TEST_TMP/fifo"
configure '[reply]' 'mode = socket'
cat "$CONF" >"$TEST_TMP/fifo" &
file=$CONF CONF=$TEST_TMP/fifo
daemon_start
daemon_reload 'msg="reload refused'
want_logged "fifo: not a regular file"
CONF=$file
daemon_stop
sluice cleanup
want_clean

say "a correct file, in every allowed syntax"
printf '%s\r\n' $'\xef\xbb\xbf; a comment' '[global] ; a comment' 'log_level: debug  ; after a value' '' \
	'  [reply]' '   mode   =   socket' $'\tport = 53,' '    5000-5100,' '   # between' \
	$'\t9' '[wire]' 'follow = docker0,' ' br-none' 'attach=auto' >"$CONF"
want_status 0 sluice run --check-config --config "$CONF"
want_text "no problems found"
want_equal "$(json "(d['reply'], d['wire'], d['steer'])" \
	sluice -j run --check-config --config "$CONF")" "(True, True, False)"
want_clean
configure "${good[@]}" 'port = 53,' ' 5000-5100'
daemon_start
want_equal "$(json "d['reply']['ports']" sluice -j reply show)" "53,5000-5100"
daemon_stop

say "the examples in the documentation, and every key in each of them"
sed -n '/^## Daemon/,/^## [^D]/p' "$ROOT/README.md" |
	awk '/^```$/ { if (inside++) exit; next } inside' >"$CONF"
want_status 0 sluice run --check-config --config "$CONF"
grep -q steer "$CONF" || fail "the example in README.md is not found"
# The man page of the file, by name or by section.
page=$(grep -l '^@KEYS global@$' "$ROOT"/user/man/*)
page=$BUILD/man/${page##*/}
# the example is the literal block with a [wire] section
awk '/^\.(Bd|EX|nf)/ { text = ""; inside = 1; next }
	/^\.(Ed|EE|fi)/ { inside = 0; if (text ~ /\n\[wire\]\n/) printf "%s", text }
	inside { text = text $0 "\n" }' "$page" | sed 's/\\-/-/g' >"$CONF"
want_status 0 sluice run --check-config --config "$CONF"
grep -q wire "$CONF" || fail "the example in $page is not found"
for section in global reply wire steer; do
	printf '[%s]\nxyzzyxyzzy = 1\n' "$section" >"$CONF"
	want_status 2 sluice run --check-config --config "$CONF"
	keys=$(sed -n "s/.*unknown key 'xyzzyxyzzy'; valid keys are //p" <<<"$OUTPUT" | tr -d ,)
	[ -n "$keys" ] || fail "$OUTPUT"
	for key in $keys; do
		sed -n "/^\.S[Ss] \[$section\]/,/^\.S[SsHh] [^[]/p" "$page" |
			contains -F "\\fB$key\\fR = " || fail "$page has no [$section] $key"
		grep -q "^#\? \?$key = " "$ROOT/tools/deploy/systemd/sluice.conf" ||
			[ "$key" = netns ] || fail "sluice.conf has no [$section] $key"
	done
done

say "a network namespace without any earlier traffic"
sluice cleanup
ip netns add bare
configure '[reply]' 'mode = socket' '[wire]' 'netns = bare' 'follow = docker0'
daemon_start
daemon_stop
sluice --netns bare cleanup

say "a start that the kernel refuses fails and leaves nothing behind"
sluice cleanup
configure '[wire]' 'follow = lo'
want_status 1 in_ns "$HOST" "$SLUICE" run --config "$CONF"
want_text "lo is not a bridge"
want_clean
configure '[wire]' 'netns = nowhere' 'follow = docker0'
want_status 1 sluice run --config "$CONF"
want_text "no network namespace 'nowhere'"
want_clean
