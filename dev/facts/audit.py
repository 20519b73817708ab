"""Finds written facts that hide what a request takes: each is an error, or needs the reason it has.

A fact that hides something a person can configure is worse than noise. The packages know what a request takes, so
whoever adds a fact runs `python -m dev.facts --audit` and reads what is new in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dev.facts.overrides import Overrides
from dev.facts.packages import Declarations, find_owners, read_packages
from dev.facts.readonly import Derivation
from drift.engine.facts import Fact, FactKind, explain

_GENERATED = "azure-mgmt-"


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A fact, and the settable paths that it drops, as `type: path`."""

    fact: Fact
    hidden: tuple[str, ...]


def audit(packages: Path) -> list[Suspicion]:
    """Facts with the most hidden paths first. A type that several packages declare is asked once."""
    hidden: dict[Fact, list[str]] = defaultdict(list)
    seen: set[str] = set()
    for declarations in read_packages(packages):
        for resource_type in declarations.usages.keys() - seen:
            seen.add(resource_type)
            for fact, path in find_hidden(declarations, resource_type):
                hidden[fact].append(f"{resource_type}: {path}")
    found = [Suspicion(fact, tuple(sorted(paths))) for fact, paths in hidden.items()]
    return sorted(found, key=lambda suspicion: (-len(suspicion.hidden), suspicion.fact.path))


def find_hidden(declarations: Declarations, resource_type: str) -> Iterator[tuple[Fact, str]]:
    """The written facts of a type with the settable paths that they drop. References are meant to drop."""
    found: list[tuple[Fact, str]] = []

    def visit(path: tuple[str, ...]) -> bool:
        pointer = _point(path)
        explanation = explain(resource_type, pointer)
        if explanation.compared:
            return True
        fact = explanation.facts[0]
        if fact.kind is not FactKind.REFERENCE and not fact.source.startswith(_GENERATED):
            found.append((fact, pointer))
        return False

    owners = find_owners(declarations.usages)
    derivation = Derivation(declarations.models, resource_type, owners, Overrides(()))
    derivation.settable(declarations.usages[resource_type].bodies, visit)
    yield from found


def _point(path: Iterable[str]) -> str:
    return "/" + "/".join(name.replace("~", "~0").replace("/", "~1") for name in path)
