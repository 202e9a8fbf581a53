#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
Compares sluice-json(5) with documents printed by the commands.

    json_page.py MAN_DIR DOCUMENTS [UNSEEN…]

DOCUMENTS has a subdirectory for each section of the page (with '_' for blanks and commas), which
contains the documents. Every key of a document must be described in its section, and every
described key must occur in a document, except UNSEEN ("SECTION: path").

This parses the roff source of the page: .TP and the names in the next macro begin a key, .RS and
.RE enclose the keys of an object, "[]" marks a list. The text may refer to other keys: "as in" a
command, "each counter of" a page, "a key for each" (any keys).
"""
import json
import re
import sys
from pathlib import Path

ANY = "*"


def words_of(macro_line):
    """Splits the arguments of a macro as roff does: quotes group, '""' does not occur."""
    return [quoted or word for quoted, word in re.findall(r'"([^"]*)"|(\S+)', macro_line)]


def plain(text):
    return text.replace("\\-", "-").replace("\\ ", " ")


class Key:
    def __init__(self, name, is_list):
        self.name, self.is_list = name, is_list
        self.keys = {}
        self.text = []


def names_of(line):
    """Returns the keys of a tag line, as (name, is it a list?)."""
    macro, _, rest = line.partition(" ")
    words = words_of(rest)
    if macro == ".B":
        return [(plain(" ".join(words)), False)]
    assert macro == ".BR", line
    names = []
    for at, word in enumerate(words):
        if at % 2 == 0:
            names.append([plain(word), False])
        elif word.startswith("[]"):
            names[-1][1] = True
    return [tuple(name) for name in names]


def parse(page):
    """Returns {section: (text, {name: Key})} of the part DOCUMENTS."""
    sections, stack, keys, tag_next = {}, [], [], False
    inside = False
    for line in page.read_text().split("\n"):
        if line.startswith(".SH"):
            inside = line == ".SH DOCUMENTS"
            continue
        if not inside:
            continue
        if line.startswith(".SS"):
            sections[plain(line[4:])] = current = Key(plain(line[4:]), False)
            stack, keys = [current], []
        elif line == ".TP":
            tag_next = True
        elif tag_next:
            tag_next = False
            keys = [stack[-1].keys.setdefault(name, Key(name, is_list))
                    for name, is_list in names_of(line)]
        elif line == ".RS":
            # keys that share a tag have the same subkeys
            for key in keys[1:]:
                key.keys = keys[0].keys
            stack.append(keys[0])
        elif line == ".RE":
            stack.pop()
            keys = []
        else:
            for key in keys or [stack[-1]]:
                key.text.append(line)
    return sections


def counters_of(page, heading):
    """Returns the keys that the part COUNTERS of another page describes below a heading, or none."""
    names, inside, tag_next = set(), False, False
    for line in page.read_text().split("\n"):
        if line.startswith(".SH"):
            inside = line == ".SH COUNTERS" and not heading
            counters = line == ".SH COUNTERS"
        elif line.startswith(".SS"):
            inside = counters and line == f".SS {heading}"
        elif inside and line == ".TP":
            tag_next = True
        elif tag_next:
            tag_next = False
            names |= {name for name, _ in names_of(line)}
    return {name: Key(name, False) for name in names}


def refer(key, sections, man):
    """Adds the keys that the text of a key refers to."""
    text = plain(" ".join(key.text))
    for below in list(key.keys.values()):
        refer(below, sections, man)
    if "a key for each" in text:
        key.keys[ANY] = Key(ANY, False)
    match = re.search(r"each (\w* ?)counter of \.BR ([\w-]+) \((\d)\)", text)
    if match:
        key.keys.update(counters_of(man / f"{match[2]}.{match[3]}", match[1].strip()))
    match = re.search(r"as in \.BR? \"?([a-z ]+[a-z])", text)
    if match:
        there = next(s for name, s in sections.items() if name.startswith(match[1]))
        of = re.search(r"the keys of \.BR? (\w+)", text)
        name = of[1] if of else key.name
        # a list refers to the keys of a list, an object to those of an object
        if name in there.keys:
            refer(there.keys[name], sections, man)
            key.keys.update(there.keys[name].keys)
    match = re.match(r"The keys of \.BR \"([a-z ]+)\" ,", text)
    if match:
        there = sections[match[1]]
        refer(there, sections, man)
        for name, other in there.keys.items():
            own = key.keys.setdefault(name, Key(name, other.is_list))
            own.keys.update({n: k for n, k in other.keys.items() if n not in own.keys})


def compare(value, key, path, seen, problems):
    """Marks the described keys of a value as seen, and collects those that are not described."""
    if isinstance(value, list):
        if not key.is_list and any(isinstance(item, dict) for item in value):
            problems.add(f"{path}: a list of objects that is not described as one")
        for item in value:
            compare(item, key, path, seen, problems)
    elif isinstance(value, dict):
        for name, below in value.items():
            at = f"{path}.{name}" if path else name
            known = key.keys.get(name) or key.keys.get(ANY)
            if known:
                seen.add(id(known))
                compare(below, known, at, seen, problems)
            else:
                problems.add(f"{at}: not described")


def unseen_of(key, path, seen):
    for name, below in key.keys.items():
        at = f"{path}.{name}" if path else name
        if id(below) not in seen and name != ANY:
            yield at
        yield from unseen_of(below, at, seen)


def main():
    man, documents, *excused = sys.argv[1:]
    sections = parse(Path(man) / "sluice-json.5")
    for section in sections.values():
        refer(section, sections, Path(man))
    problems, excused, seen, printed = [], set(excused), set(), []
    for name, section in sections.items():
        section.keys.setdefault("schema_version", Key("schema_version", False))
        texts = sorted((Path(documents) / re.sub(r"[ ,]+", "_", name)).glob("*"))
        found = set()
        for path in texts:
            for line in path.read_text().splitlines():
                compare(json.loads(line), section, "", seen, found)
        problems += [f"{name}: {text}" for text in sorted(found)]
        if texts:
            printed.append((name, section))
        else:
            problems.append(f"{name}: no document")
    # a key that several sections share has to occur in at least one of them
    missing = {f"{name}: {at}" for name, section in printed for at in unseen_of(section, "", seen)}
    described = {f"{name}: {at}" for name, section in printed for at in unseen_of(section, "", set())}
    problems += [f"{text}: in no document" for text in sorted(missing - excused)]
    problems += [f"{text}: not described" for text in sorted(excused - described)]
    if problems:
        sys.exit("sluice-json(5) and the documents differ:\n  " + "\n  ".join(problems))


main()
