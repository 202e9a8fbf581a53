# SPDX-License-Identifier: GPL-2.0-or-later
"""make bench BENCH=peer: paths between peers, beside nebula, n2n and wireguard-go.

  pairs       every kind of NAT against every kind, in the network of tools/lab/nat.sh: which pairs
              are connected, and which of them directly
  time        from the start of the connecting process to the first byte that comes back, between
              two NATs that theory lets pass; every round trip takes 40 ms
  idle        packets and wake-ups of an idle path between NATs that keep a mapping for 30 s, and how
              long an echo takes afterwards
  throughput  TCP, and UDP at 100 Mbit/s, through a path, and CPU time, beside a plain socket and
              wireguard-go
  pool        a small echo over a TCP path that loses packets, while another program downloads: with
              and without --pool-max, beside plain sockets

All are of Debian, with a server in the same place: a lighthouse that is a relay, too, and a
supernode. An echo service for UDP answers at one end. A path counts as relayed if the server's device
sees most of the echoes, of which a relay receives and sends both directions. nebula stays with the
relay if it is faster than the direct path at the beginning, so that "pairs" also measures it without.
Tools take turns in random order.

The benchmark is a measurement: it never fails a build.
"""
import argparse
import ctypes
import ipaddress
import itertools
import json
import os
import pathlib
import platform
import random
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from bed import BenchError, command, tool
from meet import run_s, wakeups

TOP = pathlib.Path(__file__).resolve().parents[2]
KINDS = ("none", "firewall", "endpoint-independent", "address-dependent",
         "address-and-port-dependent", "other-port", "address-dependent-mapping", "symmetric")
# These kinds admit only the exact address and port to which the host has sent.
STRICT = {"firewall", "address-and-port-dependent", "address-dependent-mapping", "symmetric"}
PLAIN = ("endpoint-independent", "address-and-port-dependent")
SERVER = "203.0.113.2"
ECHO, IPERF, LOCAL = 7, 5201, 7000
UDP_RATE, UDP_SIZE = "100M", 1100
DELAY_MS, ROUND_TRIP_S = 10, 0.040  # per cable; two cables in each direction
PATIENCE_S = 30
LOSS_PERCENT = 1  # of "pool", in each direction
PARTS = ("pairs", "time", "idle", "throughput", "pool")


def theory(one, other):
    """Returns True if a direct path is possible. A symmetric NAT sends from a port that no peer can
    know."""
    return not (one == "symmetric" and other in STRICT or other == "symmetric" and one in STRICT)


# --- the lab

