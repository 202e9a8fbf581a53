# SPDX-License-Identifier: GPL-2.0-or-later
"""make bench BENCH=steer: compares steering with the kernel's own selection, and with the optimum.

Everything runs on the loopback device of a network namespace that exists while steer.c runs.
The command line of sluice loads its program. Then the selecting program is switched within
microseconds (steer.c, "use"), and the variants run in turn, in random order.

The balance is compared with the best that an assignment could reach without moving a flow: this
assignment knows all sizes in advance, and places the flows by falling size, each on the worker with
the least load so far (LPT, at most 4/3 of the optimum). No assignment is better than the heaviest
flow or the mean. For these flows LPT is within a per cent of that bound, so "best" is the optimum.
"online" knows the size of a flow at its start, but no later flows: a heavy flow that starts when
all workers have equal load overloads any of them.

The benchmark is a measurement: it never fails a build. It takes two to three minutes, mostly for
the drains of rolling restarts. To run only some parts, name them.
"""
import argparse
import array
import collections
import contextlib
import heapq
import itertools
import json
import os
import pathlib
import platform
import random
import re
import shutil
import statistics
import sys
import tempfile
import time

from bed import BenchError, Process, command, mounted, tool

PORT = 7000
FLOWS_EVEN = 1000
FLOWS_KNOWN = 1000
FLOOD = 5000
OVER_KERNEL = ("steered", "empty", "cbpf", "again")

# Settings of "balance".
WORKERS = 8
FLOWS = 2000
DATAGRAMS = 60000
RATE = 60000  # per second
RATE_MAX = 10**9
TRAIN = 40
CHOOSERS = ("kernel", "cbpf", "flow", "load")

RESTARTS = 20
KERNEL_PAUSE_S = 0.2
SOCKET_FREED_S = 1  # after the close; longer than an RCU grace period
IDLE_S = 1

Trace = collections.namedtuple("Trace", "label sizes order")


class Group:
    """A reuseport group with its clients (steer.c), and the sluice that steers it."""

    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.process = Process(options.build / "tools/steer", str(PORT), str(options.cpu))
        self.process.read()
        self.ask = self.process.ask

    def sluice(self, *words):
        return command(self.options.sluice, "--bpffs", self.folder / "sluice", "--netns",
                       str(self.process.popen.pid), *words)

    def workers(self, count):
        self.unload()
        self.ask(f"workers {count}")

    def load(self, policy, *words):
        """Loads steering. Returns the path of the pinned program, for ask("use PATH")."""
        self.sluice("steer", "load", "--port", str(PORT), "--policy", policy, *words)
        pins = [pin for pin in (self.folder / "sluice/steer").glob(f"{PORT}_*/*")
                if pin.name == "sluice_steer"]
        if len(pins) != 1:
            raise BenchError(f"expected one pinned program, found {pins}")
        return pins[0]

    def empty(self):
        """Returns the path of an empty program: the floor."""
        pin = self.folder / "empty"
        if not pin.exists():
            command(tool("bpftool"), "prog", "load",
                    self.options.build / "tools/steer_empty.bpf.o", pin)
        return pin

    def unload(self):
        if (self.folder / "sluice").exists():
            self.sluice("steer", "unload")



@contextlib.contextmanager
def group_of(options):
    """A context with a group. Removes its sockets, pins and all other state at the end."""
    folder = mounted("bpf") / f"sluice-bench-steer-{os.getpid()}"
    folder.mkdir()
    group = Group(options, folder)
    try:
        yield group
    finally:
        try:
            group.process.stop()
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def shuffled(items):
    return random.sample(list(items), len(items))


def show_progress(text):
    if sys.stderr.isatty():
        print(f"\r{text:<40}\r", end="", file=sys.stderr, flush=True)


# --- received datagrams

def turns(group, choosers, rounds, line):
    """Returns {label: [answer of each round]}. A round runs all choosers, in random order."""
    runs = {label: [] for label in choosers}
    for _ in range(rounds):
        for label in shuffled(choosers):
            group.ask(f"use {choosers[label]}")
            runs[label].append(group.ask(line))
    return runs


def rate(run):
    return run["received"] / run["wall_ns"]


def per_cpu(run):
    return run["received"] / run["cpu_ns"]


def ratio(runs, over, under, value):
    """Returns the median over the rounds, and its quartiles."""
    pairs = [value(a) / value(b) for a, b in zip(runs[over], runs[under])]
    low, _, high = statistics.quantiles(pairs, n=4, method="inclusive")
    return {"ratio": statistics.median(pairs), "quartiles": [low, high]}


