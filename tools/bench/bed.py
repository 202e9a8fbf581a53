# SPDX-License-Identifier: GPL-2.0-or-later
"""The environment of the benchmark, and the processes in it.

    netns "far": 198.18.0.1, 2001:2::1 ──veth0── 198.18.0.2, 2001:2::2 :netns "host"
                                                 198.19.0.1 ── void0, a bridge without
                                                               ports: it drops
    netns "guest": 198.18.16.3 ──────────veth1═ br0, 198.18.16.1, 2001:2:0:1::1
                   2001:2:0:1::3

    host has 250 more devices, and 198.19.64.1 by a route to lo

    cgroup2 root ─┬─ sluice-bench-PID/inside     sluice attaches here; servers and bystanders
                  └─ sluice-bench-PID/outside    all others, as if on another machine

A server in host replies from the right source if far or guest uses the host's address on its own
side. If guest sends to 198.18.0.2, the replies come from 198.18.16.1. Mode wire is on veth1, the
port of the bridge.

The addresses are reserved for benchmarks (RFC 2544, RFC 5180). The namespaces have no netfilter
rules, which would only increase the cost of the base, and so improve the ratios. Namespaces,
cgroups and the bpffs directory are named after the process that made them, and it removes them.
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

HOST = {4: "198.18.0.2", 6: "2001:2::2"}
FAR = {4: "198.18.0.1", 6: "2001:2::1"}
BRIDGE_MAC = "02:00:00:00:00:00"  # destination in packets.c
BRIDGE = {4: "198.18.16.1", 6: "2001:2:0:1::1"}
GUEST = {4: "198.18.16.3", 6: "2001:2:0:1::3"}
GUEST_OTHER = "198.18.16.4"  # of the guest, a server behind host; only packets.c uses it
VOID = "198.19.0.2"
ROUTED = "198.19.64.1"  # local to host only by a route (AnyIP)
ROUTED_NET = "198.19.128.0"  # the same, a network of 32768 addresses
GROUP = "239.1.2.3"
DEVICES = 250  # unused devices in host
PORT = "veth1"
PATIENCE_S = 60


class BenchError(Exception):
    pass


def tool(name):
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not found:
        raise BenchError(f"{name} is missing: tools/setup.sh test")
    return found


def command(*words, **more):
    """Runs a command until it exits, in its own session, so that only the benchmark handles ^C."""
    done = subprocess.run(words, capture_output=True, text=True, start_new_session=True,
                          timeout=PATIENCE_S, **more)
    if done.returncode:
        raise BenchError(f"{' '.join(map(str, words))}: exit {done.returncode}\n"
                         f"{done.stdout}{done.stderr}".rstrip())
    return done.stdout


def mounted(kind):
    """Returns the first mount point of a type."""
    for line in open("/proc/self/mountinfo", encoding="utf-8"):
        left, right = line.split(" - ")
        if right.split()[0] == kind:
            return pathlib.Path(left.split()[4])
    raise BenchError(f"no {kind} is mounted")


def run_s(pid):
    """Returns the run time of all threads of a process."""
    return sum(int(path.read_text().split()[0])
               for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


class Process:
    """A process of echo.c, hooks.c or packets.c. It answers each line with a JSON line."""

    def __init__(self, *words):
        self.words = words
        self.errors = tempfile.TemporaryFile("w+", encoding="utf-8")
        self.popen = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=self.errors, text=True, start_new_session=True)

    def read(self):
        line = self.popen.stdout.readline()
        if line.endswith("\n"):
            return json.loads(line)
        status = self.popen.wait()
        self.errors.seek(0)
        raise BenchError(self.errors.read().strip() or
                         f"{' '.join(map(str, self.words))} ended: {status}")

    def ask(self, line):
        try:
            self.popen.stdin.write(f"{line}\n")
            self.popen.stdin.flush()
        except BrokenPipeError:
            pass  # read() reports why it has exited
        return self.read()

    def stop(self):
        try:
            self.popen.stdin.close()
        except BrokenPipeError:
            pass  # it has exited
        try:
            self.popen.wait(5)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
        self.popen.stdout.close()
        self.errors.close()


class Bed:
    """The namespaces and cgroups. remove() cleans up even if make() has failed half-way."""

    def __init__(self, build, cpu):
        name = f"sluice-bench-{os.getpid()}"
        self.build, self.cpu = build, cpu
        self.ip, self.bpftool = tool("ip"), tool("bpftool")
        self.netns = {place: f"{name}-{place}" for place in ("host", "far", "guest")}
        self.cgroup = mounted("cgroup2") / name
        self.bpffs = mounted("bpf") / name
        self.processes, self.own_programs = [], set()

    def make(self):
        for place in ("inside", "outside"):
            (self.cgroup / place).mkdir(parents=True)
        self.bpffs.mkdir()
        for netns in self.netns.values():
            command(self.ip, "netns", "add", netns)
        host, far = self.netns["host"], self.netns["far"]
        command(self.ip, "-n", far, "link", "add", "veth0", "type", "veth", "peer", "name",
                "veth0", "netns", host)
        command(self.ip, "-n", host, "link", "add", "void0", "type", "bridge")
        self.address(far, "veth0", f"{FAR[4]}/24", f"{FAR[6]}/64")
        self.address(host, "veth0", f"{HOST[4]}/24", f"{HOST[6]}/64")
        self.address(host, "void0", "198.19.0.1/24")
        command(self.ip, "-n", host, "neigh", "add", VOID, "dev", "void0", "lladdr",
                "02:00:00:00:00:01")
        for routed in ROUTED, f"{ROUTED_NET}/17":
            command(self.ip, "-n", host, "route", "add", "local", routed, "dev", "lo")
        # create the bridge before the unused devices: mode wire searches only the first 48 for a
        # socket
        self.make_bridge(host, far, self.netns["guest"])
        command(self.ip, "-n", host, "-batch", "-", input="".join(
            f"link add unused{number} type bridge\n" for number in range(DEVICES)))

    def make_bridge(self, host, far, guest):
        command(self.ip, "-n", host, "link", "add", "br0", "address",
                BRIDGE_MAC, "type", "bridge")
        command(self.ip, "-n", guest, "link", "add", "veth0", "type", "veth", "peer", "name",
                PORT, "netns", host)
        command(self.ip, "-n", host, "link", "set", PORT, "master", "br0", "up")
        self.address(guest, "veth0", f"{GUEST[4]}/24", f"{GUEST[6]}/64")
        self.address(host, "br0", f"{BRIDGE[4]}/24", f"{BRIDGE[6]}/64")
        for version in (4, 6):
            command(self.ip, "-n", guest, "route", "add", "default", "via", BRIDGE[version])
            command(self.ip, "-n", far, "route", "add", "default", "via", HOST[version])
        for name in ("ipv4.ip_forward=1", "ipv6.conf.all.forwarding=1"):
            self.setting(host, f"net.{name}")
        if os.path.exists("/proc/sys/net/bridge"):
            for table in ("ip", "ip6", "arp"):
                self.setting(host, f"net.bridge.bridge-nf-call-{table}tables=0")

    def setting(self, netns, assignment):
        command(tool("nsenter"), f"--net=/run/netns/{netns}", tool("sysctl"), "-qw", assignment)

    def address(self, netns, device, *addresses):
        for address in addresses:
            nodad = ["nodad"] if ":" in address else []
            command(self.ip, "-n", netns, "addr", "add", address, "dev", device, *nodad)
        command(self.ip, "-n", netns, "link", "set", device, "up")

    def start(self, *words):
        process = Process(self.build / "tools" / words[0], *words[1:])
        self.processes.append(process)
        process.read()
        return process

    def stop(self, process):
        process.stop()
        self.processes.remove(process)

    def remove(self):
        """Runs all steps, even if some fail. Then raises the first failure, if any."""
        steps = [process.stop for process in self.processes]
        steps += [lambda: shutil.rmtree(self.bpffs, ignore_errors=True)]
        steps += [lambda netns=netns: self.remove_netns(netns) for netns in self.netns.values()]
        steps += [lambda place=place: self.remove_cgroup(self.cgroup / place)
                  for place in ("inside", "outside", ".")]
        failures = []
        for step in steps:
            try:
                step()
            except (BenchError, OSError) as failure:
                failures.append(failure)
        if failures:
            raise BenchError(f"cleaning up: {failures[0]}")

    def remove_netns(self, netns):
        if os.path.exists(f"/run/netns/{netns}"):
            command(self.ip, "netns", "del", netns)

    @staticmethod
    def remove_cgroup(path):
        """Kills and waits: a process leaves its cgroup some time after its exit, and only the
        cgroup lists a process that was being started at the interrupt."""
        for _ in range(50):
            try:
                for pid in (path / "cgroup.procs").read_text().split():
                    os.kill(int(pid), signal.SIGKILL)
                path.rmdir()
                return
            except (FileNotFoundError, ProcessLookupError):
                if not path.exists():
                    return
            except OSError:
                pass
            time.sleep(0.1)
        raise BenchError(f"{path}: still in use")

    def pin_set(self, name, programs):
        """Returns a directory for hooks.c: {attach type: bpftool's words for a program}."""
        folder = self.bpffs / name
        folder.mkdir()
        for attach_type, words in programs.items():
            pin = folder / attach_type
            command(self.bpftool, "prog", "pin", *words, pin)
            shown = json.loads(command(self.bpftool, "-j", "prog", "show", "pinned", pin))
            self.own_programs.add(shown["id"])
        return folder

    def attached(self):
        """Returns the programs that a loader attached to the inside cgroup: {attach type: id}."""
        listing = command(self.bpftool, "-j", "cgroup", "show", self.cgroup / "inside").strip()
        return {entry["attach_type"]: entry["id"] for entry in json.loads(listing or "[]")}
