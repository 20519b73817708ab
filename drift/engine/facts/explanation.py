"""Why a path is compared or not: the question a person asks after a finding, or after none came."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from drift.engine.facts.catalogue import facts_for
from drift.engine.facts.model import Explanation, Fact, FactKind

COMPARED = "compared: nothing says that Azure sets it by itself"

_DECIDING = tuple(
    kind for kind in FactKind if kind.is_dropping or kind in (FactKind.KEPT, FactKind.VOLATILE_DATE)
)
"""The kinds that answer whether a value is compared."""


def explain(resource_type: str, path: str) -> Explanation:
    """`path` is a JSON Pointer as in a change; an array element may be `[name=web]`, an index or `*`."""
    segments = _split(path)
    known = facts_for(resource_type)
    for depth in range(1, len(segments) + 1):
        matching = _matching(known.facts, segments[:depth])
        dropping = _last(matching, _DECIDING)
        if dropping is not None and dropping.kind.is_dropping:
            return Explanation(known.resource_type, path, False, dropping.reason, (dropping,))
        reference = _last(matching, (FactKind.REFERENCE,))
        if reference is not None and segments[depth:] not in ((), ("id",)):
            return Explanation(known.resource_type, path, False, reference.reason, (reference,))
        whole = _last(matching, (FactKind.CONTENT, FactKind.OWNED))
        if whole is not None and depth < len(segments):
            return Explanation(known.resource_type, path, True, whole.reason, (whole,))
    return _explain_compared(known.resource_type, path, _matching(known.facts, segments))


def matches(pattern: Sequence[str], segments: Sequence[str]) -> bool:
    """Whether a fact's segments are those of a lower-case path."""
    if pattern and pattern[0] == "**":
        pattern = pattern[1:]
        if len(pattern) > len(segments):
            return False
        segments = segments[len(segments) - len(pattern) :]
    return len(pattern) == len(segments) and all(
        fnmatchcase(segment, part) for part, segment in zip(pattern, segments, strict=True)
    )


def _explain_compared(resource_type: str, path: str, matching: list[Fact]) -> Explanation:
    decisive = _last(matching, _DECIDING)
    beside = [fact for fact in matching if not fact.kind.is_dropping and fact is not decisive]
    facts = tuple([decisive, *beside] if decisive is not None else beside)
    reason = facts[0].reason if facts else COMPARED
    return Explanation(resource_type, path, True, reason, facts)


def _matching(facts: Sequence[Fact], segments: Sequence[str]) -> list[Fact]:
    return [fact for fact in facts if matches(fact.segments, segments)]


def _last(facts: Sequence[Fact], kinds: tuple[FactKind, ...]) -> Fact | None:
    return next((fact for fact in reversed(facts) if fact.kind in kinds), None)


def _split(path: str) -> tuple[str, ...]:
    parts = path.strip("/").split("/") if path.strip("/") else []
    return tuple(part.replace("~1", "/").replace("~0", "~").lower() for part in parts)