class Lab:
    """NATs around a router, each with a host behind it: host(NUMBER), from 1."""

    def __init__(self, kinds, delay_ms=0, timeout_s=300):
        self.kinds, self.delay_ms, self.timeout_s = kinds, delay_ms, timeout_s
        self.prefix = f"sluice-bench-{os.getpid()}-"
        self.state = tempfile.TemporaryDirectory(prefix="sluice-bench-")
        os.chmod(self.state.name, 0o755)  # the server reads its peers without privileges
        self.home = pathlib.Path(self.state.name)
        self.processes = []

    def __enter__(self):
        script = [f"TOPOLOGY_PREFIX={self.prefix}", f". {TOP}/tools/topology.sh",
                  f". {TOP}/tools/lab/nat.sh"]
        if self.delay_ms:
            script += [f"LAB_DELAY={self.delay_ms}", f"lab_core {self.delay_ms} 0"]
        else:
            script += ["lab_core"]
        for number, kind in enumerate(self.kinds, 1):
            script += [f"lab_nat {self.prefix}nat{number} {self.host(number)} {kind} "
                       f"{self.timeout_s} {number}",
                       f"in_ns {self.host(number)} sysctl -qw net.ipv6.conf.all.disable_ipv6=1"]
        script += ['wait_link "$ROUTER" outside']
        try:
            command("bash", "-euo", "pipefail", "-c", "\n".join(script))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for path in pathlib.Path("/run/netns").glob(f"{self.prefix}*"):
            command(tool("ip"), "netns", "del", path.name)
        self.state.cleanup()

    def host(self, number):
        return f"{self.prefix}in{number}"

    @property
    def server(self):
        return f"{self.prefix}peer"

    def spawn(self, netns, name, words, **more):
        log = open(self.home / f"{name}.log", "w", encoding="utf-8")
        process = subprocess.Popen(
            [tool("nsenter"), f"--net=/run/netns/{netns}", *map(str, words)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            start_new_session=True, **more)
        log.close()
        self.processes.append(process)
        return process

    def stop(self, process):
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self.processes.remove(process)

    def wait_log(self, name, text):
        for _ in range(100 * PATIENCE_S):
            if text in (self.home / f"{name}.log").read_text(errors="replace"):
                return
            time.sleep(0.01)
        raise BenchError(f"no {text!r} in:\n" + (self.home / f"{name}.log").read_text())

    def packets(self, netns):
        shown = json.loads(command(tool("ip"), "-n", netns, "-s", "-j", "link", "show", "eth0"))
        return sum(shown[0]["stats64"][way]["packets"] for way in ("rx", "tx"))

    def datagrams(self, netns):
        text = command(tool("nsenter"), f"--net=/run/netns/{netns}", "cat", "/proc/net/snmp")
        names, values = (line.split()[1:] for line in text.splitlines() if line[:4] == "Udp:")
        found = dict(zip(names, map(int, values)))
        return found["InDatagrams"] + found["NoPorts"] + found["OutDatagrams"]

    def inside(self, netns, work):
        """Runs a function in a child that has entered the namespace; returns its result."""
        read, write = os.pipe()
        child = os.fork()
        if not child:
            status = 1
            try:
                with open(f"/run/netns/{netns}", encoding="ascii") as handle:
                    if ctypes.CDLL(None, use_errno=True).setns(handle.fileno(), 0):
                        raise OSError(ctypes.get_errno(), "setns")
                os.write(write, json.dumps(work()).encode())
                status = 0
            except Exception as failure:  # pylint: disable=broad-except
                print(f"bench: {failure!r}", file=sys.stderr)
            os._exit(status)
        os.close(write)
        with os.fdopen(read) as pipe:
            text = pipe.read()
        if os.waitpid(child, 0)[1]:
            raise BenchError("a helper process has failed")
        return json.loads(text)

    def echo(self, number):
        self.spawn(self.host(number), f"echo{number}",
                   [sys.executable, "-c", "import socket\n"
                    "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                    f"s.bind(('0.0.0.0', {ECHO}))\n"
                    "while True: s.sendto(*s.recvfrom(2048))"])


def exchange(target, seconds, pause_s=0.01):
    """Sends datagrams until one is echoed. Returns the elapsed time, or None."""
    began = time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        while time.monotonic() - began < seconds:
            try:
                sock.sendto(b"x" * 64, target)
                sock.settimeout(pause_s)
                if sock.recvfrom(2048):
                    return time.monotonic() - began
            except OSError:  # no device, no route or no answer yet
                time.sleep(0.001)
    return None


def echoes(target, count):
    """Returns the number of echoes of `count` datagrams."""
    got = 0
    for _ in range(count):
        got += exchange(target, 0.5, 0.5) is not None
    return got


# --- the tools

def debian(options, path):
    unpacked = options.build / "servers" / path
    return unpacked if unpacked.exists() else tool(pathlib.Path(path).name)


class Sluice:
    name = "sluice"

    def __init__(self, lab, options):
        self.lab, self.sluice = lab, options.sluice
        peers = []
        for name in ["server", *(f"{role}{i}" for i in range(1, len(lab.kinds) + 1)
                                 for role in ("run", "connect"))]:
            key = command(self.sluice, "peer", "key")
            (lab.home / f"{name}.key").write_text(key)
            os.chmod(lab.home / f"{name}.key", 0o600)
            public = command(self.sluice, "peer", "key", "--public", input=key).strip()
            peers.append(f"{name} {public}\n")
            self.public = public if name == "server" else self.public
        (lab.home / "peers").write_text("".join(peers[1:]))
        lab.spawn(lab.server, "rendezvous",
                  [self.sluice, "rendezvous", "serve", "--name", lab.prefix + "r", "--listen",
                   f"{SERVER}:3478", "--key-file", lab.home / "server.key", "--peers",
                   lab.home / "peers", "--rate", "0"])
        lab.wait_log("rendezvous", "started")

    def words(self, verb, name):
        return [self.sluice, "peer", verb, "--server", f"{SERVER}:3478", "--server-key", self.public,
                "--id", name, "--key-file", self.lab.home / f"{name}.key", "--trust-server"]

    def expose(self, number, *services):
        services = services or (f"udp:127.0.0.1:{ECHO}",)
        process = self.lab.spawn(
            self.lab.host(number), f"run{number}", self.words("run", f"run{number}") +
            [word for service in services for word in ("--expose", service)])
        self.lab.wait_log(f"run{number}", "registered")
        return process

    def connect(self, number, other):
        """Returns the command line of the connecting process, and the address of the service."""
        port = LOCAL + other
        return (self.words("connect", f"connect{number}") +
                ["--to", f"run{other}", "--listen", f"udp:127.0.0.1:{port}"], ("127.0.0.1", port))


class Overlay:
    """A tool that gives each host an address in a virtual network."""

    def expose(self, number, *_):
        return self.lab.spawn(self.lab.host(number), f"{self.name}{number}", self.words(number))

    def connect(self, number, other):
        return self.words(number), (self.address(other), ECHO)

    def address(self, number):
        return str(ipaddress.ip_address(self.net) + 10 + number)


class Nebula(Overlay):
    name, net, relays = "nebula", "10.99.0.0", True

    def __init__(self, lab, options):
        self.lab, self.program = lab, debian(options, "usr/bin/nebula")
        self.cert = debian(options, "usr/bin/nebula-cert")
        command(self.cert, "ca", "-name", "bench", "-out-crt", lab.home / "ca.crt", "-out-key",
                lab.home / "ca.key")
        self.server = str(ipaddress.ip_address(self.net) + 1)
        for number in range(len(lab.kinds) + 1):
            self.configure(number)
        lab.spawn(lab.server, "lighthouse", self.words(0))

    def configure(self, number):
        home, address = self.lab.home, self.address(number) if number else self.server
        command(self.cert, "sign", "-name", f"host{number}", "-ip", f"{address}/16", "-ca-crt",
                home / "ca.crt", "-ca-key", home / "ca.key", "-out-crt", home / f"neb{number}.crt",
                "-out-key", home / f"neb{number}.key")
        any_rule = [{"port": "any", "proto": "any", "host": "any"}]
        lighthouse = {"am_lighthouse": not number, "interval": 60}
        relay = {"am_relay": not number, "use_relays": self.relays}
        if number:
            lighthouse["hosts"] = [self.server]
            relay["relays"] = [self.server] if self.relays else []
        (home / f"neb{number}.yml").write_text(json.dumps({  # JSON is YAML
            "pki": {"ca": str(home / "ca.crt"), "cert": str(home / f"neb{number}.crt"),
                    "key": str(home / f"neb{number}.key")},
            "static_host_map": {self.server: [f"{SERVER}:4242"]},
            "lighthouse": lighthouse, "relay": relay,
            "listen": {"host": "0.0.0.0", "port": 0 if number else 4242},
            "punchy": {"punch": True, "respond": True, "delay": "1s"},
            "tun": {"dev": "nebula1", "mtu": 1300},
            "logging": {"level": "error", "format": "text"},
            "firewall": {"outbound": any_rule, "inbound": any_rule}}))

    def words(self, number):
        return [self.program, "-config", self.lab.home / f"neb{number}.yml"]


class NebulaDirect(Nebula):
    name, relays = "nebula without its relay", False


class N2n(Overlay):
    name, net = "n2n", "10.98.0.0"

    def __init__(self, lab, options):
        self.lab, self.program = lab, debian(options, "usr/sbin/edge")
        lab.spawn(lab.server, "supernode", [debian(options, "usr/bin/supernode"), "-l", "7654"])

    def words(self, number):
        return [self.program, "-d", "n2n0", "-a", self.address(number), "-s", "255.255.0.0", "-c",
                "bench", "-k", "secret", "-l", f"{SERVER}:7654"]


class Wireguard(Overlay):
    """Uses no server: both ends know each other's mapped port."""
    name, net = "wireguard-go", "10.97.0.0"

    def __init__(self, lab, options):
        self.lab, self.program = lab, debian(options, "usr/bin/wireguard-go")
        self.wg = debian(options, "usr/bin/wg")
        for number in (1, 2):
            (lab.home / f"wg{number}").write_text(command(self.wg, "genkey"))

    def expose(self, number, *_):
        lab, other = self.lab, 3 - number
        # its control socket has the name of the device, in all namespaces
        host, device = lab.host(number), f"wgb{os.getpid()}{number}"[-15:]
        process = lab.spawn(host, f"wg{number}", [self.program, "-f", device],
                            env=dict(os.environ, LOG_LEVEL="error",
                                     WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD="1"))
        public = command(self.wg, "pubkey", input=(lab.home / f"wg{other}").read_text()).strip()
        for _ in range(100 * PATIENCE_S):
            try:
                command(tool("nsenter"), f"--net=/run/netns/{host}", self.wg, "set", device,
                        "listen-port", "51820", "private-key", lab.home / f"wg{number}", "peer",
                        public, "endpoint", f"198.51.100.{other}:51820", "allowed-ips",
                        f"{self.address(other)}/32", "persistent-keepalive", "10")
                break
            except BenchError:
                time.sleep(0.01)
        command(tool("ip"), "-n", host, "addr", "add", f"{self.address(number)}/16", "dev", device)
        command(tool("ip"), "-n", host, "link", "set", device, "up", "mtu", "1420")
        return process


TOOLS = (Sluice, Nebula, N2n)


def wanted(options, kinds):
    return [kind for kind in kinds if re.search(options.tools, kind.name)]


# --- part "pairs"

def reach_all(lab, targets):
    """Sends to all targets of each host, at the same time. Returns {(host, other): seconds}."""
    def work(number):
        found = {}
        waiting = dict(targets[number])
        began = time.monotonic()
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.settimeout(0.05)
        while waiting and time.monotonic() - began < PATIENCE_S:
            for target in waiting.values():
                try:
                    sock.sendto(b"x" * 64, tuple(target))
                except OSError:
                    pass
            until = time.monotonic() + 0.2
            while time.monotonic() < until:
                try:
                    source = sock.recvfrom(2048)[1]
                except OSError:
                    continue
                for other, target in list(waiting.items()):
                    if tuple(target) == source:
                        found[other] = time.monotonic() - began
                        del waiting[other]
        return found

    children = []
    for number in targets:
        path = lab.home / f"reach{number}"
        child = os.fork()
        if not child:
            path.write_text(json.dumps(lab.inside(lab.host(number), lambda: work(number))))
            os._exit(0)
        children.append((number, path, child))
    found = {}
    for number, path, child in children:
        os.waitpid(child, 0)
        found |= {(number, int(other)): seconds
                  for other, seconds in json.loads(path.read_text()).items()}
    return found


def is_direct(lab, number, target, count=20):
    """Returns True or False, or None without an echo."""
    before = lab.packets(lab.server)
    got = lab.inside(lab.host(number), lambda: echoes(tuple(target), count))
    return lab.packets(lab.server) - before < 2 * got if got else None


def pairs(options):
    """Measures all pairs of kinds, with two hosts per kind: the first connects to the second."""
    rows, count = [], len(KINDS)
    kinds = list(itertools.combinations_with_replacement(range(1, count + 1), 2))
    for kind in wanted(options, (Sluice, Nebula, NebulaDirect, N2n)):
        with Lab(KINDS + KINDS) as lab:
            used, targets = kind(lab, options), {}
            for number in range(1, count + 1):
                lab.echo(count + number)
                used.expose(count + number)
                if kind is not Sluice:
                    used.expose(number)
            for one, other in kinds:
                words, target = used.connect(one, count + other)
                if kind is Sluice:
                    lab.spawn(lab.host(one), f"connect{one}-{other}", words)
                targets.setdefault(one, {})[count + other] = target
            reached = reach_all(lab, targets)
            time.sleep(5)  # for pairs that are relayed at first
            for one, other in kinds:
                key = one, count + other
                rows.append({"tool": kind.name, "kinds": [KINDS[one - 1], KINDS[other - 1]],
                             "theory": theory(KINDS[one - 1], KINDS[other - 1]),
                             "connected": key in reached,
                             "direct": bool(key in reached and
                                            is_direct(lab, one, targets[one][key[1]]))})
    return rows


def print_pairs(rows):
    print(f"\npairs of NATs, {len(KINDS)} kinds against each other{'connected':>21} {'direct':>8} "
          f"{'of those that theory allows':>29}")
    for name in dict.fromkeys(row["tool"] for row in rows):
        those = [row for row in rows if row["tool"] == name]
        can = [row for row in those if row["theory"]]
        print(f"  {name:<50} {sum(row['connected'] for row in those):>6} of {len(those)} "
              f"{sum(row['direct'] for row in those):>5} "
              f"{sum(row['direct'] for row in can):>19} of {len(can)}")
        for row in can:
            if not row["direct"]:
                print(f"    {'relayed' if row['connected'] else 'not connected'}: "
                      f"{' and '.join(row['kinds'])}")


# --- part "time"

def start_and_exchange(words, target):
    """Returns the times of the first echoed byte and of each log line."""
    began, steps = time.monotonic(), {}

    def follow(log):
        for line in log:
            found = re.search(r'level=info msg="([^"]*)"', line)
            if found:
                steps.setdefault(found[1], time.monotonic() - began)

    process = subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                               start_new_session=True)
    reader = threading.Thread(target=follow, args=(process.stderr,))
    reader.start()
    steps["first byte"] = exchange(tuple(target), PATIENCE_S)
    process.terminate()
    process.wait()
    reader.join()
    return steps


