# SPDX-License-Identifier: GPL-2.0-or-later
"""make bench BENCH=hold: what hold costs, and what it sends.

  timers    a million idle flows: memory in user space, CPU time of their timers (hold.c)
  maps      the kernel's memory for a table of a million flows, as the kernel charges it
  schedule  the keepalives of a mixed load, beside a fixed schedule of 15 s that ignores traffic

The schedule is measured in real time, at the default interval. A host behind a router has sockets
of four kinds, each with flows to the same number of peers. The router counts the datagrams. Then
the rows '^hold' of tools/bench/run follow, for round trips and bystanders.

The benchmark is a measurement: it never fails a build.
"""
import argparse
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import time

from bed import FAR, Bed, BenchError, command, tool

PORT = 7000
TABLE = 1000000
FIXED_S = 15
KINDS = {  # name: the words of hold_flows.py, active
    "sends every 5 s": (["--every", "5"], True),
    "sends every 12 s": (["--every", "12"], True),
    "silent": ([], False),
    "only receives, once a second": (["--ask", "1"], False),
}
PARTS = ("timers", "maps", "schedule")


def sluice(bed, options, *words):
    return command(options.sluice, "--bpffs", bed.bpffs / "sluice", "--cgroup",
                   bed.cgroup / "inside", *words)


# --- timers

def timers(bed, options):
    found = {}
    for line in command(options.build / "tools/hold", str(TABLE)).splitlines():
        label, value = re.fullmatch(r"(.*?)\s+([\d.]+)", line).groups() if not line.endswith(
            "flows") else ("flows", line.split()[0])
        found[label] = float(value)
    return found


def print_timers(found):
    targets = {"user space, bytes a flow": 100, "timers, % of a core": 10}
    print(f"\n{'timers':<40} {'measured':>10} {'target':>8}")
    for label, value in found.items():
        print(f"  {label:<38} {value:>10g} {targets.get(label, ''):>8}")


# --- maps

def maps(bed, options):
    sluice(bed, options, "--netns", "all", "hold", "load", "--port", "any", "--table", str(TABLE))
    try:
        stated = json.loads(sluice(bed, options, "-j", "hold", "show"))["hold"]["flows"]["bytes"]
        sizes = {}
        for pin in sorted((bed.bpffs / "sluice/hold").glob("sluice_*")):
            shown = json.loads(command(bed.bpftool, "-j", "map", "show", "pinned", pin))
            sizes[pin.name] = shown["bytes_memlock"]
    finally:
        sluice(bed, options, "hold", "unload")
    return {"flows": TABLE, "stated": stated, "sizes": sizes}


def print_maps(found):
    total = sum(found["sizes"].values())
    print(f"\n{'kernel maps of a million flows':<40} {'MB':>10} {'bytes a flow':>14}")
    for name, size in found["sizes"].items():
        if size >= found["flows"]:
            print(f"  {name:<38} {size / 1e6:>10.1f} {size / found['flows']:>14.1f}")
    print(f"  {'all':<38} {total / 1e6:>10.1f} {total / found['flows']:>14.1f}")
    print(f"  {'as hold show states':<38} {found['stated'] / 1e6:>10.1f}")


# --- schedule

def in_netns(bed, place, *words):
    return [tool("nsenter"), f"--net=/run/netns/{bed.netns[place]}", *map(str, words)]


