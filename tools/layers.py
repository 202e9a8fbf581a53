#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
Arrows only point down: which file may include which.

    cmd -> gate, meet -> base -> include <- bpf

The include paths in the Makefile keep most of it; this check sees the rest: relative paths, names
that two layers share, and circles, which no compiler minds.  A circle is looked for between
modules, a .c and a .h of one name being one module, since two headers that stay clear of each
other do not help if their .c files need both.
"""
import re
import sys
import tempfile
from collections import namedtuple
from pathlib import Path

# What each layer may include. "skel" stands for the skeletons, which the build makes of bpf/.
MAY_SEE = {
    "include": {"include"},
    "bpf": {"bpf", "include"},
    "user/base": {"user/base", "include"},
    "user/gate": {"user/gate", "user/base", "include", "skel"},
    "user/meet": {"user/meet", "user/base", "include"},
    "user/cmd": {"user/cmd", "user/gate", "user/meet", "user/base", "include"},
    "tests": {"tests", "user/cmd", "user/gate", "user/meet", "user/base", "include", "skel"},
    "tools": {"tools", "include"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"(?P<own>[^"]+)"|<(?P<shared>sluice/[^>]+)>)', re.M)
COMMENT = re.compile(r"/\*.*?\*/", re.S)

Arrow = namedtuple("Arrow", "source line name target layer")


def layer_of(path):
    """The layer that holds a file, by its path below the root; None outside of all."""
    for layer in MAY_SEE:
        if path.startswith(layer + "/"):
            return layer
    return None


def sources_of(root):
    files = (p.relative_to(root).as_posix() for p in root.rglob("*.[ch]"))
    return sorted(f for f in files if layer_of(f))


def includes_of(text):
    """(line, name, shared?) of each include of ours; what a comment says is none."""
    text = COMMENT.sub(lambda comment: "\n" * comment.group().count("\n"), text)
    for match in INCLUDE.finditer(text):
        line = text.count("\n", 0, match.start("own" if match["own"] else "shared")) + 1
        yield line, match["own"] or match["shared"], not match["own"]


def candidates(source, name, shared, files):
    """The files that an include may mean: beside the source, else below any layer's folder."""
    if shared:
        return [f for f in files if f == "include/" + name]
    beside = Path(source).parent.joinpath(name)
    parts = []
    for part in beside.parts:
        if part == ".." and parts:
            parts.pop()
        else:
            parts.append(part)
    beside = "/".join(parts)
    return [beside] if beside in files else [f"{l}/{name}" for l in MAY_SEE if f"{l}/{name}" in files]


def resolve(source, line, name, shared, files):
    """An arrow, or a complaint."""
    if name.endswith(".skel.h"):
        return Arrow(source, line, name, None, "skel"), None
    found = candidates(source, name, shared, files)
    # Among files of one name the compiler takes one of a layer that it is shown.
    seen = [f for f in found if layer_of(f) in MAY_SEE[layer_of(source)]]
    if len(seen) > 1:
        return None, f'{source}:{line}: "{name}" may mean {" or ".join(seen)}'
    if not found:
        return None, f'{source}:{line}: "{name}" is nowhere in the tree'
    target = (seen or found)[0]
    return Arrow(source, line, name, target, layer_of(target)), None


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
        if arrow.layer not in MAY_SEE[layer]:
            yield (f'{arrow.source}:{arrow.line}: {layer} includes "{arrow.name}" of '
                   f'{arrow.layer}; it may see {", ".join(sorted(MAY_SEE[layer]))}')


def module_of(path):
    return path.rsplit(".", 1)[0].removesuffix(".bpf")


def circles(arrows):
    """Strongly connected modules, by Tarjan's algorithm."""
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
    """(number of files, number of includes, complaints)"""
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
    "bpf/maps.h": "#include <sluice/flow.h>\n",
    "bpf/reply.bpf.c": '#include "maps.h"\n',
    "user/base/err.h": "",
    "user/base/err.c": '#include "err.h"\n',
    "user/gate/hooks.h": '#include "err.h"\n#include <sluice/flow.h>\n',
    "user/gate/hooks.c": '#include "hooks.h"\n#include "reply.skel.h"\n',
    "user/meet/stun.c": '#include "err.h"\n',
    "user/cmd/main.c": '#include "hooks.h"\n/*\n#include "gone.h"\n*/\n',
    "tests/unit/test_err.c": '#include "err.h"\n',
}

# What is added to GOOD, and the words that the one complaint must hold.
BAD = [
    ({"user/base/log.c": '#include "hooks.h"\n'}, "user/base/log.c:1: user/base includes"),
    ({"user/base/log.c": '\n#include "../gate/hooks.h"\n'}, "user/base/log.c:2: user/base includes"),
    ({"user/gate/x.c": '#include "stun.h"\n', "user/meet/stun.h": ""}, "user/gate includes"),
    ({"user/meet/x.c": '#include "hooks.h"\n'}, "user/meet includes"),
    ({"user/meet/x.c": '#include "reply.skel.h"\n'}, "of skel"),
    ({"user/cmd/x.c": '#include "reply.skel.h"\n'}, "of skel"),
    ({"user/cmd/x.c": '#include "maps.h"\n'}, "of bpf"),
    ({"bpf/x.bpf.c": '#include "err.h"\n'}, "bpf includes"),
    ({"include/sluice/x.h": '#include "err.h"\n'}, "include includes"),
    ({"user/base/x.c": '# include "gone.h"\n'}, "nowhere"),
    ({"user/base/x.c": '#include "flow.h"\n'}, "nowhere"),
    ({"user/base/x.c": "#include <sluice/gone.h>\n"}, "nowhere"),
    ({"user/gate/err.h": "", "user/cmd/x.c": '#include "err.h"\n',
      "user/cmd/main.c": "", "user/meet/stun.c": "", "user/gate/hooks.h": "",
      "tests/unit/test_err.c": ""}, "may mean"),
    ({"user/base/a.h": '#include "b.h"\n', "user/base/b.h": '#include "a.h"\n'},
     "circle: user/base/a <-> user/base/b"),
    ({"user/base/a.h": "", "user/base/b.h": "",
      "user/base/a.c": '#include "b.h"\n', "user/base/b.c": '#include "a.h"\n'},
     "circle: user/base/a <-> user/base/b"),
    ({"user/base/a.h": '#include "b.h"\n', "user/base/b.h": '#include "c.h"\n',
      "user/base/c.h": '#include "a.h"\n'},
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