def times(options):
    rows = []
    with Lab(PLAIN, DELAY_MS) as lab:
        lab.echo(2)
        used = [kind(lab, options) for kind in wanted(options, TOOLS)]
        for one in used:
            one.expose(2)
        time.sleep(5)
        for _round in range(options.rounds):
            for one in random.sample(used, len(used)):
                words, target = one.connect(1, 2)
                rows.append({"tool": one.name, "steps": lab.inside(
                    lab.host(1), lambda: start_and_exchange(words, target))})
                time.sleep(0.2)
            time.sleep(1)  # the rendezvous server limits a peer to one connect a second
    return rows


def quantile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))]


def print_times(rows):
    print(f"\nfrom the start to the first byte, round trips of {1000 * ROUND_TRIP_S:.0f} ms"
          f"{'median':>16} {'p99':>8} {'failed':>8}")
    for name in dict.fromkeys(row["tool"] for row in rows):
        those = [row["steps"] for row in rows if row["tool"] == name]
        steps = dict.fromkeys(step for found in those for step in found)
        for step in sorted(steps, key=lambda step: step != "first byte"):
            took = [found[step] / ROUND_TRIP_S for found in those if found.get(step)]
            label = name if step == "first byte" else f"  until: {step}"
            print(f"  {label:<50} " + (f"{statistics.median(took):>13.1f} {quantile(took, 0.99):>8.1f} "
                                       if took else " " * 23) + f"{len(those) - len(took):>8}")


