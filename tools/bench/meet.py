# SPDX-License-Identifier: GPL-2.0-or-later
"""make bench BENCH=rendezvous: what an answer of the rendezvous server costs, beside coturn.

  beside    Binding requests and refreshes through a pair of veth, to coturn, to the server, and to
            the server with --xdp; "floor" is a program that sends every datagram back as it is
  program   one run of the XDP program for a frame (BPF_PROG_TEST_RUN)
  peers     a million registrations: memory, and the CPU time of refreshes (rendezvous.c)

The generator (udp-requests.c) and the kernel's work for it run on one CPU; the server and the
kernel's work on a request and its answer run on another CPU. RPS at both ends of the veth ensures
this. The cost of server and kernel together is the run time of the server's threads, with the
system calls, and the time of the other CPU in the softirq of received packets (softirq.bpf.c), in
which XDP runs, less that of a time without load. Requests have complete checksums, as from a
network card. All servers are new in each round, take turns in random order, and are alone while
they run.

The benchmark is a measurement: it never fails a build.
"""
import argparse
import array
import base64
import ctypes
import fcntl
import json
import os
import pathlib
import platform
import random
import re
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

from bed import BenchError, command, mounted, run_s, tool

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/net/lib"))
from rendezvous import (BINDING, REFRESH, REQUEST, SUCCESS, TOKEN, Peer, build,  # noqa: E402
                        mapped, public_of, siphash)

FAR, HOST = {4: "198.18.0.1", 6: "2001:2::1"}, {4: "198.18.0.2", 6: "2001:2::2"}
PORT, PEERS, SOCKETS, FIRST_PORT = 3478, 8, 8, 20000
SERVERS = ("coturn", "sluice", "sluice --xdp", "floor")
LOADS = {"Binding, IPv4": 4, "Binding, IPv6": 6, "refresh": None}
INTERVAL_S = 15
PARTS = ("beside", "program", "peers")


# --- bpf(2), since bpftool cannot pass descriptors

SYS_BPF = {"x86_64": 321, "aarch64": 280}
OBJ_GET, PROG_TEST_RUN, PROG_GET_FD_BY_ID, RAW_TRACEPOINT_OPEN = 7, 10, 13, 17


def bpf(command_number, attributes):
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    result = libc.syscall(SYS_BPF[platform.machine()], command_number, buffer, len(attributes))
    if result < 0:
        raise BenchError(f"bpf: {os.strerror(ctypes.get_errno())}")
    return result, buffer.raw


# --- the rig

