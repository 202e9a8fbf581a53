# SPDX-License-Identifier: GPL-2.0-or-later
"""
Counts the outcomes of kinds.sh, lines "TRANSPORT KIND KIND OUTCOME". The file PLAN has the lines of
kinds_plan. Fails unless each pair was punched as often as planned, and 99 of 100 punches had the
planned outcome. Prints the most frequent outcome of each pair.
"""
import collections
import sys

wanted = {}
planned = collections.Counter()
with open(sys.argv[1], encoding="ascii") as plan:
    for line in plan:
        *pair, outcome, count = line.split()
        wanted[tuple(pair)] = outcome
        planned[tuple(pair)] += int(count)
found = {pair: collections.Counter() for pair in wanted}
for line in sys.stdin:
    *pair, outcome = line.split()
    found[tuple(pair)][outcome] += 1

failed = 0
for pair, outcome in wanted.items():
    print(*pair, *(kind for kind, _ in found[pair].most_common(1)))
    right, total = found[pair][outcome], found[pair].total()
    if right < planned[pair]:
        print(*pair, *(f"{kind}: {count}" for kind, count in found[pair].items()),
              file=sys.stderr)
    failed += total != planned[pair] or 100 * right < 99 * total
total = sum(count.total() for count in found.values())
right = sum(found[pair][outcome] for pair, outcome in wanted.items())
print(f"{total} punches of {len(wanted)} pairs, {right} with the outcome of theory", file=sys.stderr)
sys.exit(failed != 0)