# --- part "idle"

def idle(options):
    rows = []
    tools = wanted(options, TOOLS)
    with Lab(PLAIN * len(tools), timeout_s=30) as lab:
        ends = []
        for index, kind in enumerate(tools):
            one, other = 2 * index + 1, 2 * index + 2
            used = kind(lab, options)
            lab.echo(other)
            exposed = used.expose(other)
            words, target = used.connect(one, other)
            connecting = lab.spawn(lab.host(one), f"{used.name}-connect", words)
            if lab.inside(lab.host(one), lambda: exchange(tuple(target), PATIENCE_S)) is None:
                raise BenchError(f"{used.name}: not connected")
            ends.append((used.name, target, [(one, connecting), (other, exposed)]))
        time.sleep(20)
        before = [(lab.datagrams(lab.host(number)), wakeups(process.pid))
                  for *_, both in ends for number, process in both]
        began = time.monotonic()
        time.sleep(options.idle)
        hours = (time.monotonic() - began) / 3600
        after = [(lab.datagrams(lab.host(number)), wakeups(process.pid))
                 for *_, both in ends for number, process in both]
        for index, (name, target, both) in enumerate(ends):
            each = [[(after[end][what] - before[end][what]) / hours
                     for end in (2 * index, 2 * index + 1)] for what in (0, 1)]
            rows.append({"tool": name, "datagrams": sum(each[0]) / 2, "wakeups": sum(each[1]) / 2,
                         "echo_s": lab.inside(lab.host(both[0][0]),
                                              lambda: exchange(tuple(target), PATIENCE_S))})
    return rows


