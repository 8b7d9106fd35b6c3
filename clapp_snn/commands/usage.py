"""A parser whose errors are one line: what was wrong, and what to write instead."""

import re
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from itertools import pairwise
from typing import Any, NoReturn

from jsonargparse import ArgumentParser

UNKNOWN = re.compile(r"unrecognized arguments: (--[^\s=]+)")
VALUE = re.compile(r'Parser key "(?P<option>[\w.]+)":\s*(?P<why>.*)', re.DOTALL)
GIVEN = re.compile(r"(?:Got value|Given value): (?P<given>.*)")
MEMBER = re.compile(r"- Expected an? (?P<types>typing\.Literal\[[^\]]*\])\. Got value: ")
TYPES = re.compile(r"(?:Subtypes: \[|Expected an? )(?P<types>[^\n]*?)(?:\]?\n|\. Got|$)")


class Parser(ArgumentParser):
    """Usage is left to `--help`."""

    def parse_args(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> Any:  # type: ignore[override]
        """As of the base, but an empty value (a shell variable without content) is refused."""
        words = list(sys.argv[1:] if args is None else args)
        for before, word in pairwise(["", *words]):
            if word == "" or re.fullmatch(r"--[\w-]+=", word):
                name = word.rstrip("=") or before
                what = f"the value of {name}" if name.startswith("--") else "a word"
                self.error(f"{what} is empty; write one, or leave it out")
        return super().parse_args(args, *rest, **options)

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Print one line.

        Raises SystemExit with status 2.
        """
        parser = getattr(ex, "subcommand_parser", None) or self
        command = parser.prog.replace("[options] ", "")
        names = [name for action in parser._actions for name in action.option_strings]
        text = f"{command}: {plainly(message, names)} ({command} --help tells more)"
        print(text, file=sys.stderr)
        raise SystemExit(2) from ex


def plainly(message: str, options: list[str]) -> str:
    """A parser's message in one line, in terms of options.

    Args:
        message: of jsonargparse.
        options: all there are, with their dashes.
    """
    if found := UNKNOWN.search(message):
        name = found[1]
        near = get_close_matches(name.replace("-", "_"), [o.replace("-", "_") for o in options], 1)
        meant = [o for o in options if near and o.replace("-", "_") == near[0]]
        return f"there is no option {name}" + (f"; do you mean {meant[0]}?" if meant else ".")
    one_line = " ".join(message.split())
    found, given = VALUE.match(message), GIVEN.search(message)
    types = TYPES.search(message)
    if found is None or given is None or types is None or f"--{found['option']}" not in options:
        return one_line
    takes = _in_words(types["types"])
    if member := MEMBER.search(message):
        takes = f"a list of {_in_words(member['types'])}"
    elif "tuple" in takes:
        takes = "a list such as '[a,b]', in quotes and brackets"
    return f"--{found['option']} takes {takes}, not {given['given']!r}"


def _in_words(types: str) -> str:
    """Names of types and allowed values, as one would say them."""
    words = re.sub(r"typing\.|<class '(\w+)'>", lambda m: m[1] or "", types)
    words = re.sub(r"Literal\[([^\]]*)\]", lambda m: m[1].replace(", ", " or "), words)
    return words.replace(", NoneType", "")
