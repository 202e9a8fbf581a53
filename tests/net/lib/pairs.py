# SPDX-License-Identifier: GPL-2.0-or-later
"""
Counts the outcomes of kinds.sh, lines "KIND KIND OUTCOME", and prints the table of README.md: how a
peer behind one kind of NAT reaches a peer behind another one. Kinds with the same outcomes share a
row. The file PLAN has lines "KIND KIND OUTCOME COUNT". Fails unless each pair was punched that often,
and at least 99 of 100 punches had this outcome.
"""
import collections
import sys

wanted = {}
planned = collections.Counter()
with open(sys.argv[1], encoding="ascii") as plan:
    for line in plan:
        one, other, outcome, count = line.split()
        wanted[one, other] = outcome
        planned[one, other] += int(count)
found = collections.defaultdict(collections.Counter)
for line in sys.stdin:
    one, other, outcome = line.split()
    found[one, other][outcome] += 1

failed = 0
for pair, outcome in wanted.items():
    right = found[pair][outcome]
    if right != planned[pair] or found[pair].total() != planned[pair]:
        print(f"{pair[0]} to {pair[1]}: {right} of {planned[pair]} {outcome}, {dict(found[pair])}",
              file=sys.stderr)
    failed += found[pair].total() != planned[pair] or 100 * right < 99 * planned[pair]
print(f"{sum(count.total() for count in found.values())} punches,",
      f"{sum(found[pair][outcome] for pair, outcome in wanted.items())} with the outcome of theory",
      file=sys.stderr)
if failed:
    sys.exit(f"{failed} of {len(wanted)} pairs fail")
kinds = list(dict.fromkeys(one for one, _ in wanted))
for one, other in wanted:
    if wanted[one, other] != wanted[other, one]:
        sys.exit(f"{one} to {other} differs from the way back")

rows = {}
for one in kinds:
    rows.setdefault(tuple(wanted[one, other] for other in kinds), []).append(one)
groups = list(rows.values())
names = [f"{letter}  {', '.join(group)}" for letter, group in zip("ABCDEFGH", groups)]
width = max(map(len, names)) + 2
cells = [[wanted[one[0], other[0]] for other in groups] for one in groups]
for head, row in zip(["", *names], [list("ABCDEFGH"[:len(groups)]), *cells]):
    print(head.ljust(width) + "".join(cell.ljust(9) for cell in row).rstrip())