class Rig:
    """Two namespaces: far ── host, whose server is on the last CPU."""

    def __init__(self, cpus):
        self.name = f"sluice-bench-{os.getpid()}"
        self.netns = {place: f"{self.name}-{place}" for place in ("far", "host")}
        self.far_cpu, self.host_cpu = cpus
        self.state = tempfile.TemporaryDirectory(prefix="sluice-bench-")
        os.chmod(self.state.name, 0o755)  # the server reads its peers without privileges
        self.home = pathlib.Path(self.state.name)
        self.bpffs = mounted("bpf") / self.name

    def make(self, build_directory):
        command(tool("bpftool"), "prog", "loadall", build_directory / "tools/softirq.bpf.o",
                self.bpffs, "pinmaps", self.bpffs)
        for name in ("softirq_entry", "softirq_exit"):
            path = ctypes.create_string_buffer(str(self.bpffs / name).encode())
            prog = bpf(OBJ_GET, struct.pack("QII", ctypes.addressof(path), 0, 0))[0]
            # attached until this process exits
            bpf(RAW_TRACEPOINT_OPEN, struct.pack("QII", 0, prog, 0))
        far, host = self.netns["far"], self.netns["host"]
        ip = tool("ip")
        for netns in (far, host):
            command(ip, "netns", "add", netns)
        command(ip, "-n", far, "link", "add", "veth0", "type", "veth", "peer", "name", "veth0",
                "netns", host)
        for netns, own, cpu in ((far, FAR, self.far_cpu), (host, HOST, self.host_cpu)):
            command(ip, "-n", netns, "addr", "add", f"{own[4]}/24", "dev", "veth0")
            command(ip, "-n", netns, "addr", "add", f"{own[6]}/64", "dev", "veth0", "nodad")
            command(ip, "-n", netns, "link", "set", "veth0", "up")
            command(ip, "netns", "exec", netns, "sh", "-c",
                    f"echo {1 << cpu:x} >/sys/class/net/veth0/queues/rx-0/rps_cpus")
        self.python(far, lambda: complete_checksums("veth0"))

    def inside(self, place):
        return [tool("nsenter"), f"--net=/run/netns/{self.netns[place]}"]

    def python(self, netns, work):
        """Runs a function in a child that has entered the namespace; returns its result."""
        read, write = os.pipe()
        child = os.fork()
        if not child:
            status = 1
            try:
                with open(f"/run/netns/{netns}", encoding="ascii") as handle:
                    libc = ctypes.CDLL(None, use_errno=True)
                    if libc.setns(handle.fileno(), 0):
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

    def watch(self, pid):
        """Makes softirq_s() exclude softirqs that interrupt this process."""
        command(tool("bpftool"), "map", "update", "pinned", self.bpffs / "softirq_server", "key",
                *["0"] * 4, "value", *map(str, pid.to_bytes(4, sys.byteorder)))

    def softirq_s(self):
        shown = json.loads(command(tool("bpftool"), "-j", "map", "dump", "pinned",
                                   self.bpffs / "softirq_times"))
        values = {int(one["cpu"]): one["value"] for one in shown[0]["formatted"]["values"]}
        return values[self.host_cpu]["outside_ns"] / 1e9

    def remove(self):
        shutil.rmtree(self.bpffs, ignore_errors=True)
        for netns in self.netns.values():
            if os.path.exists(f"/run/netns/{netns}"):
                command(tool("ip"), "netns", "del", netns)
        self.state.cleanup()
        # left over by a server without privileges
        pathlib.Path(f"/run/sluice/{self.name}.sock").unlink(missing_ok=True)


def complete_checksums(device):
    value = array.array("B", struct.pack("II", 0x17, 0))  # ETHTOOL_STXCSUM: off
    request = struct.pack("16sP", device.encode(), value.buffer_info()[0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, 0x8946, request)


def wakeups(pid):
    tasks = pathlib.Path(f"/proc/{pid}/task").glob("*/status")
    return sum(int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", task.read_text(),
                             re.MULTILINE)[1]) for task in tasks)


# --- the servers

class Server:
    """A server in host, on its CPU."""

    def __init__(self, rig, options, kind):
        self.rig, self.kind = rig, kind
        if kind == "coturn":
            words = [self.coturn(options), "-n", "--stun-only", "--listening-port", str(PORT),
                     "--listening-ip", HOST[4], "--listening-ip", HOST[6], "--no-tcp", "--no-tls",
                     "--no-dtls", "--no-cli", "--log-file", "stdout", "--pidfile",
                     str(rig.home / "coturn.pid")]
        elif kind == "floor":
            command(tool("ip"), "-n", rig.netns["host"], "link", "set", "veth0", "xdpgeneric",
                    "object", options.build / "tools/reflect.bpf.o", "section", "xdp")
            words = ["sleep", "infinity"]
        else:
            words = [options.sluice, "rendezvous", "serve", "--name", rig.name, "--listen",
                     f"{HOST[4]}:{PORT},[{HOST[6]}]:{PORT}", "--rate", "0", "--key-file",
                     rig.home / "key", "--peers", rig.home / "peers"]
            words += ["--xdp", "veth0"] if kind.endswith("--xdp") else []
        self.log = open(rig.home / "log", "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            rig.inside("host") + words, stdin=subprocess.DEVNULL, stdout=self.log,
            stderr=subprocess.STDOUT, start_new_session=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {rig.host_cpu}))

    @staticmethod
    def coturn(options):
        path = options.build / "servers/usr/bin/turnserver"
        return str(path) if path.exists() else tool("turnserver")

    def __enter__(self):
        for _ in range(200):
            if self.process.poll() is not None:
                break
            if self.rig.python(self.rig.netns["far"], answers):
                return self
            time.sleep(0.1)
        self.log.seek(0)
        self.__exit__()
        raise BenchError(f"{self.kind} does not answer:\n{self.log.read()}")

    def __exit__(self, *_):
        if self.kind == "floor":
            command(tool("ip"), "-n", self.rig.netns["host"], "link", "set", "veth0", "xdpgeneric",
                    "off")
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def answers():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.2)
        sock.connect((HOST[4], PORT))
        try:
            sock.send(build(BINDING, REQUEST, os.urandom(12), []))
            return bool(sock.recv(2048))
        except OSError:
            return False


