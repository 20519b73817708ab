"""Real pairs of answers about one resource, judged by the real engine.

The pairs lie beside the project (`../shared/data/arm-pairs.jsonl.gz`) and are never copied into it.
`python -m tests.engine.corpus` prints how quiet the engine is on each class, and every exception.
"""

from __future__ import annotations

import copy
import gzip
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from drift.engine.canonical import canonicalise
from drift.engine.compare import compare, differ
from drift.engine.facts import FactKind, explain
from drift.engine.facts.progress import unfinished_state
from drift.engine.model import Change, Document, Severity
from drift.engine.plan import place_at
from errors import Invalid
from tests.engine.views import find_disagreements

PAIRS = Path(__file__).parents[2].parent / "shared" / "data" / "arm-pairs.jsonl.gz"
EXCEPTIONS = Path(__file__).with_name("corpus-exceptions.jsonl")
KEY = b"k" * 32
SAME_VIEW = ("untouched", "settled", "polling")
OTHER_VIEW = ("list-get", "put-get")

# Kinds that decide by the value or its neighbours, so that a path alone does not tell.
_CONDITIONAL = {FactKind.VOLATILE_DATE, FactKind.OWNED, FactKind.AUTOSCALED, FactKind.DEFAULT, FactKind.REFERENCE,
                FactKind.CASE_INSENSITIVE, FactKind.LOCATION, FactKind.SET}  # fmt: skip
