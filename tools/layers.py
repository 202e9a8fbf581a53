#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
Checks that includes only point down.

An include may refer to its own directory, to a directory of a lower rank in the same tree, or to
include/. So directories of the same rank do not include each other. A skeleton, which the build
makes from bpf/SUBJECT/NAME.bpf.c, may be included only by the directories of its subject. Modules
must not form a circle. The .c and .h files of one name are one module, since independent headers do
not help if their .c files include each other's headers.
"""
import posixpath
import re
import sys
import tempfile
from collections import namedtuple
from pathlib import Path

RANKS = {
    "include": 0,
    "bpf/common": 1,
    "bpf/reply": 2, "bpf/wire": 2, "bpf/steer": 2, "bpf/hold": 2, "bpf/meet": 2,
    "user/base": 1,
    "user/cli": 2,
    "user/net": 3, "user/metrics": 3,
    "user/kernel": 4, "user/nat": 4,
    "user/process": 5,
    "user/reply": 6, "user/wire": 6, "user/conntrack": 6, "user/hold": 6, "user/meet": 6,
    "user/steer/group": 6,
    "user/steer/cpu": 7,
    "user/steer": 8,
    "user/host": 9,
    "user/daemon": 10,
    "user/cmd": 11,
    "tests": 12,
    "tools": 12,
}
# The include paths of each tree, as in the Makefile.
ROOTS = {"bpf": "bpf/", "user": "user/", "tests": "user/", "tools": "user/"}
SKELETONS = {"bpf/common": "user/process"}
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"(?P<own>[^"]+)"|<(?P<shared>sluice/[^>]+)>)', re.M)
COMMENT = re.compile(r"/\*.*?\*/", re.S)

Arrow = namedtuple("Arrow", "source line name target layer")


def layer_of(path):
    """Returns the layer of a file: the innermost directory in RANKS that contains it, or None."""
    held = [layer for layer in RANKS if path.startswith(layer + "/")]
    return max(held, key=len, default=None)


def may_see(layer, target):
    if target in (layer, "include"):
        return True
    tree, below = layer.split("/")[0], target.split("/")[0]
    return ROOTS.get(tree) == below + "/" and RANKS[target] < RANKS[layer]


def may_load(layer, skeleton):
    subject = layer_of(skeleton)
    owner = SKELETONS.get(subject, subject.replace("bpf", "user", 1))
    return layer == "tests" or layer == owner or layer.startswith(owner + "/")


def sources_of(root):
    files = (p.relative_to(root).as_posix() for p in root.rglob("*.[ch]"))
    return sorted(f for f in files if layer_of(f))


def includes_of(text):
    """Yields (line, name, shared) of each own include, where `shared` is a bool. Ignores comments
    and .inc files."""
    text = COMMENT.sub(lambda comment: "\n" * comment.group().count("\n"), text)
    for match in INCLUDE.finditer(text):
        if (match["own"] or "").endswith(".inc"):
            continue
        line = text.count("\n", 0, match.start("own" if match["own"] else "shared")) + 1
        yield line, match["own"] or match["shared"], not match["own"]


def resolve(source, line, name, shared, files):
    """Returns (arrow, None) or (None, complaint)."""
    if name.endswith(".skel.h"):
        program = name.removesuffix(".skel.h") + ".bpf.c"
        if program in files:
            return Arrow(source, line, name, None, name), None
        return None, f'{source}:{line}: "{name}" has no {program}'
    beside = posixpath.normpath(posixpath.join(posixpath.dirname(source), name))
    root = ROOTS.get(source.split("/")[0], "include/")
    for target in ["include/" + name] if shared else [beside, root + name]:
        if target in files:
            return Arrow(source, line, name, target, layer_of(target)), None
    return None, f'{source}:{line}: "{name}" is nowhere in the tree'


def arrows_of(root, files):
    arrows, complaints = [], []
    for source in files:
        text = (root / source).read_text(encoding="utf-8")
        for line, name, shared in includes_of(text):
            arrow, complaint = resolve(source, line, name, shared, files)
            if arrow:
                arrows.append(arrow)
            else:
                complaints.append(complaint)
    return arrows, complaints


def upward(arrows):
    for arrow in arrows:
        layer = layer_of(arrow.source)
        if not arrow.target and not may_load(layer, arrow.name):
            yield f'{arrow.source}:{arrow.line}: {layer} includes "{arrow.name}" of another subject'
        if arrow.target and not may_see(layer, arrow.layer):
            yield (f'{arrow.source}:{arrow.line}: {layer} (rank {RANKS[layer]}) includes '
                   f'"{arrow.name}" of {arrow.layer} (rank {RANKS[arrow.layer]})')


def module_of(path):
    return path.rsplit(".", 1)[0].removesuffix(".bpf")


def circles(arrows):
    """Returns the circles: strongly connected modules, by Tarjan's algorithm."""
    graph = {}
    for arrow in arrows:
        if arrow.target:
            source, target = module_of(arrow.source), module_of(arrow.target)
            graph.setdefault(target, set())
            graph.setdefault(source, set())
            if source != target:
                graph[source].add(target)
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for after in sorted(graph[node]):
            if after not in index:
                visit(after)
            if after in stack:
                low[node] = min(low[node], low[after])
        if low[node] == index[node]:
            at = stack.index(node)
            if len(stack) - at > 1:
                found.append(sorted(stack[at:]))
            del stack[at:]

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return [f"circle: {' <-> '.join(circle)}" for circle in found]