class Keys:
    """The peers of the server, which refresh their registrations."""

    def __init__(self, rig):
        secrets = [os.urandom(32) for _ in range(PEERS + 1)]
        text = [base64.b64encode(secret).decode() for secret in secrets]
        public = [base64.b64encode(public_of(secret)).decode() for secret in secrets]
        (rig.home / "key").write_text(text[0] + "\n", encoding="ascii")
        os.chmod(rig.home / "key", 0o600)
        (rig.home / "peers").write_text("".join(
            f"peer{i} {public[i]}\n" for i in range(1, PEERS + 1)), encoding="ascii")
        self.secrets, self.server = text, public[0]

    def refreshes(self):
        """Registers the peers, from far. Returns the refresh of each as (port, hex)."""
        found = []
        for i in range(1, PEERS + 1):
            peer = Peer(f"peer{i}", self.secrets[i], self.server, (HOST[4], PORT),
                        local=(FAR[4], FIRST_PORT + i))
            if peer.register().kind != SUCCESS:
                raise BenchError(f"peer{i} is refused")
            mac = siphash(peer.token_key, peer.registration + mapped(*peer.mapped))
            token = peer.registration + struct.pack("<Q", mac)
            found.append((FIRST_PORT + i, build(REFRESH, REQUEST, bytes(12), [(TOKEN, token)]).hex()))
        return found


# --- part "beside"

def generate(rig, options, version, datagrams, ms):
    done = subprocess.run(
        rig.inside("far") + [options.build / "tests/udp-requests", HOST[version], str(PORT), str(ms)],
        input="".join(f"{port} {text}\n" for port, text in datagrams), capture_output=True,
        text=True, start_new_session=True, timeout=60 + ms / 1000,
        preexec_fn=lambda: os.sched_setaffinity(0, {rig.far_cpu}))
    if done.returncode:
        raise BenchError(done.stderr.strip())
    return json.loads(done.stdout)


def slice_of(rig, options, server, version, datagrams):
    generate(rig, options, version, datagrams, 100)  # warms up
    pid = server.process.pid
    softirq, began, run, woken = rig.softirq_s(), time.monotonic(), run_s(pid), wakeups(pid)
    found = generate(rig, options, version, datagrams, options.slice)
    found["wakeups"], found["server_s"] = wakeups(pid) - woken, run_s(pid) - run
    softirq, wall = rig.softirq_s() - softirq, time.monotonic() - began
    before, began = rig.softirq_s(), time.monotonic()
    time.sleep(options.slice / 4000)
    found["background"] = (rig.softirq_s() - before) / (time.monotonic() - began)
    found["softirq_s"] = softirq - found["background"] * wall
    found["cpu_s"] = found["server_s"] + found["softirq_s"]
    return found


def one_server(rig, options, kind, keys):
    bare = build(BINDING, REQUEST, bytes(12), []).hex()
    found = []
    with Server(rig, options, kind) as server:
        rig.watch(server.process.pid)
        for load, version in LOADS.items():
            if version:
                datagrams = [(0, bare)] * SOCKETS
            elif not kind.startswith("sluice"):
                continue
            else:
                datagrams = rig.python(rig.netns["far"], keys.refreshes)
            found.append({"server": kind, "load": load,
                          **slice_of(rig, options, server, version or 4, datagrams)})
    return found