def print_idle(rows):
    print(f"\nan idle path, per hour and host, with the registration{'datagrams':>17} {'wake-ups':>9} "
          f"{'echo afterwards, ms':>20}")
    for row in rows:
        took = f"{1000 * row['echo_s']:.0f}" if row["echo_s"] else "none"
        print(f"  {row['tool']:<50} {row['datagrams']:>19.0f} {row['wakeups']:>9.0f} {took:>20}")


# --- part "throughput"

def cpu_s(processes):
    return sum(run_s(process.pid) for process in processes)


def iperf(lab, target, udp, ms):
    """Runs iperf3 from host 1. Returns the received bits, and the CPU time of both ends."""
    def work():
        words = [tool("iperf3"), "-c", target, "-p", str(IPERF), "-t", str(ms / 1000), "-J"]
        words += ["-u", "-b", UDP_RATE, "-l", str(UDP_SIZE)] if udp else []
        done = subprocess.run(words, capture_output=True, text=True,
                              timeout=PATIENCE_S + ms / 1000)
        found = json.loads(done.stdout)
        if "error" in found:
            raise BenchError(f"iperf3: {found['error']}")
        end = found["end"]
        used, total = end["cpu_utilization_percent"], end["sum" if udp else "sum_received"]
        lost = total["lost_packets"] if udp else 0
        sent = end["sum"] if udp else end["sum_sent"]
        return {"bits": 8 * ((total["packets"] - lost) * UDP_SIZE if udp else total["bytes"]),
                "seconds": total["seconds"], "lost": total["lost_percent"] if udp else 0,
                "iperf_s": (used["host_total"] + used["remote_total"]) / 100 * sent["seconds"]}
    return lab.inside(lab.host(1), work)


