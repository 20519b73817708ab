"""Facts as they are on disk, read when a type is first asked for and then kept.

`global.jsonl` holds for every type; `types.jsonl` for the types that its patterns name; `readonly/<namespace>.json`
is generated from Microsoft's management packages (`python -m dev.facts`). A line of the first two is one reason with
its source, and the paths it holds for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache, reduce
from pathlib import Path
from typing import Any
from zlib import crc32

from drift.engine.facts.model import Fact, FactKind, TypeFacts

HERE = Path(__file__).parent

_GENERATED = (
    (FactKind.READ_ONLY, "Azure sets it; no request of the resource's API takes it"),
    (FactKind.REFERENCE, "another resource, shown here: what it is like is its own configuration"),
)
"""What the leaves 0 and 1 of a generated file stand for."""


@cache
def facts_for(resource_type: str) -> TypeFacts:
    """What is known about a resource type, given in any letter case. A type nobody knows has the global facts."""
    folded = resource_type.strip("/").lower()
    if folded != resource_type:
        return facts_for(folded)
    entry = _generated(folded.partition("/")[0]).get(folded, {})
    return TypeFacts(
        resource_type=folded,
        facts=(*_global_facts(), *_read_only_facts(entry), *_written_facts(folded)),
        generated_from=entry.get("source", ""),
    )


@cache
def _global_facts() -> tuple[Fact, ...]:
    facts = [fact for line in _lines("global.jsonl") for fact in _facts(line)]
    return tuple(sorted(facts, key=_strength))


@cache
def fingerprint() -> int:
    """32 bits that change with every fact: what was canonical under other facts may not be any more."""
    files = sorted([*HERE.glob("*.jsonl"), *HERE.glob("readonly/*.json")])
    return reduce(lambda sum_, file: crc32(file.read_bytes(), sum_), files, 0)


def _written_facts(resource_type: str) -> list[Fact]:
    facts = [
        fact
        for patterns, facts in _type_lines()
        if any(fnmatchcase(resource_type, pattern) for pattern in patterns)
        for fact in facts
    ]
    return sorted(facts, key=_strength)


@cache
def _type_lines() -> tuple[tuple[tuple[str, ...], tuple[Fact, ...]], ...]:
    return tuple((tuple(line["types"]), tuple(_facts(line))) for line in _lines("types.jsonl"))


def _facts(line: Mapping[str, Any]) -> Iterator[Fact]:
    for path in line["paths"]:
        yield Fact(
            segments=tuple(path.split("/")),
            kind=FactKind(line["kind"]),
            reason=line["reason"],
            source=line["source"],
            keys=tuple(key.lower() for key in line.get("keys", ())),
            value=line.get("value"),
        )


def _strength(fact: Fact) -> tuple[int, int]:
    """The longer path is the stronger; of two alike, `x` is stronger than `x*`, and that than `*`."""
    length = sum(segment != "**" for segment in fact.segments)
    last = fact.segments[-1]
    return (length, 0 if last == "*" else 1 if "*" in last else 2)


def _read_only_facts(entry: Mapping[str, Any]) -> Iterator[Fact]:
    for segments, leaf in _leaves(entry.get("paths", {}), ()):
        kind, reason = _GENERATED[leaf]
        yield Fact(segments, kind, reason, entry["source"])


def _leaves(
    tree: Mapping[str, Any], above: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], int]]:
    for name, below in tree.items():
        if isinstance(below, dict):
            yield from _leaves(below, (*above, name))
        else:
            yield (*above, name), below


@cache
def _generated(namespace: str) -> Mapping[str, Any]:
    """The generated entries of one provider namespace, by type. Namespaces without a package have none."""
    path = HERE / "readonly" / f"{namespace}.json"
    if not path.is_file():
        return {}
    entries: Mapping[str, Any] = json.loads(path.read_bytes())["types"]
    return entries


def _lines(name: str) -> Iterator[dict[str, Any]]:
    text = (HERE / name).read_text(encoding="utf-8")
    return (json.loads(line) for line in text.splitlines() if line.strip())
