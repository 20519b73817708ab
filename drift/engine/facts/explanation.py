"""Why a path is compared or not: the question a person asks after a finding, or after none came."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

from drift.engine.facts.catalogue import facts_for
from drift.engine.facts.model import Explanation, Fact, FactKind, TypeFacts
from errors import Invalid

_TYPE = re.compile(r"[\w.-]+(/[\w.$ *-]+)+")

COMPARED = "nothing says that Azure sets it by itself"
UNKNOWN_TYPE = (
    f"{COMPARED}; of this type no declarations were read, so what holds for every type decides"
)

_DECIDING = tuple(
    kind for kind in FactKind if kind.is_dropping or kind in (FactKind.KEPT, FactKind.VOLATILE_DATE)
)
"""The kinds that answer whether a value is compared."""


def explain(resource_type: str, path: str) -> Explanation:
    """`path` is a JSON Pointer as in a change; an array element may be `[name=web]`, an index or `*`.

    Raises Invalid for what is no resource type (`Microsoft.Network/virtualNetworks`) and for an empty path.
    """
    segments = _split(path)
    if not _TYPE.fullmatch(resource_type.strip("/")):
        raise Invalid(
            f"{resource_type} is no resource type such as Microsoft.Network/virtualNetworks.",
            field="TYPE",
        )
    if not segments:
        raise Invalid("Name a path within the resource, such as /properties/subnets.", field="PATH")
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
    return _explain_compared(known, path, _matching(known.facts, segments))


def condition_of(fact: Fact) -> str:
    """When a fact about a compared path keeps it out of the comparison all the same; '' for one that never does."""
    if fact.kind is FactKind.OWNED and isinstance(fact.value, list):
        return f"while {fact.keys[0]} beside it is {' or '.join(map(str, fact.value))}"
    if fact.kind is FactKind.AUTOSCALED:
        return f"while it lies from {fact.keys[0]} to {fact.keys[1]} beside it and {fact.keys[2]} is on"
    if fact.kind is FactKind.VOLATILE_DATE:
        return "when it is an instant"
    if fact.kind is FactKind.DEFAULT:
        return f"when it is {json.dumps(fact.value)}, which is what a missing one means"
    if fact.kind is FactKind.IMPLIED:
        return f"between a missing one and {json.dumps(fact.value)}, which mean the same"
    return ""


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


def _explain_compared(known: TypeFacts, path: str, matching: list[Fact]) -> Explanation:
    decisive = _last(matching, _DECIDING)
    beside = [fact for fact in matching if not fact.kind.is_dropping and fact is not decisive]
    facts = tuple([decisive, *beside] if decisive is not None else beside)
    nothing = COMPARED if known.generated_from else UNKNOWN_TYPE
    reason = facts[0].reason if facts else nothing
    return Explanation(known.resource_type, path, True, reason, facts)


def _matching(facts: Sequence[Fact], segments: Sequence[str]) -> list[Fact]:
    return [fact for fact in facts if matches(fact.segments, segments)]


def _last(facts: Sequence[Fact], kinds: tuple[FactKind, ...]) -> Fact | None:
    return next((fact for fact in reversed(facts) if fact.kind in kinds), None)


def _split(path: str) -> tuple[str, ...]:
    parts = path.strip("/").split("/") if path.strip("/") else []
    return tuple(part.replace("~1", "/").replace("~0", "~").lower() for part in parts)