def one_throughput(lab, ends, target, udp, options):
    before = cpu_s(ends)
    found = iperf(lab, target, udp, options.slice)
    return dict(found, udp=udp, tool_s=cpu_s(ends) - before)


def throughput(options):
    rows, ends = [], {}
    with Lab(("endpoint-independent",) * 2) as lab:
        lab.spawn(lab.host(2), "iperf3", [tool("iperf3"), "-s", "-p", str(IPERF)])
        command(tool("nsenter"), f"--net=/run/netns/{lab.prefix}nat2", tool("nft"), "-f", "-",
                input=f"add rule ip lab prerouting iifname out tcp dport {IPERF} dnat to 10.0.0.2\n"
                f"add rule ip lab prerouting iifname out udp dport {IPERF} dnat to 10.0.0.2\n")
        ends["plain socket"] = [], "198.51.100.2"
        sluice, services = Sluice(lab, options), [f"{kind}:127.0.0.1:{IPERF}" for kind in ("tcp", "udp")]
        processes = [sluice.expose(2, *services)]
        for name, service in zip(("connect1", "connect2"), services):
            processes.append(lab.spawn(lab.host(1), name, sluice.words("connect", name) +
                                       ["--to", "run2", "--listen", service]))
            lab.wait_log(name, 'msg="connected"')
        ends["sluice"] = processes, "127.0.0.1"
        for kind in wanted(options, (Wireguard, Nebula, N2n)):
            used = kind(lab, options)
            ends[used.name] = [used.expose(1), used.expose(2)], used.address(2)
        lab.echo(2)
        for name, (processes, target) in ends.items():
            if target not in ("127.0.0.1", "198.51.100.2") and lab.inside(
                    lab.host(1), lambda: exchange((target, ECHO), PATIENCE_S)) is None:
                raise BenchError(f"{name}: not connected")
        for _round in range(options.rounds_throughput):
            for name, udp in random.sample(list(itertools.product(ends, (False, True))),
                                           2 * len(ends)):
                rows.append({"tool": name, **one_throughput(lab, *ends[name], udp, options)})
    return rows