def throughput_of(group, workers, family, policy, options):
    group.workers(workers)
    group.ask(f"clients {FLOWS_EVEN} {family}")
    choosers = {"steered": group.load(policy), "kernel": "kernel", "cbpf": "cbpf",
                "empty": group.empty(), "again": "kernel"}
    group.ask("even 30")
    even = turns(group, choosers, options.rounds, f"even {options.slice}")
    flood = turns(group, choosers, options.rounds, f"flood {FLOOD}")
    ns = {label: statistics.median(1 / per_cpu(run) for run in even[label]) for label in choosers}
    return {"workers": workers, "family": family, "policy": policy, "ns": ns,
            "cpu": {over: ratio(even, over, "kernel", per_cpu)
                    for over in OVER_KERNEL},
            "wall": {over: ratio(flood, over, "kernel", rate)
                     for over in OVER_KERNEL},
            "per_second": statistics.median(rate(run) * 1e9 for run in flood["steered"])}


def throughput(group, options):
    rows = []
    for workers, family, policy in ((4, 4, "flow"), (16, 4, "flow"), (4, 4, "load"),
                                    (16, 4, "load"), (4, 6, "flow")):
        show_progress(f"throughput, {workers} workers, {policy}")
        rows.append(throughput_of(group, workers, family, policy, options))
    return rows


def print_throughput(rows):
    print(f"\n{'received datagrams, over the kernel’s own choice':<43} ns each     CPU time        "
          "        2 CPUs  target")
    for row in rows:
        label = f"IPv{row['family']}, {row['workers']} workers, policy {row['policy']}"
        low, high = row["cpu"]["steered"]["quartiles"]
        print(f"  {label:<41} {row['ns']['kernel']:>4.0f} → {row['ns']['steered']:>4.0f}  "
              f"{row['cpu']['steered']['ratio']:.3f}  {low:.3f} … {high:.3f}  "
              f"{row['wall']['steered']['ratio']:>6.3f}  0.98")
    for name, label in (("empty", "an empty program, over the kernel’s"),
                        ("cbpf", "a classic BPF hash, over the kernel’s"),
                        ("again", "noise: the kernel’s, over the same")):
        ns, base = (statistics.median(row["ns"][who] for row in rows) for who in (name, "kernel"))
        cpu = [row["cpu"][name]["ratio"] for row in rows]
        wall = [row["wall"][name]["ratio"] for row in rows]
        print(f"  {label:<41} {base:>4.0f} → {ns:>4.0f}  "
              f"{statistics.median(cpu):.3f}  {min(cpu):.3f} … {max(cpu):.3f}  "
              f"{statistics.median(wall):>6.3f}")
    rates = [row["per_second"] for row in rows]
    print(f"  2 CPUs: the sender on one, the workers on the other; {min(rates) / 1000:.0f} to "
          f"{max(rates) / 1000:.0f} thousand datagrams a second")


# --- balance of the workers

def zipf_sizes(exponent):
    """Returns the sizes of FLOWS flows, by rank; each flow has at least one datagram."""
    weights = [1 / rank ** exponent for rank in range(1, FLOWS + 1)]
    unit = DATAGRAMS / sum(weights)
    return [max(1, round(weight * unit)) for weight in weights]


def zipf_trace(exponent, draw):
    """Returns the datagrams of all flows at once, in random order."""
    sizes = zipf_sizes(exponent)
    draw.shuffle(sizes)
    order = array.array("H", (flow for flow, size in enumerate(sizes) for _ in range(size)))
    draw.shuffle(order)
    return Trace(f"Zipf s={exponent}", sizes, order)


def trains_trace(label, exponent, train, draw, late=0.0):
    """
    Returns a trace in which each flow sends trains of back-to-back datagrams at random times. With
    `late`, a flow starts at a random time before this fraction of the run.
    """
    sizes = zipf_sizes(exponent)
    draw.shuffle(sizes)
    sendings = []
    for flow, size in enumerate(sizes):
        begin = draw.random() * late
        sendings += [(draw.uniform(begin, 1), flow, min(train, size - done))
                     for done in range(0, size, train)]
    order = array.array("H")
    for _, flow, count in sorted(sendings):
        order.extend(itertools.repeat(flow, count))
    return Trace(label, sizes, order)


