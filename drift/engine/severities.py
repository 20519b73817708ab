"""The built-in severity rules: data files in severity/, read once, and the one place that applies them to a change."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path

import msgspec

from drift.engine.conditions import (
    Condition,
    Direction,
    Scalar,
    State,
    Touched,
    contains,
    folded,
    reaches,
)
from drift.engine.model import Change, ChangeKind, Json, Severity
from drift.engine.patterns import SegmentPattern, like, split
from drift.engine.spots import Spot, find_spots, find_values, is_element, meets
from errors import NotFound

FOLDER = Path(__file__).parent / "severity"
CLOSED = "-closed"
# What a finding is about when no rule has a title for it.
PLAIN_TITLES = {
    ChangeKind.ADDED: "A resource that the baseline does not have",
    ChangeKind.REMOVED: "A resource of the baseline is gone",
    ChangeKind.MODIFIED: "A property differs from the baseline",
}


class Test(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A condition on a value beside the changed one (`name`) or anywhere in the resource (`/pointer`)."""

    at: tuple[str, ...]
    among: tuple[Scalar, ...] = ()  # null is a missing value
    like: tuple[str, ...] = ()  # patterns, in which `*` is any text
    ports: tuple[int, ...] = ()


class BuiltInRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of what a change means. `severity` is for the opening direction, `closing` for its undoing.

    `paths` are JSON Pointers in which `*` is any one segment; '' is the resource itself coming or going. A fallback
    rule, in which `**` may stand too, decides only where no other rule has a say; what it tests is the resource.
    """

    id: str
    title: str  # what is so now, in the opening direction
    reason: str  # why that matters
    action: str  # what to do
    types: tuple[str, ...]
    paths: tuple[str, ...]
    severity: Severity
    weak: Condition = Touched()
    closing: Severity = Severity.LOW
    where: tuple[Test, ...] = ()  # each must be known and true
    unless: tuple[Test, ...] = ()  # none may be known and true
    kinds: tuple[ChangeKind, ...] = ()
    deep: bool = False  # what is below the paths counts too
    fallback: bool = False
    values: tuple[
        str, ...
    ] = ()  # of a fallback: patterns, one of which the value on either side has to match
    area: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    severity: Severity
    rule: str
    decides: bool = field(
        default=True, compare=False
    )  # False: of a part only, the whole has to be rated too


def rate(change: Change, resource_type: str, *, before: Json = None, after: Json = None) -> Verdict:
    """The worst that any built-in rule says of the change; before and after are the whole resource, where at hand.

    A resource or array item that came or went is rated at least as such; what it opens can only make that worse.
    """
    before = change.before if before is None and not change.path else before
    after = change.after if after is None and not change.path else after
    verdicts = [
        verdict
        for rule in _rules_for(resource_type.lower())
        if (verdict := apply(rule, change, before=before, after=after))
    ]
    if not any(verdict.decides for verdict in verdicts):
        verdicts.append(_fall_back(change, resource_type, before, after))
    return max(verdicts, key=_rank)


def apply(
    rule: BuiltInRule, change: Change, *, before: Json = None, after: Json = None
) -> Verdict | None:
    """What one rule, made for the resource's type and no fallback, says of a change."""
    if rule.kinds and change.kind not in rule.kinds:
        return None
    segments = split(change.path)
    found = [
        verdict
        for path in rule.paths
        if (verdict := _apply_at(rule, _segments(path), change, segments, before, after))
    ]
    return max(found, key=_rank, default=None)


def describe(rule_id: str) -> BuiltInRule:
    """Title, reason and action of a rule, by the id that a change carries. Raises NotFound for a tenant's rule."""
    rule = find(rule_id)
    if rule is None:
        raise NotFound(f"There is no built-in rule {rule_id!r}.")
    return rule


def find(rule_id: str) -> BuiltInRule | None:
    return _by_id().get(rule_id)


def title_of(rule_id: str, kind: ChangeKind) -> str:
    """What is so now, in one sentence, also where no built-in rule has a say."""
    known = find(rule_id)
    return known.title if known else PLAIN_TITLES[kind]


@cache
def built_in() -> tuple[BuiltInRule, ...]:
    """Every rule, specific before fallback, in the order of the files."""
    rules = []
    for file in sorted(FOLDER.glob("*.json")):
        read = msgspec.json.decode(file.read_bytes(), type=list[BuiltInRule])
        rules += [msgspec.structs.replace(rule, area=file.stem) for rule in read]
    return tuple(sorted(rules, key=lambda rule: rule.fallback))


