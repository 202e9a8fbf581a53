#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
Finds phrases in comments, messages and documents that a kernel developer would not write.

Each pattern comes with the words to use instead. Reads comments and string literals of C, comments
of scripts, and the whole text of README and man pages, but not names in code.
"""
import re
import subprocess
import sys
from pathlib import Path

SKIP = {"tools/prose.py"}

PHRASES = [
    # headless subjects and verbs of speech for data flow
    (r"^\W*Who\b(?!\s+(is|am|are)\b.*\?)", "name the subject: the process, the caller"),
    (r"^\W*What is\b(?!.*\?)", "name the subject"),
    (r"\bnews\b", "event, message"),
    (r"\b(is|are|be|been) told\b", "reported, logged, notified"),
    (r"\btells? (of|nobody|how|what|who|that|it|them)\b", "reports, shows"),
    (r"\bsays? (so|what|which|who|how|whether|why|that)\b", "reports, shows, states"),
    (r"\b(is|was|are|were|been) heard\b", "received, last seen"),
    (r"\bheard (of|from|by|on|within)\b", "received, seen"),
    # passives without an actor, and words without an antecedent
    (r"\b(the|of) (former|latter)\b", "repeat the noun"),
    (r"\bthat one\b", "repeat the noun"),
    (r"\b(of|is|are) (ours|theirs)\b", "sluice's, owned by sluice"),
    (r"\b(is|are|was|were) to be had\b", "is available"),
    (r"\b(can|could|can't|cannot) be had\b", "is available, can be allocated"),
    (r"\bin force\b", "active, current, loaded"),
    (r"\banew\b", "again"),
    (r"\bbut for\b", "except"),
    (r"\bknown for\b", "recognised as"),
    (r"\bin trouble\b", "failed"),
    (r"\bhas its way\b", "wins"),
    (r"\b(gives?|gave|giving) way\b", "is evicted, is replaced"),
    (r"\bsees? to\b", "handles"),
    (r"\bof no use\b", "useless"),
    (r"\bwhoever\b", "the caller, the process"),
    (r"\b(some|any|no)body\b", "name the actor: another process, a user, no process"),
    # words with another meaning in this project
    (r"\bplanes?\b", "object"),
    (r"\breaders?\b", "consumer"),
    (r"\b(un)?mend(s|ed|ing)?\b", "fix; the field of an error is its hint"),
    (r"\bow(e|es|ed|ing)\b", "pending reply"),
    (r"\brequeued?\b", "reinject"),
    # inconsistent terms, and phrases of a translation
    (r"(?<![\w-])folders?(?![\w-])", "directory"),
    (r"\bexit codes?\b", "exit status"),
    (r"\b(wire|socket|audit) mode\b", "mode wire, mode socket, mode audit"),
    (r"\bpid namespace", "PID namespace"),
    (r"\btowards\b", "toward"),
    (r"\b(can|won|isn|doesn|don)'t\b", "cannot, will not, is not"),
    (r"\banother( [\w-]+)? than\b", "an X other than, a different X from"),
    (r"\bin step with\b", "in sync with, to match"),
    (r"\bone after the other\b", "one after another"),
    (r"\b(go|goes) together\b", "must be given together"),
    (r"\bworks? on until\b", "keeps working until"),
    (r"\b(is|are) no (pin|eviction|failure|error|bug)\b", "is not a, is not an"),
]
CASED = ("^", r"\bpid ")


def compiled(phrases):
    return [(re.compile(pattern, 0 if pattern.startswith(CASED) else re.I), instead)
            for pattern, instead in phrases]


COMPILED = compiled(PHRASES)

C_TEXT = re.compile(r'"(?:\\.|[^"\\\n])*"|/\*.*?\*/|//[^\n]*', re.S)
INCLUDE = re.compile(r"^[ \t]*#[ \t]*include.*$", re.M)
STRING_OF_CODE = re.compile(r'^"[\w./%:|>-]*"$')  # a key, a path, a format


def c_texts(source):
    """Yields (line, text) of each comment, and of each literal that is prose."""
    source = INCLUDE.sub("", source)
    for match in C_TEXT.finditer(source):
        text = match.group()
        if not STRING_OF_CODE.match(text):
            first = source.count("\n", 0, match.start()) + 1
            yield from enumerate(text.split("\n"), first)


def script_texts(source):
    for number, line in enumerate(source.split("\n"), 1):
        comment = re.search(r"(?:^|\s)#(?!!)\s?(.*)$", line)
        if comment:
            yield number, comment.group(1)


def all_texts(source):
    yield from enumerate(source.split("\n"), 1)


def texts_of(path, source):
    if path.endswith((".c", ".h")):
        return c_texts(source)
    if path == "README.md" or re.search(r"\.[1-8]$", path) or path.endswith("/README"):
        return all_texts(source)
    if path.endswith((".sh", ".py")) or path == "Makefile" or source.startswith("#!"):
        return script_texts(source)
    return ()


def complaints_of(path, source):
    for number, text in texts_of(path, source):
        for pattern, instead in COMPILED:
            match = pattern.search(text)
            if match:
                yield f"{path}:{number}: '{match.group().strip(' */')}': {instead}"


def self_test():
    cases = [
        ("a.c", "/* Who asks is served. */", 1),
        ("a.c", '/* fine */ x = "all in force";', 1),
        ("a.c", 'plane = "plane"; /* the object */', 0),
        ("a.c", '#include "plane is"\n', 0),
        ("a.sh", "plane=1 # loads it anew", 1),
        ("a.c", "/* its PID namespace; from another address than that */", 1),
        ("README.md", "It tells of the loss.", 1),
        ("user/man/sluice.8", "the latter", 1),
        ("tools/x.conf", "anew", 0),
    ]
    failed = [c for c in cases if len(list(complaints_of(*c[:2]))) != c[2]]
    for case in failed:
        print(f"self-test: {case}: got {list(complaints_of(*case[:2]))}")
    print(f"prose: self-test of {len(cases)} texts, {len(failed)} failed")
    return 1 if failed else 0


def main(words):
    if words == ["--self-test"]:
        return self_test()
    root = Path(__file__).resolve().parent.parent
    names = subprocess.run(["git", "ls-files"] + words, cwd=root, capture_output=True, text=True,
                           check=True).stdout.split()
    count = read = 0
    for name in names:
        if name in SKIP or "/corpus/" in name or not (root / name).is_file():
            continue
        source = (root / name).read_text(encoding="utf-8")
        read += 1
        for complaint in complaints_of(name, source):
            print(complaint)
            count += 1
    print(f"prose: {read} files, {count} phrases to rewrite")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
