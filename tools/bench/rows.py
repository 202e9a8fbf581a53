# SPDX-License-Identifier: GPL-2.0-or-later
"""The rows of the benchmark, and what they compare.

A *state* is a set of attached programs: none and again (both without programs); empty and source
(of empty.bpf.c); list and any (sluice in mode socket); tc-empty and wire (sluice in mode wire);
hold-empty and hold (sluice hold). A *load* is an echo process. A row compares two pairs "STATE
LOAD".

The base of mode wire is the same server and client without sluice, where the client sends to the
address that the kernel replies from: the packets take the same path, except for the rewriting.
Rejected as a base: a server that is bound to the requested address. It saves the kernel the
selection of a source, which is not a cost of sluice (and for IPv6 costs more than sluice; see the
floor).
"""
import collections

from bed import BRIDGE, FAR, GROUP, HOST, ROUTED, ROUTED_NET, VOID

Load = collections.namedtuple("Load", "words side to managed")
Row = collections.namedtuple("Row", "group label over under aim")
# From the kernel's statistics: the cost of a program in `over`, minus the cost of an empty program
# on the same hook in `under`.
Cost = collections.namedtuple("Cost", "program label over under")

# The ends of each load: echo's server, then its client.
SERVER_HERE = ("inside host", "outside far")
BOTH_HERE = ("inside host", "inside far")
CLIENT_HERE = ("outside far", "inside host")
BRIDGED = ("outside host", "outside guest")
FORWARDED = ("outside far", "outside guest")

BLOCK = "--inline --size 1400 --segments 40"