def beside(rig, options):
    keys, slices = Keys(rig), []
    for _ in range(options.rounds):
        for kind in random.sample(SERVERS, len(SERVERS)):
            slices += one_server(rig, options, kind, keys)
    rows = []
    for load in LOADS:
        for kind in SERVERS:
            those = [s for s in slices if (s["server"], s["load"]) == (kind, load) and s["answered"]]
            if those:
                rows.append({
                    "server": kind, "load": load,
                    "per_s": statistics.median(s["answered"] / s["seconds"] for s in those),
                    "ns": statistics.median(s["cpu_s"] * 1e9 / s["answered"] for s in those),
                    "amplification": sum(s["bytes_in"] for s in those) /
                    sum(s["bytes_out"] * s["answered"] / s["sent"] for s in those),
                    "wakeups": statistics.median(s["wakeups"] / s["seconds"] for s in those),
                    "softirq": sum(s["softirq_s"] for s in those) / sum(s["cpu_s"] for s in those),
                    "background": statistics.median(s["background"] for s in those),
                    "lost": sum(s["sent"] - s["answered"] for s in those)})
    return {"slices": slices, "rows": rows}


def print_beside(found):
    print(f"\n{'':<32} {'answers/s':>9} {'ns of CPU':>9} {'softirq':>7} {'of coturn':>9} "
          f"{'out/in':>6} {'wake-ups/s':>10} {'lost':>4}")
    rows = found["rows"]
    for row in rows:
        base = [r["ns"] for r in rows if (r["server"], r["load"]) == ("coturn", row["load"])]
        share = f"1/{base[0] / row['ns']:.1f}" if base and row["server"] != "coturn" and \
            row["ns"] > 0 else ""
        print(f"  {row['load']:<15}{row['server']:<15} {row['per_s']:>9.0f} {row['ns']:>9.0f} "
              f"{row['softirq']:>7.0%} {share:>9} {row['amplification']:>6.2f} "
              f"{row['wakeups']:>10.1f} {row['lost']:>4}")
    for row in rows:
        if row["load"] == "refresh":  # which other servers lack
            print(f"  a million peers at {INTERVAL_S} s, {row['server']}: "
                  f"{row['ns'] * 1e-9 * 1e6 / INTERVAL_S:.1%} of a core")
    print("  targets: 1/20 of coturn; 1.6 (IPv4) and 2.2 (IPv6) out/in of bare requests, 1.0 of "
          "refreshes;\n  no wake-ups by requests that XDP answers (a timer renews its lease each 3 s)")
    print(f"  softirq without load: up to {max(row['background'] for row in rows):.1%} of the CPU")


# --- part "program"

def test_run(prog_fd, frame):
    """Runs the program once. Returns its result and its run time in ns."""
    data = ctypes.create_string_buffer(frame, len(frame))
    attributes = struct.pack("IIIIQQII8xQQ", prog_fd, 0, len(frame), 0, ctypes.addressof(data), 0,
                             1, 0, 0, 0)
    after = bpf(PROG_TEST_RUN, attributes + bytes(16))[1]
    return struct.unpack_from("I", after, 4)[0], struct.unpack_from("I", after, 36)[0]


def checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def frame_of(version, port, payload):
    """Returns an Ethernet frame from far to the server."""
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    source, target = (socket.inet_pton(family, place[version]) for place in (FAR, HOST))
    udp = struct.pack(">HHHH", port, PORT, 8 + len(payload), 0) + payload
    check = checksum(source + target + struct.pack(">HH", 17, len(udp)) + udp) or 0xFFFF
    udp = udp[:6] + struct.pack(">H", check) + udp[8:]
    if version == 4:
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + source + target
        ip = ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:]
    else:
        ip = struct.pack(">IHBB", 6 << 28, len(udp), 17, 64) + source + target
    return bytes([2]) + bytes(11) + (b"\x08\x00" if version == 4 else b"\x86\xdd") + ip + udp


