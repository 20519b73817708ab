"""Two documents side by side: lines of JSON, with only as much around a difference as one needs to find the place."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum

from drift.engine.model import Json

CONTEXT = 3  # lines around a difference
MOST_LINES = 4_000  # of one side; matching lines takes time that grows faster than their number


class Look(StrEnum):
    SAME = "same"
    GONE = "gone"
    COME = "come"
    OTHER = "other"
    GAP = "gap"


@dataclass(frozen=True, slots=True)
class Line:
    look: Look
    before: str = ""
    after: str = ""


def compare(before: Json, after: Json, *, whole: bool = False) -> list[Line]:
    """The lines of both, aligned. A side that does not exist has none."""
    old, new = _lines(before), _lines(after)
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    if whole:
        return [line for opcode in matcher.get_opcodes() for line in _aligned(old, new, opcode)]
    shown: list[Line] = []
    end = 0
    for group in matcher.get_grouped_opcodes(CONTEXT):
        if skipped := group[0][1] - end:
            shown.append(_gap(skipped))
        for opcode in group:
            shown += _aligned(old, new, opcode)
        end = group[-1][2]
    if shown and len(old) > end:
        shown.append(_gap(len(old) - end))
    return shown


def _gap(lines: int) -> Line:
    return Line(Look.GAP, f"{lines} equal line{'' if lines == 1 else 's'}")


def _lines(document: Json) -> list[str]:
    if document is None:
        return []
    text = json.dumps(document, ensure_ascii=False, indent=2)
    lines = text.splitlines()
    return lines if len(lines) <= MOST_LINES else [*lines[:MOST_LINES], "… cut here"]


def _aligned(
    old: Sequence[str], new: Sequence[str], opcode: tuple[str, int, int, int, int]
) -> Iterator[Line]:
    kind, low, high, start, stop = opcode
    left, right = old[low:high], new[start:stop]
    if kind == "equal":
        yield from (Line(Look.SAME, text, text) for text in left)
        return
    for at in range(max(len(left), len(right))):
        one = left[at] if at < len(left) else None
        other = right[at] if at < len(right) else None
        look = Look.OTHER
        if one is None or other is None:
            look = Look.COME if one is None else Look.GONE
        yield Line(look, one or "", other or "")