LOADS = {name: Load(*load) for name, load in {
    "echo4": ("sendto", SERVER_HERE, HOST[4], True),
    "echo4-1000": ("sendto --flows 1000", SERVER_HERE, HOST[4], True),
    "echo4-new": ("sendto --flows 0", SERVER_HERE, HOST[4], True),
    "echo6": ("sendto", SERVER_HERE, HOST[6], True),
    "echo46": ("sendto --dual-stack", SERVER_HERE, HOST[4], True),
    "echo4-both": ("sendto", BOTH_HERE, HOST[4], True),
    "echo4-inline": ("sendto --inline", SERVER_HERE, HOST[4], True),
    "echo6-inline": ("sendto --inline", SERVER_HERE, HOST[6], True),
    "pktinfo4": ("pktinfo", SERVER_HERE, HOST[4], True),
    "pktinfo6": ("pktinfo", SERVER_HERE, HOST[6], True),
    "pktinfo4-inline": ("pktinfo --inline", SERVER_HERE, HOST[4], True),
    "send4": ("send", CLIENT_HERE, FAR[4], False),
    "sink4": ("send", SERVER_HERE, HOST[4], True),
    "sink4-routed": ("send", SERVER_HERE, ROUTED, True),
    "sink4-cold": ("send --targets 32768", SERVER_HERE, ROUTED_NET, True),
    "sink4-group": (f"send --join {HOST[4]}", SERVER_HERE, GROUP, True),
    "send6": ("send", CLIENT_HERE, FAR[6], False),
    "send4-void": ("send", CLIENT_HERE, VOID, False),
    "send4-outside": ("send", ("outside far", "outside host"), FAR[4], False),
    "tcp4": ("pingpong", CLIENT_HERE, FAR[4], False),
    "tcp4-bulk": ("bulk --size 65536", CLIENT_HERE, FAR[4], False),

    "far4": ("sendto", BRIDGED, HOST[4], True),
    "far4-1000": ("sendto --flows 1000", BRIDGED, HOST[4], True),
    "far4-new": ("sendto --flows 0", BRIDGED, HOST[4], True),
    "far4-back": ("back", BRIDGED, HOST[4], True),
    "near4-back": ("back", BRIDGED, BRIDGE[4], True),
    "far6-back": ("back", BRIDGED, HOST[6], True),
    "near6-back": ("back", BRIDGED, BRIDGE[6], True),
    "far4-group": (f"send --join {BRIDGE[4]}", BRIDGED, GROUP, True),
    "far4-inline": ("sendto --inline", BRIDGED, HOST[4], True),
    "far4-bound": ("sendto --inline --bound", BRIDGED, HOST[4], True),
    "far6": ("sendto", BRIDGED, HOST[6], True),
    "far6-1000": ("sendto --flows 1000", BRIDGED, HOST[6], True),
    "far6-inline": ("sendto --inline", BRIDGED, HOST[6], True),
    "far6-bound": ("sendto --inline --bound", BRIDGED, HOST[6], True),
    "near4": ("sendto", BRIDGED, BRIDGE[4], True),
    "near4-1000": ("sendto --flows 1000", BRIDGED, BRIDGE[4], True),
    "near4-new": ("sendto --flows 0", BRIDGED, BRIDGE[4], True),
    "near4-inline": ("sendto --inline", BRIDGED, BRIDGE[4], True),
    "near6": ("sendto", BRIDGED, BRIDGE[6], True),
    "near6-1000": ("sendto --flows 1000", BRIDGED, BRIDGE[6], True),
    "near6-inline": ("sendto --inline", BRIDGED, BRIDGE[6], True),
    "block4": (f"block {BLOCK}", BRIDGED, HOST[4], True),
    "block4-gso": (f"block {BLOCK} --gso", BRIDGED, HOST[4], True),
    "block6": (f"block {BLOCK}", BRIDGED, HOST[6], True),
    "block6-gso": (f"block {BLOCK} --gso", BRIDGED, HOST[6], True),
    "blocks4": (f"block-back {BLOCK}", BRIDGED, HOST[4], True),
    "blocks4-near": (f"block-back {BLOCK}", BRIDGED, BRIDGE[4], True),
    "blocks4-gso": (f"block-back {BLOCK} --gso", BRIDGED, HOST[4], True),
    "blocks4-gso-near": (f"block-back {BLOCK} --gso", BRIDGED, BRIDGE[4], True),
    "blocks6": (f"block-back {BLOCK}", BRIDGED, HOST[6], True),
    "blocks6-near": (f"block-back {BLOCK}", BRIDGED, BRIDGE[6], True),
    "blocks6-gso": (f"block-back {BLOCK} --gso", BRIDGED, HOST[6], True),
    "blocks6-gso-near": (f"block-back {BLOCK} --gso", BRIDGED, BRIDGE[6], True),
    "other4": ("sendto --bound", BRIDGED, HOST[4], False),
    "other4-inline": ("sendto --inline --bound", BRIDGED, HOST[4], False),
    "other6-inline": ("sendto --inline --bound", BRIDGED, HOST[6], False),
    "forward4": ("sendto", FORWARDED, FAR[4], False),
    "forward4-inline": ("sendto --inline", FORWARDED, FAR[4], False),
    "forward4-managed": ("sendto --inline", FORWARDED, FAR[4], True),
    "forward6-managed": ("sendto --inline", FORWARDED, FAR[6], True),
    "bridged-tcp4": ("pingpong", BRIDGED, HOST[4], False),
    "bridged-tcp4-bulk": ("bulk --size 65536", BRIDGED, HOST[4], False),
    "forward-tcp4": ("pingpong", FORWARDED, FAR[4], False),
    "forward-tcp4-bulk": ("bulk --size 65536", FORWARDED, FAR[4], False),
}.items()}

