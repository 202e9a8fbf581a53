# SPDX-License-Identifier: GPL-2.0-or-later
"""make bench BENCH=scrape: what a scrape of the metrics costs the daemon, with 256 steered groups.

This is the maximum number of groups, and each group has its own port, which yields the most series.
Each group has two workers, which do not read, and 16 flows. The cost is the run time of the daemon
from before the request until it sleeps again: it reads all maps, and sends the text over the
loopback device. The daemon caches its values for a second, so the interval between scrapes is
longer. It does not sweep meanwhile. "first" also opens the maps. "top" is the run time of `sluice
top` for a sample of the same groups.

The benchmark is a measurement: it never fails a build. It takes about two minutes.
"""
import argparse
import contextlib
import ctypes
import http.client
import json
import os
import pathlib
import platform
import re
import shutil
import socket
import statistics
import subprocess
import tempfile
import time

from bed import BenchError, command, mounted, run_s, tool

TOP = pathlib.Path(__file__).resolve().parents[2]
GROUPS, WORKERS, FLOWS, FIRST_PORT, PORT = 256, 2, 16, 20000, 9477
ADDRESS = "127.0.0.1"
FORMATS = {"text": "text/plain", "OpenMetrics": "application/openmetrics-text"}
FRESH_S = 1.1  # after this time, the daemon reads again
TARGET_MS = 10
PATIENCE_S = 120


class Rig:
    """A context: a namespace with the servers and the daemon; removes them at the end."""

    def __init__(self, options):
        self.options, self.name = options, f"sluice-bench-{os.getpid()}"
        self.path = pathlib.Path("/run/netns") / self.name
        self.bpffs = mounted("bpf") / self.name
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="sluice-bench-"))
        self.processes = []

    def __enter__(self):
        try:
            self.make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def make(self):
        command(tool("ip"), "netns", "add", self.name)
        command(tool("ip"), "-n", self.name, "link", "set", "lo", "up")
        self.start(["python3", TOP / "tests/net/lib/sockets.py", ADDRESS],
                   f"open {FIRST_PORT} {GROUPS} {WORKERS}", "done")
        config = self.home / "sluice.conf"
        config.write_text(f"[global]\nmetrics = {PORT}\n"
                          f"[steer]\nport = {FIRST_PORT}-{FIRST_PORT + GROUPS - 1}\nsweep = 3600\n")
        self.daemon = self.start([self.options.sluice, "--bpffs", self.bpffs, "run", "--config",
                                  config], "", 'msg="started"')
        self.wait(lambda: self.steered() == GROUPS, "not all groups are steered")
        with self.inside():
            self.send()

    def start(self, words, line, ready):
        """Starts a process in the namespace, and waits until it is ready. Returns its id."""
        log = self.home / f"log{len(self.processes)}"
        with open(log, "w", encoding="utf-8") as output:
            process = subprocess.Popen(
                [tool("nsenter"), f"--net={self.path}", *map(str, words)], stdin=subprocess.PIPE,
                stdout=output, stderr=subprocess.STDOUT, text=True, start_new_session=True)
        self.processes.append(process)
        print(line, file=process.stdin, flush=True)
        self.wait(lambda: ready in log.read_text(encoding="utf-8") or process.poll() is not None,
                  f"{words[0]} is not ready")
        if process.poll() is not None:
            raise BenchError(f"{words[0]}: {log.read_text(encoding='utf-8')}")
        return process.pid

    @staticmethod
    def wait(condition, failure):
        until = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > until:
                raise BenchError(failure)
            time.sleep(0.5)

    def steered(self):
        shown = json.loads(command(self.options.sluice, "--bpffs", self.bpffs, "-j", "status"))
        return len((shown.get("steer") or {}).get("groups", []))

    @contextlib.contextmanager
    def inside(self):
        """A context in which this process opens sockets in the namespace."""
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/self/ns/net", "rb") as own, open(self.path, "rb") as other:
            if libc.setns(other.fileno(), 0):
                raise BenchError(f"setns: {os.strerror(ctypes.get_errno())}")
            try:
                yield
            finally:
                libc.setns(own.fileno(), 0)

    @staticmethod
    def send():
        """Starts flows, each with two datagrams."""
        for _ in range(FLOWS):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.bind((ADDRESS, 0))
                for port in range(FIRST_PORT, FIRST_PORT + GROUPS):
                    client.sendto(b"1", (ADDRESS, port))
                    client.sendto(b"2", (ADDRESS, port))

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.terminate()
            process.communicate()
        with contextlib.suppress(BenchError):
            command(self.options.sluice, "--bpffs", self.bpffs, "cleanup")
        shutil.rmtree(self.bpffs, ignore_errors=True)
        shutil.rmtree(self.home, ignore_errors=True)
        if self.path.exists():
            command(tool("ip"), "netns", "del", self.name)