class Background:
    """Runs processes in the namespaces of the bed, and stops them."""

    def __init__(self):
        self.processes = []

    def start(self, words, cgroup, ready):
        process = subprocess.Popen(
            ["sh", "-c", f'echo $$ >{cgroup}/cgroup.procs && exec "$@"', "sh", *words],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
        self.processes.append(process)
        for line in process.stdout:
            if ready in line:
                return
        raise BenchError(f"{' '.join(words)} ended: {process.wait()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.communicate()


def counted(bed):
    """Returns the number of datagrams that have passed the router toward the peers."""
    found = json.loads(command(*in_netns(bed, "host", tool("nft"), "-j", "list", "counter", "ip",
                                         "bench", "sent")))
    return found["nftables"][1]["counter"]["packets"]


def flows_of(bed, options):
    return json.loads(sluice(bed, options, "-j", "hold", "flows"))["flows"]


def schedule(bed, options):
    program = [sys.executable, str(pathlib.Path(__file__).with_name("hold_flows.py"))]
    config = bed.bpffs.name + ".conf"
    config = pathlib.Path(os.environ.get("TMPDIR", "/tmp")) / config
    command(*in_netns(bed, "host", tool("nft"), "-f", "-"), input=f"""table ip bench {{
        counter sent {{ }}
        chain count {{
            type filter hook prerouting priority filter
            iifname br0 udp dport {PORT}-{PORT + options.flows - 1} udp length 8 counter name sent
        }}
    }}""")
    config.write_text(f"[hold]\nport = {PORT}-{PORT + options.flows - 1}\n"
                      f"cgroup = {bed.cgroup / 'inside'}\n")
    try:
        with Background() as run:
            run.start(in_netns(bed, "guest", options.sluice, "--bpffs", bed.bpffs / "sluice", "run",
                               "--config", config), bed.cgroup / "outside", "hold is active")
            run.start(in_netns(bed, "far", *program, "server", PORT, options.flows),
                      bed.cgroup / "outside", "ready")
            for number, (words, _) in enumerate(KINDS.values()):
                run.start(in_netns(bed, "guest", *program, "client", FAR[4], PORT, options.flows,
                                   4000 + number, *words), bed.cgroup / "inside", "ready")
            # ignore datagrams that are sent before all flows are tracked
            before, sent_before, began = flows_of(bed, options), counted(bed), time.monotonic()
            if len(before) != len(KINDS) * options.flows:
                raise BenchError(f"{len(before)} flows are tracked of "
                                 f"{len(KINDS) * options.flows}")
            time.sleep(options.seconds)
            after, seconds = flows_of(bed, options), time.monotonic() - began
            at_router = counted(bed) - sent_before
    finally:
        config.unlink(missing_ok=True)
        sluice(bed, options, "cleanup")
    rows = []
    for number, (kind, (_, active)) in enumerate(KINDS.items()):
        sent = [sum(flow["sent"] for flow in flows if flow["local_port"] == 4000 + number)
                for flows in (before, after)]
        rows.append({"kind": kind, "active": active, "flows": options.flows,
                     "sent": sent[1] - sent[0],
                     "fixed": round(options.flows * seconds / FIXED_S)})
    return {"seconds": seconds, "at_router": at_router, "rows": rows}


def print_schedule(found):
    rows = found["rows"]
    print(f"\n{'keepalives in ' + format(found['seconds'], '.0f') + ' s':<40} {'flows':>6} "
          f"{'sent':>7} {'fixed':>7} {'ratio':>6}  target")
    rows = rows + [{"kind": "all", "active": False, "flows": sum(row["flows"] for row in rows),
                    "sent": sum(row["sent"] for row in rows),
                    "fixed": sum(row["fixed"] for row in rows)}]
    for row in rows:
        target = "0.00" if row["active"] else "0.50" if row["kind"] == "all" else ""
        print(f"  {row['kind']:<38} {row['flows']:>6} {row['sent']:>7} {row['fixed']:>7} "
              f"{row['sent'] / row['fixed']:>6.2f}  {target:>6}")
    print(f"  {'seen by the router':<38} {'':>6} {found['at_router']:>7}")


# --- all

def bench(options):
    if os.geteuid():
        raise BenchError("needs root, for namespaces and programs")
    for path in (options.build / "tools/hold", options.sluice):
        if not path.exists():
            raise BenchError(f"{path} is missing: make bench builds it")
    found = {"kernel": platform.release(), "cpus": os.cpu_count()}
    print(f"kernel {found['kernel']}, {found['cpus']} CPUs")
    bed = Bed(options.build, max(os.sched_getaffinity(0)))
    try:
        bed.make()
        for part in options.parts:
            found[part] = globals()[part](bed, options)
            globals()[f"print_{part}"](found[part])
            sys.stdout.flush()
    finally:
        bed.remove()
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(dict(schema_version=1, **found), indent=1) + "\n",
                            encoding="utf-8")
    print(f"\nevery figure: {options.json}")


def parse_options(words):
    top = pathlib.Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(
        prog="tools/bench/run hold",
        description="What hold costs and sends. Without PART also the rows '^hold'.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--flows", type=int, default=250, help="of each kind (250)")
    parser.add_argument("--seconds", type=int, default=180, help="of the schedule (180)")
    parser.add_argument("--json", type=pathlib.Path, help="default: build/bench-hold.json")
    parser.add_argument("--sluice", type=pathlib.Path, help="default: build/sluice")
    parser.add_argument("--build", type=pathlib.Path,
                        default=top / os.environ.get("BUILD", "build"))
    options = parser.parse_args(words)
    for part in options.parts:
        if part not in PARTS:
            parser.error(f"{part}: not one of {', '.join(PARTS)}")
    options.rows = not options.parts
    options.parts = options.parts or PARTS
    options.sluice = options.sluice or options.build / "sluice"
    options.json = options.json or options.build / "bench-hold.json"
    return options


def main(words):
    """Returns True if the rows of hold must follow."""
    options = parse_options(words)
    bench(options)
    return options.rows