def program(rig, options):
    keys, found = Keys(rig), []
    with Server(rig, options, "sluice --xdp"):
        port, refresh = rig.python(rig.netns["far"], keys.refreshes)[0]
        links = json.loads(command(tool("ip"), "-n", rig.netns["host"], "-d", "-j", "link", "show",
                                   "dev", "veth0"))
        fd = bpf(PROG_GET_FD_BY_ID, struct.pack("III", links[0]["xdp"]["prog"]["id"], 0, 0))[0]
        bare = build(BINDING, REQUEST, bytes(12), [])
        signed = build(BINDING, REQUEST, bytes(12), [], fingerprint=True)
        frames = {"other traffic: UDP that is no STUN": (2, frame_of(4, 5, bytes(20))),
                  "Binding, IPv4": (3, frame_of(4, 5, bare)),
                  "Binding, IPv6": (3, frame_of(6, 5, bare)),
                  "Binding with FINGERPRINT, IPv4": (3, frame_of(4, 5, signed)),
                  "refresh, IPv4": (3, frame_of(4, port, bytes.fromhex(refresh)))}
        for label, (wanted, frame) in frames.items():
            runs = [test_run(fd, frame) for _ in range(options.runs)]
            if {result for result, _ in runs} != {wanted}:
                raise BenchError(f"{label}: unexpected results of the program")
            found.append({"frame": label, "ns": statistics.median(ns for _, ns in runs)})
        os.close(fd)
    return found


def print_program(found):
    print("\none run of the XDP program, ns (with the 20 to 50 of the measurement)")
    for row in found:
        print(f"  {row['frame']:<38} {row['ns']:>6.0f}")


# --- part "peers"

def peers(rig, options):
    return command(options.build / "tools/rendezvous").splitlines()


def print_peers(found):
    print("\na million registrations, without system calls (target: 400 bytes)")
    for line in found:
        print(f"  {line}")


# --- all

def parse_options(words):
    parser = argparse.ArgumentParser(
        prog="tools/bench/run rendezvous",
        description="What an answer of the rendezvous server costs, beside coturn.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--rounds", type=int, default=5, help="with new servers (5)")
    parser.add_argument("--slice", type=int, default=1000, help="ms of a load (1000)")
    parser.add_argument("--runs", type=int, default=2000, help="of the program for a frame (2000)")
    parser.add_argument("--json", type=pathlib.Path, help="default: build/bench-rendezvous.json")
    parser.add_argument("--sluice", type=pathlib.Path, help="default: build/sluice")
    parser.add_argument("--build", type=pathlib.Path, default=TOP / os.environ.get("BUILD", "build"))
    options = parser.parse_args(words)
    for part in options.parts:
        if part not in PARTS:
            parser.error(f"{part}: not one of {', '.join(PARTS)}")
    options.parts = options.parts or PARTS
    options.sluice = options.sluice or options.build / "sluice"
    options.json = options.json or options.build / "bench-rendezvous.json"
    return options


def main(words):
    options = parse_options(words)
    if os.geteuid():
        raise BenchError("needs root, for namespaces and programs")
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        raise BenchError("needs two CPUs: one for the requests, one for the server")
    found = {"kernel": platform.release(), "cpus": os.cpu_count()}
    print(f"kernel {found['kernel']}, {found['cpus']} CPUs")
    rig = Rig((cpus[0], cpus[-1]))
    try:
        rig.make(options.build)
        for part in options.parts:
            found[part] = globals()[part](rig, options)
            globals()[f"print_{part}"](found[part])
            sys.stdout.flush()
    finally:
        rig.remove()
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(dict(schema_version=1, **found), indent=1) + "\n",
                            encoding="utf-8")
    print(f"\nevery figure: {options.json}")
