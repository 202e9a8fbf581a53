# SPDX-License-Identifier: GPL-2.0-or-later
"""
Prints the table of README.md from lines "TRANSPORT KIND KIND OUTCOME" of punched.py: how a
peer behind one kind of NAT reaches a peer behind another one. Kinds with the same outcomes share a
row. Fails if the outcome depends on which of the two connects.
"""
import sys

outcome = {}
kinds = []
for line in sys.stdin:
    _, one, other, result = line.split()
    outcome[one, other] = result
    if one not in kinds:
        kinds.append(one)
for one in kinds:
    for other in kinds:
        if outcome[one, other] != outcome[other, one]:
            sys.exit(f"{one} to {other}: {outcome[one, other]}, back: {outcome[other, one]}")

rows = {}
for one in kinds:
    rows.setdefault(tuple(outcome[one, other] for other in kinds), []).append(one)
groups = list(rows.values())
names = [f"{letter}  {', '.join(group)}" for letter, group in zip("ABCDEFGH", groups)]
width = max(map(len, names)) + 2
cells = [[outcome[one[0], other[0]] for other in groups] for one in groups]
for head, row in zip(["", *names], [list("ABCDEFGH"[:len(groups)]), *cells]):
    print(head.ljust(width) + "".join(cell.ljust(9) for cell in row).rstrip())