_SPELLINGS = {"case", "space", "slash", "time-form", "time-precision", "reorder", "numtype", "add-null", "remove-null",
              "add-empty", "remove-empty", "null-vs-empty"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pair:
    before: dict[str, Any]
    after: dict[str, Any]
    label: str  # the pair's class
    how: dict[str, str]  # differing pointer -> in which way
    kept_back: bool  # the half of the ids that is held against the bars by itself


@dataclass(frozen=True, slots=True)
class Exceptional:
    """A difference that is reported and why: `real` ones are somebody's change, the others are noise not yet known."""

    type_pattern: str
    path_pattern: str
    real: bool
    reason: str

    def covers(self, resource_type: str, path: str) -> bool:
        return fnmatchcase(resource_type, self.type_pattern) and fnmatchcase(
            path, self.path_pattern
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    pair: Pair
    resource_type: str
    changes: tuple[Change, ...]

    @property
    def silent(self) -> bool:
        return not self.changes


@cache
def read_pairs() -> tuple[Pair, ...]:
    with gzip.open(PAIRS, "rt", encoding="utf-8") as lines:
        return tuple(_pair(json.loads(line)) for line in lines)


@cache
def read_exceptions() -> tuple[Exceptional, ...]:
    lines = (json.loads(line) for line in EXCEPTIONS.read_text().splitlines())
    return tuple(
        Exceptional(line["type"], line["path"], line["real"], line["reason"]) for line in lines
    )


def judge(pair: Pair) -> Verdict | None:
    """What the engine reports for a pair; None when a side is no resource.

    While an operation runs nothing is reported: the next read tells. Between views only disagreements count.
    """
    try:
        before, after = canonical(pair.before), canonical(pair.after)
    except Invalid:
        return None
    changes = compare(json.loads(before.body), json.loads(after.body), after.resource_type)
    drift = tuple(change for change in changes if change.severity is not Severity.INFORMATIONAL)
    if unfinished_state(pair.before) or unfinished_state(pair.after):
        drift = ()
    if pair.label in OTHER_VIEW:
        drift = find_disagreements(drift)
    return Verdict(pair, after.resource_type, drift)


def find_exception(verdict: Verdict, change: Change) -> Exceptional | None:
    path = generalise(change.path)
    return next((e for e in read_exceptions() if e.covers(verdict.resource_type, path)), None)


def is_real(verdict: Verdict) -> bool:
    """Whether everything that is reported about a pair is known to be somebody's change."""
    found = [find_exception(verdict, change) for change in verdict.changes]
    return all(exception is not None and exception.real for exception in found)


def generalise(path: str) -> str:
    """A change's path with `*` for every item of an array."""
    return re.sub(r"\[[^\]]*\](\[\d+\])?", "*", path).lower()


def find_hidden(pair: Pair) -> Iterator[str]:
    """The pointers whose difference alone is not told, though no fact and no rule of spelling says why."""
    try:
        before = canonical(pair.before)
        canonical(pair.after)
    except Invalid:
        return
    for pointer, way in pair.how.items():
        if way in _SPELLINGS or pointer in ("/id", "/name", "/type"):
            continue
        changed = transplant(pair.before, pair.after, pointer)
        if differ(before, canonical(changed)) is not None or is_redacted(pair, pointer):
            continue
        if not is_explained(before.resource_type, pair, pointer):
            yield pointer


def is_redacted(pair: Pair, pointer: str) -> bool:
    """Whether only one side shows a secret that Azure does not have to show."""
    values = [find(side, pointer) for side in (pair.before, pair.after)]
    place = place_at(canonical(pair.after).resource_type, star_items(pair.after, pointer))
    hides = place is not None and place.secret and not place.shown
    return hides and any(map(_is_empty, values))


def is_explained(resource_type: str, pair: Pair, pointer: str) -> bool:
    return all(
        _is_no_configuration(resource_type, star_items(side, pointer), find(side, pointer))
        for side in (pair.before, pair.after)
    )


def _is_no_configuration(resource_type: str, path: str, value: Any) -> bool:
    """Whether a value is nothing, or a fact speaks about it or about everything in it."""
    if _is_empty(value):
        return True
    explanation = explain(resource_type, path)
    if not explanation.compared or {fact.kind for fact in explanation.facts} & _CONDITIONAL:
        return True
    if isinstance(value, dict):
        return all(
            _is_no_configuration(resource_type, f"{path}/{escape(name)}", below)
            for name, below in value.items()
        )
    if isinstance(value, list):
        return all(_is_no_configuration(resource_type, f"{path}/*", item) for item in value)
    return False


def transplant(before: dict[str, Any], after: dict[str, Any], pointer: str) -> dict[str, Any]:
    """`before` with the one value at the pointer as it is in `after`."""
    result = copy.deepcopy(before)
    *above, last = split(pointer)
    parent, source = find(result, above), find(after, above)
    if isinstance(parent, dict) and isinstance(source, dict):
        parent.pop(last, None)
        if last in source:
            parent[last] = source[last]
        return result
    assert isinstance(parent, list)
    assert isinstance(source, list), pointer
    index = int(last)
    parent[index : index + 1] = source[index : index + 1]
    return result


def find(value: Any, pointer: str | list[str]) -> Any:
    for name in split(pointer) if isinstance(pointer, str) else pointer:
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value


def star_items(document: Any, pointer: str) -> str:
    """The pointer with `*` for the indexes of arrays, as facts have it."""
    names, value = [], document
    for name in split(pointer):
        names.append("*" if isinstance(value, list) else escape(name))
        value = find(value, [name])
    return "/" + "/".join(names)


def escape(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def split(pointer: str) -> list[str]:
    return [name.replace("~1", "/").replace("~0", "~") for name in pointer.split("/")[1:]]


def canonical(document: dict[str, Any]) -> Document:
    return canonicalise(document, secret_key=KEY)


def _is_empty(value: Any) -> bool:
    return value is None or value in ("", [], {})


def _pair(line: dict[str, Any]) -> Pair:
    owner = str(line["after"].get("id") or line["before"].get("id")).lower()
    kept_back = hashlib.sha256(owner.encode()).digest()[0] % 2 == 1
    return Pair(line["before"], line["after"], line["class"], line["how"], kept_back)


def main() -> None:
    for label in (*SAME_VIEW, *OTHER_VIEW):
        verdicts = [v for pair in read_pairs() if pair.label == label if (v := judge(pair))]
        silent = sum(verdict.silent for verdict in verdicts)
        real = sum(not verdict.silent and is_real(verdict) for verdict in verdicts)
        share = silent / (len(verdicts) - real)
        print(f"{label}: {len(verdicts)} pairs, {silent} silent, {real} real changes, {share:.1%}")  # noqa: T201


if __name__ == "__main__":
    main()