def make_traces(seeds):
    for seed in range(1, seeds + 1):
        for exponent in (1.0, 1.2):
            yield zipf_trace(exponent, random.Random(seed))
        yield trains_trace(f"Zipf s=1.0, bursts of {TRAIN}", 1.0, TRAIN, random.Random(seed))
        yield trains_trace("Zipf s=1.0, one by one", 1.0, 1, random.Random(seed), late=0.8)


def imbalance(loads):
    return max(loads) / statistics.mean(loads)


def best_online(trace, workers):
    """Returns the best balance if the size of a flow is known at its start, but no later flow."""
    loads, begun = [0] * workers, set()
    for flow in trace.order:
        if flow not in begun:
            begun.add(flow)
            heapq.heapreplace(loads, loads[0] + trace.sizes[flow])
    return imbalance(loads)


def best_sticky(sizes, workers):
    loads = [0] * workers
    for size in sorted(sizes, reverse=True):
        heapq.heapreplace(loads, loads[0] + size)
    return imbalance(loads)


def bound_sticky(sizes, workers):
    return max(1.0, max(sizes) * workers / sum(sizes))


def play(group, who, path):
    """Replays on new sockets and a new table, without state of the previous replay."""
    group.workers(WORKERS)
    if who in ("flow", "load"):
        group.load(who)
        # for this time, policy load keeps the kernel's placement of flows
        time.sleep(5.2 if who == "load" else 0)
    else:
        group.ask(f"use {who}")
    # a hash does not depend on time
    result = group.ask(f"replay {path} {RATE if who == 'load' else RATE_MAX}")
    return {"imbalance": imbalance(result["received"]), "received": result["received"],
            "lost": result["sent"] - sum(result["received"])}


def balance(group, options, folder):
    rows = []
    path = folder / "trace"
    group.ask(f"clients {FLOWS} 4")
    for trace in make_traces(options.seeds):
        show_progress(f"balance, {trace.label}")
        path.write_bytes(trace.order.tobytes())
        rows.append({"trace": trace.label, "best": best_sticky(trace.sizes, WORKERS),
                     "online": best_online(trace, WORKERS),
                     "bound": bound_sticky(trace.sizes, WORKERS),
                     **{who: play(group, who, path) for who in CHOOSERS}})
    return rows


def print_balance(rows):
    print(f"\n{f'max over mean, {WORKERS} workers, {FLOWS} flows':<32} kernel   cBPF   flow   load"
          "   best  load/best (of seeds) target online  load/online")
    for label in dict.fromkeys(row["trace"] for row in rows):
        those = [row for row in rows if row["trace"] == label]
        middle = [statistics.median(row[who]["imbalance"] for row in those)
                  for who in CHOOSERS]
        over, beside = ([row["load"]["imbalance"] / row[what] for row in those]
                        for what in ("best", "online"))
        print(f"  {label:<30} " + " ".join(f"{value:>6.2f}" for value in middle) +
              f" {statistics.median(row['best'] for row in those):>6.2f}"
              f"  {statistics.median(over):>8.2f} ({min(over):.2f} … {max(over):.2f})  1.10"
              f"  {statistics.median(row['online'] for row in those):>6.2f}"
              f" {statistics.median(beside):>12.2f}")
    lost = sum(row[who]["lost"] for row in rows for who in CHOOSERS)
    if lost:
        print(f"  note: {lost} datagrams were lost")


# --- ns per decision

def cost_since(group, before):
    after = group.ask("cost")
    runs = after["run_cnt"] - before["run_cnt"]
    return (after["run_time_ns"] - before["run_time_ns"]) / max(runs, 1)


def cost_known(group, use, options):
    group.ask(f"use {use}")
    group.ask("even 2")
    before = group.ask("cost")
    group.ask(f"even {options.slice}")
    return cost_since(group, before)


def cost_new(group, use, family):
    group.ask(f"use {use}")
    before = group.ask("cost")
    group.ask(f"fresh 2048 {family} 1")
    return cost_since(group, before)