SOCKET_ROWS = [
    Row("socket: round trips, over without sluice", *row) for row in (
        ("IPv4, 1 flow", "list echo4", "none echo4", 0.97),
        ("IPv4, 1000 flows", "list echo4-1000", "none echo4-1000", 0.97),
        ("IPv4, a new port each", "list echo4-new", "none echo4-new", 0.97),
        ("IPv4, dual-stack server", "list echo46", "none echo46", 0.97),
        ("IPv6, 1 flow", "list echo6", "none echo6", 0.97),
        ("IPv4, --port any", "any echo4", "none echo4", 0.97),
        ("IPv4, client in the cgroup too", "list echo4-both", "none echo4-both", 0.97),
        ("IPv4, no context switch", "list echo4-inline", "none echo4-inline", 0.97),
        ("IPv6, no context switch", "list echo6-inline", "none echo6-inline", 0.97),
    )
] + [
    Row("socket: over an IP_PKTINFO server without sluice", *row) for row in (
        ("IPv4, 1 flow", "list echo4", "none pktinfo4", 1.00),
        ("IPv6, 1 flow", "list echo6", "none pktinfo6", 1.00),
        ("IPv4, no context switch", "list echo4-inline", "none pktinfo4-inline", 1.00),
    )
] + [
    Row("socket: one way, over without sluice", *row) for row in (
        ("IPv4, a multicast receiver", "list sink4-group", "none sink4-group", 0.97),
        ("IPv4, to no interface's address", "list sink4-routed", "none sink4-routed", 0.97),
        ("the same, a new address each", "list sink4-cold", "none sink4-cold", None),
    )
] + [
    Row("socket: bystanders in the cgroup, over without", *row) for row in (
        ("IPv4 sends, --port LIST", "list send4", "none send4", 0.99),
        ("IPv4 sends, --port any", "any send4", "none send4", 0.99),
        ("IPv6 sends, --port LIST", "list send6", "none send6", 0.99),
        ("IPv4 sends to a device that drops", "list send4-void", "none send4-void", 0.99),
        ("IPv4 sends from outside the cgroup", "list send4-outside", "none send4-outside", 0.99),
        ("TCP round trips, --port LIST", "list tcp4", "none tcp4", 0.99),
        ("TCP round trips, --port any", "any tcp4", "none tcp4", 0.99),
        ("TCP, 64 KB each, --port LIST", "list tcp4-bulk", "none tcp4-bulk", 0.99),
    )
] + [
    Row("socket, the floor: other programs there, over none", *row) for row in (
        ("empty, IPv4 round trips", "empty echo4", "none echo4", None),
        ("empty, no context switch", "empty echo4-inline", "none echo4-inline", None),
        ("constant source, IPv4 round trips", "source echo4", "none echo4", None),
        ("constant source, no context switch", "source echo4-inline", "none echo4-inline", None),
        ("constant source, IPv6", "source echo6-inline", "none echo6-inline", None),
        ("empty, IPv4 sends", "empty send4", "none send4", None),
        ("empty, sends that are dropped", "empty send4-void", "none send4-void", None),
        ("empty, sends from outside the cgroup", "empty send4-outside", "none send4-outside", None),
        ("empty, TCP round trips", "empty tcp4", "none tcp4", None),
        ("no program, an IP_PKTINFO server", "none pktinfo4", "none echo4", None),
    )
] + [
    Row("socket, noise: without sluice, over the same", *row) for row in (
        ("IPv4, 1 flow", "again echo4", "none echo4", None),
        ("IPv4, no context switch", "again echo4-inline", "none echo4-inline", None),
        ("IPv4 sends", "again send4", "none send4", None),
        ("TCP round trips", "again tcp4", "none tcp4", None),
    )
]

