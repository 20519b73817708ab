"""The mutants that may survive, each with its reason: accepted.jsonl, one line each.

A survivor that is not in the list fails, and so does a line whose mutant is noticed by now or is no mutant any more.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dev.mutation.verdicts import Mutant

LIST = Path(__file__).parent / "accepted.jsonl"
SHORTEST_REASON = 15  # characters; "equivalent" alone says nothing


class AcceptanceError(Exception):
    """A line of the list cannot be read; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Between what survived and what may."""

    unexpected: list[Mutant]
    outdated: list[Mutant]


def read_accepted(lines: Iterable[str]) -> list[Mutant]:
    return [_read_line(number, line) for number, line in enumerate(lines, start=1) if line.strip()]


def compare(
    survivors: Sequence[Mutant], accepted: Sequence[Mutant], modules: Sequence[str]
) -> Difference:
    """`modules` were mutated, as paths; lines about others say nothing now. A change that can be made at two places of
    a function is in the list as often as it survives."""
    prefixes = tuple(module.removesuffix(".py").replace("/", ".") + "." for module in modules)
    concerned = [one for one in accepted if one.function.startswith(prefixes)]
    found, allowed = Counter(survivors), Counter(concerned)
    return Difference(sorted((found - allowed).elements()), sorted((allowed - found).elements()))


def write_line(mutant: Mutant, reason: str) -> str:
    """The line of the list."""
    members = {"function": mutant.function, "change": list(mutant.change), "reason": reason}
    return json.dumps(members, ensure_ascii=False)


def _read_line(number: int, line: str) -> Mutant:
    try:
        members = json.loads(line)
        function, change, reason = members["function"], members["change"], members["reason"]
    except (ValueError, KeyError, TypeError) as error:
        raise AcceptanceError(
            f"accepted.jsonl, line {number}: needs function, change and reason ({error})."
        ) from error
    if len(reason) < SHORTEST_REASON:
        raise AcceptanceError(f"accepted.jsonl, line {number}: say why nothing can notice it.")
    return Mutant(function, tuple(change))