@cache
def _by_id() -> dict[str, BuiltInRule]:
    rules = {rule.id: rule for rule in built_in()}
    return rules | {rule.id + CLOSED: _undone(rule) for rule in built_in()}


def _undone(rule: BuiltInRule) -> BuiltInRule:
    return msgspec.structs.replace(
        rule,
        id=rule.id + CLOSED,
        title=f"No longer: {rule.title[:1].lower()}{rule.title[1:]}",
        reason="This is the safer direction. It is still a difference from the baseline.",
        action="If it was intended, accept it or capture a new baseline.",
        severity=rule.closing,
    )


@lru_cache(maxsize=2048)
def _rules_for(resource_type: str) -> tuple[BuiltInRule, ...]:
    return tuple(r for r in built_in() if not r.fallback and _is_for(r, resource_type))


@lru_cache(maxsize=2048)
def _fallbacks_for(resource_type: str) -> tuple[BuiltInRule, ...]:
    return tuple(r for r in built_in() if r.fallback and _is_for(r, resource_type))


def _is_for(rule: BuiltInRule, resource_type: str) -> bool:
    return any(like(pattern, resource_type) for pattern in rule.types)


def _fall_back(change: Change, resource_type: str, before: Json, after: Json) -> Verdict:
    rules = (r for r in _fallbacks_for(resource_type.lower()) if _is_fallback(r, change))
    sides = [Spot(None, side, side) for side in (before, after) if side is not None]
    return next(
        Verdict(rule.severity, rule.id)
        for rule in rules
        if not rule.where or any(_stands(rule, side) for side in sides)
    )


def _is_fallback(rule: BuiltInRule, change: Change) -> bool:
    if rule.kinds and change.kind not in rule.kinds:
        return False
    if rule.values and not any(
        like(pattern, text)
        for text in folded([change.before, change.after])
        for pattern in rule.values
    ):
        return False
    return any(SegmentPattern(_segments(path)).matches(change.path) for path in rule.paths)


def _apply_at(
    rule: BuiltInRule,
    pattern: tuple[str, ...],
    change: Change,
    segments: tuple[str, ...],
    before: Json,
    after: Json,
) -> Verdict | None:
    if not meets(pattern, segments, deep=rule.deep):
        return None
    several = isinstance(change.before, list) or isinstance(change.after, list)
    whole = not segments or several or is_element(segments[-1])
    within = whole and len(pattern) > len(segments)
    if within and not isinstance(rule.weak, State):
        return None  # what is new as a whole was nothing before that could have been lowered or touched
    then = find_spots(pattern, segments, change.before, before)
    now = find_spots(pattern, segments, change.after, after)
    match _direction(rule, then, now):
        case Direction.OPENED:
            return Verdict(rule.severity, rule.id, decides=not within)
        case Direction.CLOSED:
            return Verdict(rule.closing, rule.id + CLOSED, decides=not within)
        case None:
            return None


@cache
def _segments(path: str) -> tuple[str, ...]:
    """Of a rule's path: they are few and asked for with every change."""
    return split(path)


def _rank(verdict: Verdict) -> int:
    return verdict.severity.rank


def _direction(rule: BuiltInRule, then: list[Spot], now: list[Spot]) -> Direction | None:
    """Only what the rule's tests hold for is compared."""
    then = [spot for spot in then if _stands(rule, spot)]
    now = [spot for spot in now if _stands(rule, spot)]
    if not then and not now:
        return None
    return rule.weak.direction([spot.value for spot in then], [spot.value for spot in now])


def _stands(rule: BuiltInRule, spot: Spot) -> bool:
    return all(_holds(test, spot) for test in rule.where) and not any(
        _holds(test, spot) for test in rule.unless
    )


def _holds(test: Test, spot: Spot) -> bool:
    """Known and true. What is not known is not true."""
    sources = [(spot.root if at.startswith("/") else spot.beside, at) for at in test.at]
    known = [find_values(source, _segments(at)) for source, at in sources if source is not None]
    return any(_is_true(test, values) for values in known)


def _is_true(test: Test, values: list[Json]) -> bool:
    if contains(test.among, values):
        return True
    return any(
        any(like(pattern.lower(), text) for pattern in test.like) or reaches(text, test.ports)
        for text in folded(values)
    )