# --- the parts

def scrape(rig, accept):
    """Returns the milliseconds of the daemon's run time, and the text."""
    time.sleep(FRESH_S)
    before = run_s(rig.daemon)
    with rig.inside():
        connection = http.client.HTTPConnection(ADDRESS, PORT, timeout=60)
        connection.connect()
    connection.request("GET", "/metrics", headers={"Accept": accept})
    text = connection.getresponse().read().decode("ascii")
    connection.close()
    time.sleep(0.02)  # until the daemon sleeps
    return (run_s(rig.daemon) - before) * 1000, text


def scrapes(rig, options):
    first, text = scrape(rig, FORMATS["text"])
    found = {"first_ms": first, "bytes": len(text), "series": len(re.findall("^[^#]", text, re.M)),
             "groups": sum(map(int, re.findall(r"^sluice_steer_groups{.*} (\d+)$", text, re.M)))}
    if found["groups"] != GROUPS:
        raise BenchError(f"the metrics have {found['groups']} groups of {GROUPS}")
    for name, accept in FORMATS.items():
        found[name] = [scrape(rig, accept)[0] for _ in range(options.rounds)]
    return found


def top(rig, options):
    """Returns the milliseconds of each sample."""
    words = [options.sluice, "--bpffs", rig.bpffs, "-j", "top", "--interval", "1"]
    with subprocess.Popen([tool("nsenter"), f"--net={rig.path}", *map(str, words)],
                          stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            times = []
            for _ in range(options.rounds // 4 + 2):
                rows = json.loads(process.stdout.readline())["rows"]
                time.sleep(0.1)
                times.append(run_s(process.pid))
        finally:
            process.terminate()
    if sum(row["kind"] == "group" for row in rows) != GROUPS:
        raise BenchError("top does not show all groups")
    return [(after - before) * 1000 for before, after in zip(times, times[1:])]


def print_found(found):
    metrics = found["scrapes"]
    print(f"\n{GROUPS} groups, {metrics['series']} series, {metrics['bytes']} bytes")
    print(f"{'ms of CPU time':<30} {'least':>6} {'median':>7} {'most':>6}  target")
    rows = [(f"scrape, {name}", metrics[name], TARGET_MS) for name in FORMATS]
    rows += [("scrape, first", [metrics["first_ms"]], ""), ("top, a sample", found["top"], "")]
    for label, times, target in rows:
        print(f"  {label:<28} {min(times):>6.1f} {statistics.median(times):>7.1f} "
              f"{max(times):>6.1f}  {target:>6}".rstrip())


def parse_options(words):
    parser = argparse.ArgumentParser(
        prog="tools/bench/run scrape",
        description="What a scrape of the metrics costs the daemon, with 256 steered groups.")
    parser.add_argument("--rounds", type=int, default=30, help="scrapes of each format (30)")
    parser.add_argument("--json", type=pathlib.Path, help="default: build/bench-scrape.json")
    parser.add_argument("--sluice", type=pathlib.Path, help="default: build/sluice")
    parser.add_argument("--build", type=pathlib.Path, default=TOP / os.environ.get("BUILD", "build"))
    options = parser.parse_args(words)
    options.sluice = options.sluice or options.build / "sluice"
    options.json = options.json or options.build / "bench-scrape.json"
    return options


def main(words):
    options = parse_options(words)
    if os.geteuid():
        raise BenchError("needs root, for namespaces and programs")
    if not options.sluice.exists():
        raise BenchError(f"{options.sluice} is missing: make bench builds it")
    found = {"kernel": platform.release(), "cpus": os.cpu_count()}
    print(f"kernel {found['kernel']}, {found['cpus']} CPUs", flush=True)
    with Rig(options) as rig:
        found["scrapes"] = scrapes(rig, options)
        found["top"] = top(rig, options)
    print_found(found)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(dict(schema_version=1, **found), indent=1) + "\n",
                            encoding="utf-8")
    print(f"\nevery figure: {options.json}")