def decision_of(group, policy, empty, options):
    """Returns the medians of runs in turn, minus the empty program's in the same round."""
    rows = []
    group.workers(WORKERS)
    program = group.load(policy)
    for family in (4, 6):
        runs = {"one": [], "known": [], "new": [], "empty": []}
        for _ in range(options.cost_rounds):
            group.ask(f"clients 1 {family}")
            runs["one"].append(cost_known(group, program, options))
            group.ask(f"clients {FLOWS_KNOWN} {family}")
            runs["known"].append(cost_known(group, program, options))
            runs["empty"].append(cost_known(group, empty, options))
            runs["new"].append(cost_new(group, program, family))
        empty_ns = runs.pop("empty")
        rows.append({"policy": policy, "family": family, "empty": statistics.median(empty_ns),
                     **{key: statistics.median(a - b for a, b in zip(values, empty_ns))
                        for key, values in runs.items()}})
    return rows


def decision(group, options):
    empty = group.empty()
    group.ask("count")
    rows = []
    for policy in ("flow", "load", "source", "cpu"):
        show_progress(f"decision, {policy}")
        rows += decision_of(group, policy, empty, options)
    return rows


def print_decision(rows):
    print(f"\n{'ns for a decision, less an empty program’s':<32}   1 flow "
          f"{FLOWS_KNOWN:>5} flows  new flows  (empty)  target")
    for row in rows:
        label = f"policy {row['policy']}, IPv{row['family']}"
        values = [row[kind] for kind in ("one", "known", "new")]
        print(f"  {label:<30} {values[0]:>9.0f} {values[1]:>11.0f} {values[2]:>10.0f} "
              f"{row['empty']:>8.0f}    {30 if row['policy'] == 'flow' else 65}")


# --- memory

def map_bytes(folder):
    """Returns {map: bytes that the kernel charges for it}."""
    found = {}
    for pin in folder.glob(f"sluice/steer/{PORT}_*/*"):
        with contextlib.suppress(BenchError):
            shown = json.loads(command(tool("bpftool"), "-j", "map", "show", "pinned", pin))
            found[pin.name] = shown["bytes_memlock"]
    return found


def counter(folder, name):
    names = re.findall(r"X\((\w+),", re.search(
        r"#define SLUICE_STEER_COUNTERS\(X\).*?\n\n",
        (pathlib.Path(__file__).resolve().parents[2] / "include/sluice/counters.h").read_text(),
        re.DOTALL).group())
    pin, = folder.glob(f"sluice/steer/{PORT}_*/sluice_counters")
    dump = json.loads(command(tool("bpftool"), "-j", "map", "dump", "pinned", pin))
    return sum(int.from_bytes(bytes(int(byte, 16) for byte in cpu["value"]), "little") >>
               64 * names.index(name) & (1 << 64) - 1 for cpu in dump[0]["values"])


def memory_of(group, room, flows):
    group.workers(WORKERS)
    group.load("flow", "--flows", str(room))
    group.ask(f"fresh {flows} 4 2")
    sizes = map_bytes(group.folder)
    return {"room": room, "flows": flows, "table": sizes["sluice_table"],
            "all": sum(sizes.values()),
            # for each of the two datagrams
            "unrecorded": counter(group.folder, "unrecorded") / 2 +
            counter(group.folder, "half_open_lost")}


def memory(group, options):
    show_progress("memory")
    return [memory_of(group, 2000000, 1000000)]


def print_memory(rows):
    print(f"\n{'memory':<32}  flows table  all maps  flows live  not on record")
    for row in rows:
        label = f"--flows {row['room']}"
        print(f"  {label:<32} {row['table'] / 1e6:>7.1f} MB {row['all'] / 1e6:>6.1f} MB "
              f"{row['flows']:>11} {row['unrecorded'] / row['flows']:>13.2%}")


# --- rolling restarts

class Restarts:
    """Runs successive instances of a server (steer_worker.c) under short-lived flows."""

    def __init__(self, group, folder, family):
        self.group, self.folder, self.family = group, folder, family
        self.results = []

    def start(self):
        pid = self.group.process.popen.pid
        worker = Process(self.group.options.build / "tools/steer_worker", str(PORT),
                         f"/proc/{pid}/ns/net", self.folder / "owners", str(self.family))
        worker.read()
        return worker

    def stop(self, worker):
        self.results.append(worker.ask("end"))
        worker.stop()

    def by_kernel(self, old):
        new = self.start()
        time.sleep(KERNEL_PAUSE_S)
        self.stop(old)
        time.sleep(KERNEL_PAUSE_S)
        return new

    def by_sluice(self, old):
        """Restarts as administrators do: starts a new instance, drains and stops the old
        instance."""
        new = self.start()
        self.group.sluice("steer", "drain", str(old.popen.pid), "--wait", "10")
        self.stop(old)
        return new

    def run(self, who):
        restart = {"kernel": self.by_kernel, "sluice": self.by_sluice}[who]
        (self.folder / "owners").unlink(missing_ok=True)
        build = self.group.options.build / "tools"
        unread = Process(build / "freed", build / "freed.bpf.o", str(PORT))
        unread.read()
        worker = self.start()
        try:
            if who == "sluice":
                self.group.load("flow", "--idle", str(IDLE_S))
            self.group.ask("churn 4")
            for number in range(RESTARTS):
                show_progress(f"restart {number + 1} of {RESTARTS}")
                worker = restart(worker)
            sent = self.group.ask("end")
            time.sleep(0.1)
        finally:
            self.stop(worker)
        time.sleep(SOCKET_FREED_S)
        freed = unread.ask("end")
        unread.stop()
        return {**sent, "freed": freed, "moved": sum(result["moved"] for result in self.results),
                "lost": sent["sent"] - sum(result["received"] for result in self.results)}