def print_throughput(rows):
    for udp in (False, True):
        title = f"UDP, {UDP_SIZE} bytes at {UDP_RATE}bit/s" if udp else "TCP"
        print(f"\n{title:<40} {'Gbit/s':>8} {'Gbit per CPU-second':>21} {'with iperf3':>12}"
              f"{' lost, %' if udp else ''}")
        for name in dict.fromkeys(sorted(row["tool"] for row in rows)):
            those = [row for row in rows if (row["tool"], row["udp"]) == (name, udp)]
            rate = statistics.median(row["bits"] / row["seconds"] for row in those) / 1e9
            alone = [row["bits"] / row["tool_s"] / 1e9 for row in those if row["tool_s"]]
            both = statistics.median(row["bits"] / (row["tool_s"] + row["iperf_s"]) for row in those)
            lost = f"{statistics.median(row['lost'] for row in those):>8.1f}" if udp else ""
            print(f"  {name:<38} {rate:>8.2f} "
                  f"{f'{statistics.median(alone):.2f}' if alone else '':>21} {both / 1e9:>12.2f}{lost}")


# --- part "pool"

# A service that downloads ("b") or echoes ("e").
SERVICE = """import socket, threading
def serve(s):
    try:
        kind = s.recv(1)
        while data := bytes(65536) if kind == b"b" else s.recv(2048):
            s.sendall(data)
    except OSError:
        pass
listener = socket.create_server(("0.0.0.0", %d), backlog=64)
while True:
    s = listener.accept()[0]
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    threading.Thread(target=serve, args=(s,), daemon=True).start()
"""


def download_and_echo(target, seconds):
    """Returns the times of echoes of 64 bytes during a download, and the rate of the download."""
    got, done = [0], threading.Event()

    def download():
        while not done.is_set() and (data := bulk.recv(65536)):
            got[0] += len(data)

    with socket.create_connection(target, PATIENCE_S) as bulk, \
            socket.create_connection(target, PATIENCE_S) as small:
        bulk.sendall(b"b")
        small.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        small.sendall(b"e")
        reader = threading.Thread(target=download)
        reader.start()
        time.sleep(2)
        took, before, began = [], got[0], time.monotonic()
        while (at := time.monotonic()) - began < seconds:
            small.sendall(b"x" * 64)
            left = 64
            while left:
                left -= len(small.recv(left))
            took.append(time.monotonic() - at)
            time.sleep(0.02)
        rate = 8 * (got[0] - before) / (time.monotonic() - began)
        done.set()
        reader.join()
    return {"echo_s": took, "bits_per_s": rate}


