"""Derives, for one resource type, the paths that Azure sets and no request can.

A member that the answer's model calls read-only may still be settable: some packages have one model for answers
and another for requests. So a path is read-only only when the answer says so and no request takes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from dev.facts.models import Member, Models
from dev.facts.overrides import Overrides

READ_ONLY = 0
REFERENCE = 1

Paths: TypeAlias = "dict[str, int | Paths]"
"""Lower-case names down to READ_ONLY (dropped with all below) or REFERENCE (another resource: its id counts)."""

_Place: TypeAlias = "tuple[str, tuple[str, ...]]"
"""A model, and how far into one of its flattened members."""

_MAX_DEPTH = 24  # of names; the deepest path of the real documents has 16
_MOST_VISITED = 9  # of names; deeper, requests of a few types branch without end


@dataclass(slots=True)
class _Slot:
    """One name in an answer or a request, over all models that may stand there."""

    read_only: bool = True
    depth: int = 0
    places: set[_Place] = field(default_factory=set)

    def add(self, member: Member, place: _Place | None, *, flattened: bool) -> None:
        self.read_only = self.read_only and member.read_only and not flattened
        self.depth = max(self.depth, 0 if flattened else member.depth)
        if place is not None:
            self.places.add(place)


@dataclass(frozen=True, slots=True)
class Derivation:
    """One package's models, seen from one resource type."""

    models: Models
    resource_type: str
    owners: Mapping[str, frozenset[str]]  # model -> resource types whose GET answers with it
    overrides: Overrides

    def derive(self, results: Iterable[str], bodies: Iterable[str]) -> Paths:
        places = frozenset((name, ()) for name in results)
        return self._walk(places, frozenset((name, ()) for name in bodies), (), frozenset())

    def settable(self, bodies: Iterable[str], visit: Callable[[tuple[str, ...]], bool]) -> None:
        """Visits every path that a request takes, from the root down; below one it stops where `visit` says so."""
        self._visit(frozenset((name, ()) for name in bodies), (), frozenset(), visit)

    def _visit(
        self,
        request: frozenset[_Place],
        path: tuple[str, ...],
        above: frozenset[frozenset[_Place]],
        visit: Callable[[tuple[str, ...]], bool],
    ) -> None:
        if request in above or len(path) > _MOST_VISITED:
            return
        for name, slot in sorted(self._slots(request).items()):
            here = (*path, name)
            if not slot.read_only and visit(here) and slot.places:
                below = here + ("*",) * slot.depth
                self._visit(frozenset(slot.places), below, above | {request}, visit)

    def _walk(
        self,
        answer: frozenset[_Place],
        request: frozenset[_Place],
        path: tuple[str, ...],
        above: frozenset[frozenset[_Place]],
    ) -> Paths:
        if answer in above or len(path) > _MAX_DEPTH:
            return {}
        settable = self._slots(request)
        paths: Paths = {}
        for name, slot in sorted(self._slots(answer).items()):
            there = settable.get(name)
            found = self._judge(name, slot, there, path, above | {answer})
            if found is not None:
                paths[name] = found
        return paths

    def _judge(
        self,
        name: str,
        slot: _Slot,
        settable: _Slot | None,
        path: tuple[str, ...],
        above: frozenset[frozenset[_Place]],
    ) -> int | Paths | None:
        here = (*path, name)
        if self.overrides.keeps(self.resource_type, here):
            return None
        if slot.read_only and (settable is None or settable.read_only):
            return READ_ONLY
        below = here + ("*",) * slot.depth
        if self._is_elsewhere(slot, here):
            return _nest(REFERENCE, slot.depth)
        request = frozenset(settable.places) if settable is not None else frozenset()
        paths = self._walk(frozenset(slot.places), request, below, above)
        return _nest(paths, slot.depth) if paths else None

    def _slots(self, places: frozenset[_Place]) -> dict[str, _Slot]:
        slots: dict[str, _Slot] = {}
        for model, prefix in places:
            for member in self.models.members(model):
                rest = member.segments[len(prefix) :]
                if not rest or member.segments[: len(prefix)] != prefix:
                    continue
                flattened = len(rest) > 1
                place = (model, (*prefix, rest[0])) if flattened else _target(member)
                slots.setdefault(rest[0].lower(), _Slot()).add(member, place, flattened=flattened)
        return slots

    def _is_elsewhere(self, slot: _Slot, path: tuple[str, ...]) -> bool:
        """Whether what is here is a resource of its own that lives outside this one, embedded by $expand."""
        models = {model for model, prefix in slot.places if not prefix}
        owners = {owner for model in models for owner in self.owners.get(model, ())}
        if len(path) == 1 or not owners or len(models) != 1 or any(p for _, p in slot.places):
            return False
        inside = self.resource_type + "/"
        has_id = any(
            member.segments == ("id",) for member in self.models.members(next(iter(models)))
        )
        return has_id and not any(owner.startswith(inside) for owner in owners)


def _target(member: Member) -> _Place | None:
    return (member.target, ()) if member.target else None


def _nest(value: int | Paths, depth: int) -> int | Paths:
    for _ in range(depth):
        value = {"*": value}
    return value