WIRE_ROWS = [
    Row("wire: round trips to another address, over without", *row) for row in (
        ("IPv4, 1 flow", "wire far4", "none near4", 0.97),
        ("IPv4, 1000 flows", "wire far4-1000", "none near4-1000", 0.97),
        ("IPv4, a new port each", "wire far4-new", "none near4-new", 0.97),
        ("IPv4, no context switch", "wire far4-inline", "none near4-inline", 0.97),
        ("IPv6, 1 flow", "wire far6", "none near6", 0.97),
        ("IPv6, 1000 flows", "wire far6-1000", "none near6-1000", 0.97),
        ("IPv6, no context switch", "wire far6-inline", "none near6-inline", 0.97),
    )
] + [
    Row("wire: a server that connects back, over without", *row) for row in (
        ("IPv4 round trips", "wire far4-back", "none near4-back", 0.97),
        ("IPv6 round trips", "wire far6-back", "none near6-back", 0.97),
    )
] + [
    Row("wire: one way, over without", *row) for row in (
        ("IPv4, a multicast receiver", "wire far4-group", "none far4-group", 0.97),
    )
] + [
    Row("wire: round trips that are right, over without", *row) for row in (
        ("IPv4, 1 flow", "wire near4", "none near4", 0.97),
        ("IPv4, no context switch", "wire near4-inline", "none near4-inline", 0.97),
        ("IPv6, 1 flow", "wire near6", "none near6", 0.97),
    )
] + [
    Row("wire: 40 datagrams of 1400 bytes, over without", *row) for row in (
        ("IPv4, one way", "wire block4", "none block4", 0.97),
        ("IPv4, one way, GSO and GRO", "wire block4-gso", "none block4-gso", 0.97),
        ("IPv4, there and back", "wire blocks4", "none blocks4-near", 0.97),
        ("IPv4, there and back, GSO and GRO", "wire blocks4-gso", "none blocks4-gso-near", 0.97),
        ("IPv6, one way", "wire block6", "none block6", 0.97),
        ("IPv6, one way, GSO and GRO", "wire block6-gso", "none block6-gso", 0.97),
        ("IPv6, there and back", "wire blocks6", "none blocks6-near", 0.97),
        ("IPv6, there and back, GSO and GRO", "wire blocks6-gso", "none blocks6-gso-near", 0.97),
    )
] + [
    Row("wire: bystanders on the interface, over without", *row) for row in (
        ("UDP to another port", "wire other4", "none other4", 0.99),
        ("UDP to another port, no context switch", "wire other4-inline", "none other4-inline",
         0.99),
        ("the same over IPv6", "wire other6-inline", "none other6-inline", 0.99),
        ("UDP forwarded", "wire forward4", "none forward4", 0.99),
        ("UDP forwarded, no context switch", "wire forward4-inline", "none forward4-inline", 0.99),
        ("the same, a managed port", "wire forward4-managed", "none forward4-managed", 0.99),
        ("the same, a managed port over IPv6", "wire forward6-managed", "none forward6-managed",
         0.99),
        ("TCP round trips", "wire bridged-tcp4", "none bridged-tcp4", 0.99),
        ("TCP, 64 KB each", "wire bridged-tcp4-bulk", "none bridged-tcp4-bulk", 0.99),
        ("TCP forwarded, round trips", "wire forward-tcp4", "none forward-tcp4", 0.99),
        ("TCP forwarded, 64 KB each", "wire forward-tcp4-bulk", "none forward-tcp4-bulk", 0.99),
    )
] + [
    Row("wire, the floor: empty programs there, over none", *row) for row in (
        ("IPv4 round trips", "tc-empty near4", "none near4", None),
        ("IPv4 round trips, no context switch", "tc-empty near4-inline", "none near4-inline",
         None),
        ("IPv4, there and back, GSO and GRO", "tc-empty blocks4-gso-near",
         "none blocks4-gso-near", None),
        ("UDP to another port, no context switch", "tc-empty other4-inline", "none other4-inline",
         None),
        ("UDP forwarded, no context switch", "tc-empty forward4-inline", "none forward4-inline",
         None),
        ("TCP round trips", "tc-empty bridged-tcp4", "none bridged-tcp4", None),
        ("TCP, 64 KB each", "tc-empty bridged-tcp4-bulk", "none bridged-tcp4-bulk", None),
        ("no program, a server bound to one address", "none far4-bound", "none near4-inline", None),
        ("the same over IPv6", "none far6-bound", "none near6-inline", None),
    )
] + [
    Row("wire, noise: without sluice, over the same", *row) for row in (
        ("IPv4, 1 flow", "again near4", "none near4", None),
        ("IPv4, no context switch", "again near4-inline", "none near4-inline", None),
        ("UDP forwarded, no context switch", "again forward4-inline", "none forward4-inline", None),
        ("TCP round trips", "again bridged-tcp4", "none bridged-tcp4", None),
    )
]

