"""Docstrings that describe several arguments in one entry (`low, high: ...`) get an entry for each name."""

import re

from griffe import Extension, Object

SECTION = re.compile(r"^( *)(?:Args|Attributes):$")
SHARED = re.compile(r"^( *)(\w+(?:, \w+)+)(:.*)$")


class SharedEntries(Extension):
    """Rewrites what griffe has read, before it compares the names with the signature."""

    def on_instance(self, *, obj: Object, **kwargs: object) -> None:
        if obj.docstring:
            obj.docstring.value = separate(obj.docstring.value)


def separate(text: str) -> str:
    """The docstring with entries of `Args` and `Attributes` that name several things repeated for each."""
    lines, out, section, place = text.split("\n"), [], None, 0
    while place < len(lines):
        line = lines[place]
        place += 1
        if found := SECTION.match(line):
            section = len(found[1])
        elif section is not None and line.strip() and indent(line) <= section:
            section = None
        shared = SHARED.match(line) if section is not None else None
        if shared is None or len(shared[1]) != (section or 0) + 4:
            out.append(line)
            continue
        more = []
        while place < len(lines) and lines[place].strip() and indent(lines[place]) > len(shared[1]):
            more.append(lines[place])
            place += 1
        for name in shared[2].split(", "):
            out += [f"{shared[1]}{name}{shared[3]}", *more]
    return "\n".join(out)


def indent(line: str) -> int:
    return len(line) - len(line.lstrip())