def pool(options):
    rows, port = [], IPERF
    with Lab(("endpoint-independent",) * 2, DELAY_MS) as lab:
        lab.spawn(lab.host(2), "service", [sys.executable, "-c", SERVICE % port])
        command(tool("nsenter"), f"--net=/run/netns/{lab.prefix}nat2", tool("nft"), "-f", "-",
                input=f"add rule ip lab prerouting iifname out tcp dport {port} dnat to 10.0.0.2\n")
        sluice, targets = Sluice(lab, options), {"plain sockets": ("198.51.100.2", port)}
        lab.spawn(lab.host(2), "run2", sluice.words("run", "run2") +
                  ["--expose", f"tcp:127.0.0.1:{port}", "--transport", "tcp"])
        lab.wait_log("run2", 'msg="registered"')
        for number, (name, more) in enumerate(
                (("sluice, one TCP connection", []),
                 ("sluice --pool-max 4", ["--pool-max", 4, "--pool-min-idle", 3])), 1):
            lab.spawn(lab.host(1), f"connect{number}", sluice.words("connect", f"connect{number}") +
                      ["--to", "run2", "--listen", f"tcp:127.0.0.1:{LOCAL + number}",
                       "--transport", "tcp", "--direct-only"] + more)
            lab.wait_log(f"connect{number}", 'msg="connected"')
            targets[name] = ("127.0.0.1", LOCAL + number)
        time.sleep(5)
        command(tool("nsenter"), f"--net=/run/netns/{lab.prefix}router", tool("nft"), "-f", "-",
                input="add table inet loss\n"
                "add chain inet loss forward { type filter hook forward priority 0; }\n"
                f"add rule inet loss forward numgen random mod 100 < {LOSS_PERCENT} drop\n")
        for _round in range(options.rounds_throughput):
            for name in random.sample(list(targets), len(targets)):
                rows.append({"tool": name, **lab.inside(lab.host(1), lambda: download_and_echo(
                    targets[name], 3 * options.slice / 1000))})
    return rows


def print_pool(rows):
    print(f"\necho of 64 bytes beside a download, {LOSS_PERCENT} % of packets lost"
          f"{'median, ms':>21} {'p99, ms':>9} {'Mbit/s':>8}")
    for name in dict.fromkeys(sorted(row["tool"] for row in rows)):
        those = [row for row in rows if row["tool"] == name]
        took = [1000 * one for row in those for one in row["echo_s"]]
        rate = statistics.median(row["bits_per_s"] for row in those) / 1e6
        print(f"  {name:<50} {statistics.median(took):>20.0f} {quantile(took, 0.99):>9.0f} {rate:>8.1f}")


# --- all

def parse_options(words):
    parser = argparse.ArgumentParser(
        prog="tools/bench/run peer",
        description="Paths between peers, beside nebula, n2n and wireguard-go.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--tools", default="", metavar="REGEX",
                        help="only the tools that match, such as sluice")
    parser.add_argument("--rounds", type=int, default=20, help="of time (20)")
    parser.add_argument("--rounds-throughput", type=int, default=5, help="of throughput (5)")
    parser.add_argument("--slice", type=int, default=3000, help="ms of a run of throughput (3000)")
    parser.add_argument("--idle", type=int, default=180, help="seconds of an idle path (180)")
    parser.add_argument("--json", type=pathlib.Path, help="default: build/bench-peer.json")
    parser.add_argument("--sluice", type=pathlib.Path, help="default: build/sluice")
    parser.add_argument("--build", type=pathlib.Path, default=TOP / os.environ.get("BUILD", "build"))
    options = parser.parse_args(words)
    for part in options.parts:
        if part not in PARTS:
            parser.error(f"{part}: not one of {', '.join(PARTS)}")
    options.parts = options.parts or PARTS
    options.sluice = options.sluice or options.build / "sluice"
    options.json = options.json or options.build / "bench-peer.json"
    return options


def main(words):
    options = parse_options(words)
    if os.geteuid():
        raise BenchError("needs root, for namespaces and devices")
    found = {"kernel": platform.release(), "cpus": os.cpu_count(), "load": os.getloadavg()[0]}
    print(f"kernel {found['kernel']}, {found['cpus']} CPUs, load {found['load']:.1f}")
    functions = {"pairs": (pairs, print_pairs), "time": (times, print_times),
                 "idle": (idle, print_idle), "throughput": (throughput, print_throughput),
                 "pool": (pool, print_pool)}
    for part in options.parts:
        measure, show = functions[part]
        found[part] = measure(options)
        show(found[part])
        sys.stdout.flush()
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(dict(schema_version=1, **found), indent=1) + "\n",
                            encoding="utf-8")
    print(f"\nevery figure: {options.json}")
