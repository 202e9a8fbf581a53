#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# 'cleanup --verify' names the objects that it finds: pins and their directory, and processes that
# hold an object without a pin.
. "$(dirname "$0")/../lib/lib.sh"

SECOND=/sys/fs/bpf/sluice_second

# left FILTER: evaluates FILTER over the objects `o` that cleanup --verify reports
left()
{
	local report
	report=$(sluice -j cleanup --verify) || [ $? = 5 ] || fail "cleanup --verify: $?"
	json "$1" cat <<<"$report"
}

say "pins of another directory"
sluice --bpffs "$SECOND" reply load --mode socket --cgroup "$TEST_CGROUP"
link=$(json "d['reply']['hooks'][0]['link_id']" sluice --bpffs "$SECOND" -j reply show)
want_equal "$(left "[(o['bpffs'], o['pins']) for o in d['left'] if (o['kind'], o['id']) == ('link', $link)]")" \
	"[('$SECOND', ['$SECOND/reply/link_learn'])]"
want_status 5 sluice cleanup --verify
want_text "$SECOND/reply/link_learn"
want_text "$SECOND/reply/sluice_flows"
want_text "sluice --bpffs $SECOND cleanup"

say "a process that holds a map"
python3 - "$SECOND/reply/sluice_meta" "$TEST_TMP/held" <<'PYTHON' &
import ctypes
import struct
import sys
import time

path = ctypes.create_string_buffer(sys.argv[1].encode())
attr = struct.pack("QIIi", ctypes.addressof(path), 0, 0, 0)
BPF_OBJ_GET, SYS_BPF = 7, {"x86_64": 321}.get(__import__("platform").machine(), 280)
fd = ctypes.CDLL(None).syscall(SYS_BPF, BPF_OBJ_GET, attr, len(attr))
if fd < 0:
    sys.exit("bpf() failed")
open(sys.argv[2], "w").write(str(fd))
time.sleep(600)
PYTHON
holder=$!
wait_until 20 test -s "$TEST_TMP/held"
map=$(bpftool -j map show pinned "$SECOND/reply/sluice_meta" |
	python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])')
sluice --bpffs "$SECOND" cleanup
want_equal "$(left "[(o['bpffs'], o['pins'], [p['pid'] for p in o['processes']]) for o in d['left']
	if (o['kind'], o['id']) == ('map', $map)]")" "[(None, [], [$holder])]"
want_status 5 sluice cleanup --verify
want_text "process $holder (python3)"
stop "$holder"
want_verified