def check(root):
    """Returns (number of files, number of includes, complaints)."""
    files = sources_of(root)
    arrows, complaints = arrows_of(root, files)
    complaints += upward(arrows)
    complaints += circles(arrows)
    return len(files), len(arrows), complaints


def report(root):
    files, arrows, complaints = check(root)
    for complaint in complaints:
        print(complaint)
    if not files:
        print(f"layers: no sources below {root}")
        return 1
    print(f"layers: {files} files, {arrows} includes, "
          + (f"{len(complaints)} wrong" if complaints else "all arrows point down, no circle"))
    return 1 if complaints else 0


GOOD = {
    "include/sluice/flow.h": "#include <linux/types.h>\n",
    "include/sluice/hooks.h": "",
    "bpf/common/kernel.h": "",
    "bpf/reply/maps.h": '#include "common/kernel.h"\n#include <sluice/flow.h>\n',
    "bpf/reply/reply.bpf.c": '#include "reply/maps.h"\n',
    "bpf/steer/steer.bpf.c": "",
    "user/base/err.h": "",
    "user/base/err.c": '#include "base/err.h"\n',
    "user/kernel/links.h": '#include "base/err.h"\n#include <sluice/flow.h>\n',
    "user/reply/load.c": '#include "kernel/links.h"\n#include "bpf/reply/reply.skel.h"\n',
    "user/reply/reply.h": "",
    "user/wire/wire.h": "",
    "user/steer/group/group.h": '#include "kernel/links.h"\n',
    "user/steer/group/group.c": '#include "bpf/steer/steer.skel.h"\n',
    "user/steer/steer.h": '#include "steer/group/group.h"\n',
    "user/cmd/main.c": '#include "steer/steer.h"\n/*\n#include "gone.h"\n*/\n',
    "tests/unit/test_err.c": '#include "base/err.h"\n#include "../lab.h"\n',
    "tests/lab.h": "",
}

# Files to add to GOOD, and a part of the only expected complaint.
BAD = [
    ({"user/base/log.c": '#include "kernel/links.h"\n'}, "user/base/log.c:1: user/base (rank 1)"),
    ({"user/base/log.c": '\n#include "reply/reply.h"\n'}, "user/base/log.c:2: user/base (rank 1)"),
    ({"user/wire/x.c": '#include "reply/reply.h"\n'}, "user/wire (rank 6)"),
    ({"user/steer/group/x.c": '#include "steer/steer.h"\n'}, "user/steer/group (rank 6)"),
    ({"user/wire/x.c": '#include "bpf/reply/reply.skel.h"\n'}, "of another subject"),
    ({"user/cmd/x.c": '#include "bpf/steer/steer.skel.h"\n'}, "of another subject"),
    ({"user/reply/x.c": '#include "bpf/reply/gone.skel.h"\n'}, "has no bpf/reply/gone.bpf.c"),
    ({"user/cmd/x.c": '#include "../../bpf/reply/maps.h"\n'}, "of bpf/reply (rank 2)"),
    ({"bpf/steer/x.bpf.c": '#include "reply/maps.h"\n'}, "bpf/steer (rank 2)"),
    ({"bpf/steer/x.bpf.c": '#include "base/err.h"\n'}, "nowhere"),
    ({"include/sluice/x.h": '#include "base/err.h"\n'}, "nowhere"),
    ({"user/base/x.c": '# include "gone.h"\n'}, "nowhere"),
    ({"user/base/x.c": "#include <sluice/gone.h>\n"}, "nowhere"),
    ({"user/base/a.h": '#include "base/b.h"\n', "user/base/b.h": '#include "base/a.h"\n'},
     "circle: user/base/a <-> user/base/b"),
    ({"user/base/a.h": "", "user/base/b.h": "",
      "user/base/a.c": '#include "base/b.h"\n', "user/base/b.c": '#include "base/a.h"\n'},
     "circle: user/base/a <-> user/base/b"),
    ({"user/base/a.h": '#include "base/b.h"\n', "user/base/b.h": '#include "base/c.h"\n',
      "user/base/c.h": '#include "base/a.h"\n'},
     "circle: user/base/a <-> user/base/b <-> user/base/c"),
]


def complaints_of(tree):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name, text in tree.items():
            root.joinpath(name).parent.mkdir(parents=True, exist_ok=True)
            root.joinpath(name).write_text(text, encoding="utf-8")
        return check(root)[2]


def self_test():
    failures = [f"complains of a good tree: {c}" for c in complaints_of(GOOD)]
    for added, words in BAD:
        complaints = complaints_of({**GOOD, **added})
        if len(complaints) != 1 or words not in complaints[0]:
            failures.append(f"{added}: wanted one complaint with '{words}', got {complaints}")
    for failure in failures:
        print(f"self-test: {failure}")
    print(f"layers: self-test of {1 + len(BAD)} trees, {len(failures)} failed")
    return 1 if failures else 0


def main(words):
    if words == ["--self-test"]:
        return self_test()
    if words:
        print("usage: tools/layers.py [--self-test]", file=sys.stderr)
        return 2
    return report(Path(__file__).resolve().parent.parent)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