HOLD_ROWS = [
    Row("hold: managed flows, over without sluice", *row) for row in (
        ("IPv4 round trips, 1 flow", "hold echo4-both", "none echo4-both", 0.97),
        ("IPv4 round trips, 1000 flows", "hold echo4-1000", "none echo4-1000", 0.97),
        ("IPv6 round trips, 1 flow", "hold echo6", "none echo6", 0.97),
    )
] + [
    Row("hold: bystanders in the cgroup, over empty programs", *row) for row in (
        ("IPv4 sends, another port", "hold send4", "hold-empty send4", 0.99),
        ("IPv6 sends, another port", "hold send6", "hold-empty send6", 0.99),
        ("TCP round trips", "hold tcp4", "hold-empty tcp4", 0.99),
    )
] + [
    Row("hold, the floor: empty programs there, over none", *row) for row in (
        ("IPv4 round trips", "hold-empty echo4-both", "none echo4-both", None),
        ("IPv4 sends", "hold-empty send4", "none send4", None),
        ("TCP round trips", "hold-empty tcp4", "none tcp4", None),
    )
]

ROWS = SOCKET_ROWS + WIRE_ROWS + HOLD_ROWS
assert len({row[:2] for row in ROWS}) == len(ROWS), "group and label identify a row"

# Attach types, in bpftool's words.
HOOKS = {"learn": "cgroup_inet_ingress", "fix4": "cgroup_udp4_sendmsg",
         "fix6": "cgroup_udp6_sendmsg", "wire_in": "tcx_ingress", "wire_out": "tcx_egress",
         "leave": "cgroup_inet_egress", "close": "cgroup_inet_sock_release"}

COSTS = [
    Cost(program, label, f"list {load}", f"empty {load}") for program, load, label in (
        ("learn", "echo4", "IPv4, 1 flow"), ("learn", "echo4-1000", "IPv4, 1000 flows"),
        ("learn", "echo4-new", "IPv4, a new port each"), ("learn", "echo6", "IPv6, 1 flow"),
        ("learn", "sink4", "IPv4, one way"),
        ("learn", "sink4-routed", "IPv4, one way, to no interface's address"),
        ("learn", "sink4-cold", "the same, a new address each"),
        ("learn", "sink4-group", "IPv4, one way, a multicast receiver"),
        ("learn", "tcp4", "TCP, not managed"),
        ("fix4", "echo4", "1 flow"), ("fix4", "echo4-1000", "1000 flows"),
        ("fix4", "echo4-new", "a new port each"), ("fix4", "send4", "not managed"),
        ("fix6", "echo6", "1 flow"), ("fix6", "send6", "not managed"),
    )
] + [
    Cost(program, label, f"wire {over}", f"tc-empty {under}") for over, under, label in (
        ("far4", "near4", "IPv4, 1 flow"),
        ("far4-new", "near4-new", "IPv4, a new port each"),
        ("far6", "near6", "IPv6, 1 flow"),
        ("far4-back", "near4-back", "IPv4, connected back"),
        ("far4-group", "far4-group", "IPv4, a multicast receiver"),
        ("blocks4-gso", "blocks4-gso-near", "IPv4, GSO"),
        ("other4", "other4", "UDP, not managed"),
        ("forward4-managed", "forward4-managed", "UDP forwarded, a managed port"),
        ("bridged-tcp4", "bridged-tcp4", "TCP"),
    ) for program in ("wire_in", "wire_out")
]
