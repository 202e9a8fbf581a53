#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Checks the daemon's messages to the service manager. The test receives them on a socket with a
# path, and on a socket with an abstract name.
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"

cat >"$TEST_TMP/manager.py" <<'PYTHON'
import os
import signal
import socket
import subprocess
import sys
import time

address, sluice, conf, log = sys.argv[1:]
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind("\0" + address[1:] if address[0] == "@" else address)
listener.settimeout(30)
log = open(log, "w")
daemon = subprocess.Popen([sluice, "run", "--config", conf], stderr=log,
                          env={"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "400000"})


def message():
    text = listener.recv(4096).decode()
    return dict(line.split("=", 1) for line in text.splitlines())


def wait_for(key):
    """Returns the first message with that key; only status and watchdog messages may precede it."""
    while True:
        got = message()
        if key in got:
            return got
        if not set(got) <= {"STATUS", "WATCHDOG"}:
            sys.exit(f"wanted {key}, got {got}")


def want(condition, got):
    if not condition:
        sys.exit(f"unexpected message: {got}")


def monotonic_us():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


begin = monotonic_us()
ready = wait_for("READY")
want(ready["READY"] == "1" and "reply: socket" in ready["STATUS"], ready)
for beat in range(5):
    want(wait_for("WATCHDOG")["WATCHDOG"] == "1", "watchdog")

for text, expected in (("mode = audit", "reply: audit"), ("mode = x", "reply: audit")):
    with open(conf) as file:
        lines = [line for line in file if not line.startswith("mode")]
    with open(conf, "w") as file:
        file.write("".join(lines) + text + "\n")
    asked = monotonic_us()
    daemon.send_signal(signal.SIGHUP)
    reloading = wait_for("RELOADING")
    want(reloading["RELOADING"] == "1", reloading)
    want(asked <= int(reloading["MONOTONIC_USEC"]) <= monotonic_us(), reloading)
    ready = wait_for("READY")
    want(expected in ready["STATUS"], ready)

daemon.send_signal(signal.SIGTERM)
want(wait_for("STOPPING")["STOPPING"] == "1", "stopping")
want(daemon.wait() == 0, "exit status")
PYTHON

# an abstract name is valid only in one network namespace
topology_host
for address in "$TEST_TMP/notify" @sluice-test; do
	say "at $address"
	configure '[reply]' 'mode = socket'
	in_ns "$HOST" python3 "$TEST_TMP/manager.py" "$address" "$SLUICE" "$CONF" "$DAEMON_LOG" ||
		fail "$(cat "$DAEMON_LOG")"
done

say "the watchdog of another process, and a socket without a listener"
configure '[reply]' 'mode = socket'
export WATCHDOG_PID=1 WATCHDOG_USEC=1000 NOTIFY_SOCKET=$TEST_TMP/unbound
daemon_start
want_logged "service manager"
daemon_stop
unset WATCHDOG_PID WATCHDOG_USEC NOTIFY_SOCKET
sluice cleanup
want_verified