def restarts(group, options, folder):
    group.workers(0)
    return {f"{who}{family}": Restarts(group, folder, family).run(who)
            for family in (4, 6) for who in ("kernel", "sluice")}


def print_restarts(results):
    print(f"\n{f'{RESTARTS} rolling restarts':<32}     flows  datagrams  flows moved   lost  target")
    for who, result in results.items():
        label = {"kernel4": "the kernel’s own choice, IPv4", "sluice4": "steered, with drain, IPv4",
                 "kernel6": "the kernel’s own choice, dual", "sluice6": "steered, with drain, dual"}[who]
        print(f"  {label:<32} {result['flows']:>7} {result['sent']:>10} {result['moved']:>12} "
              f"{result['lost']:>6}" + ("  0, 0" if who == "sluice4" else ""))
        for place, count in result["freed"].items():
            print(f"    freed unread in {place}: {count}")
    print("  a datagram that is freed as its socket is: the kernel queued it to a closing socket "
          "(make bench-close)")


# --- the whole

PARTS = ("throughput", "balance", "decision", "memory", "restarts")


def facts_of(options):
    return {"kernel": platform.release(), "cpus": os.cpu_count(), "pinned_cpu": options.cpu,
            "rounds": options.rounds, "slice_ms": options.slice, "seeds": options.seeds,
            "flows": FLOWS, "datagrams": DATAGRAMS, "rate": RATE}


def measure_part(part, options, folder):
    """Runs all parts, each in its own namespace."""
    with group_of(options) as group:
        return {"throughput": lambda: throughput(group, options),
                "balance": lambda: balance(group, options, folder),
                "decision": lambda: decision(group, options),
                "memory": lambda: memory(group, options),
                "restarts": lambda: restarts(group, options, folder)}[part]()


def bench(options):
    if os.geteuid():
        raise BenchError("needs root, for namespaces and programs")
    found, facts = {}, facts_of(options)
    print(f"kernel {facts['kernel']}, {facts['cpus']} CPUs; {options.rounds} runs of "
          f"{options.slice} ms each")
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as folder:
        for part in options.parts:
            found[part] = measure_part(part, options, pathlib.Path(folder))
            show_progress("")
            globals()[f"print_{part}"](found[part])
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(dict(schema_version=1, **facts, **found), indent=1) + "\n",
                            encoding="utf-8")
    print(f"\nevery single run: {options.json}")


def parse_options(words):
    top = pathlib.Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(prog="tools/bench/run steer",
                                     description="Steering beside the kernel's own choice.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--slice", type=int, default=20, help="milliseconds of each run (20)")
    parser.add_argument("--seeds", type=int, default=3, help="of each way to draw flows (3)")
    parser.add_argument("--cost-rounds", type=int, default=9)
    parser.add_argument("--cpu", type=int, default=max(os.sched_getaffinity(0)))
    parser.add_argument("--json", type=pathlib.Path, help="default: build/bench-steer.json")
    parser.add_argument("--sluice", type=pathlib.Path, help="default: build/sluice")
    parser.add_argument("--build", type=pathlib.Path,
                        default=top / os.environ.get("BUILD", "build"))
    options = parser.parse_args(words)
    for part in options.parts:
        if part not in PARTS:
            parser.error(f"{part}: not one of {', '.join(PARTS)}")
    options.parts = options.parts or PARTS
    options.sluice = options.sluice or options.build / "sluice"
    options.json = options.json or options.build / "bench-steer.json"
    return options


def main(words):
    bench(parse_options(words))
