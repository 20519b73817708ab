"""The facts of a type, compiled for the walk: at every place of a document, what to do with each member.

A plan is a finite automaton over member names that is built while documents are walked. A place that was met before
costs one dict lookup a member, whatever the number of facts; every place about which only any-depth facts speak is
the same place. Names are looked up as they are spelled and resolved in lower case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from functools import cache, partial
from typing import TypeAlias

from drift.engine import pointers
from drift.engine.facts import Fact, FactKind, facts_for
from drift.engine.model import Json
from drift.engine.redaction import is_secret_name
from drift.engine.scalars import fold_location, fold_type

ANY_DEPTH = "**"
ITEM = "*"
_MOST_NAMES = (
    2048  # a place's memory of names; documents choose names (tags, settings), so it is bounded
)
# Members that stay readable below a secret: they tell which one it is.
_LABELS = frozenset({"name", "type", "id", "key"})
_NAMED = frozenset({"type", "value"})  # names that decide how a value is read, whatever the facts
_COMPARING = frozenset({FactKind.KEPT, FactKind.VOLATILE_DATE})
_ARRAYS = frozenset({FactKind.SET, FactKind.ORDERED})


class Place:
    """What is known about one path. Everything is decided here once; the walk only reads it.

    `special` is set when a value needs more than the default treatment, so that the walk asks one question.
    """

    __slots__ = (
        "allow_list", "band", "date", "default", "implied", "item", "keys", "members", "ordered", "owner", "pair",
        "presence", "reference", "resolve", "secret", "shown", "special", "text", "text_only",
    )  # fmt: skip

    members: dict[str, Place | None]
    """The members met so far, each with its place; None for what is not configuration. `resolve` knows the others."""
    resolve: Callable[[str], Place | None]
    item: Place
    """The place of the items, when the value is an array."""

    def __init__(self, facts: Iterable[Fact], *, name: str, secret: bool) -> None:
        by_kind = {fact.kind: fact for fact in facts}
        default, band = by_kind.get(FactKind.DEFAULT), by_kind.get(FactKind.AUTOSCALED)
        implied, identity = by_kind.get(FactKind.IMPLIED), by_kind.get(FactKind.IDENTITY)
        self.members = {}
        self.text = _reader(by_kind, name)
        self.secret = secret or FactKind.SECRET in by_kind
        self.shown = FactKind.SHOWN in by_kind
        self.date = FactKind.VOLATILE_DATE in by_kind
        self.default: Json = default.value if default else None
        self.implied: Json = implied.value if implied else None
        self.reference = FactKind.REFERENCE in by_kind
        self.band = band.keys if band else ()
        self.owner = by_kind.get(FactKind.OWNED)
        self.presence = FactKind.PRESENCE in by_kind
        self.ordered = FactKind.ORDERED in by_kind
        self.keys = identity.keys if identity else ()
        self.allow_list = FactKind.ALLOW_LIST in by_kind
        # Of {"name": …, "value": …}, where the sibling may tell that it is a secret.
        self.pair = name == "value"
        several = self.default is not None or any(
            (self.secret, self.date, self.reference, self.band, self.owner, self.pair)
        )
        self.text_only = None if several else self.text
        self.special = several or self.text is not None

    def find(self, member: str) -> Place | None:
        """The place of a member, None when it is not configuration."""
        try:
            return self.members[member]
        except KeyError:
            return self.resolve(member)


_State: TypeAlias = frozenset[tuple[int, int]]
"""The facts, by number, that match so far, and how many of their segments."""


class Plan:
    """The automaton of one type."""

    def __init__(self, facts: tuple[Fact, ...]) -> None:
        self._facts = facts
        self._anywhere: dict[str, list[int]] = {}
        self._anywhere_patterns: list[int] = []
        anchored: list[tuple[int, int]] = []
        for number, fact in enumerate(facts):
            if fact.segments[0] != ANY_DEPTH:
                anchored.append((number, 0))
            elif "*" in fact.segments[1]:
                self._anywhere_patterns.append(number)
            else:
                self._anywhere.setdefault(fact.segments[1], []).append(number)
        self._places: dict[tuple[_State, str, bool, bool], Place] = {}
        self._contents: dict[tuple[str, bool], Place] = {}
        self.root = self._place(frozenset(anchored), "", secret=False, item=False)

    def _place(self, state: _State, name: str, *, secret: bool, item: bool) -> Place:
        name = name if name in _NAMED else ""
        known = self._places.get((state, name, secret, item))
        if known is not None:
            return known
        complete = self._complete(state)
        place = Place(_winners(complete), name=name, secret=secret)
        self._places[state, name, secret, item] = place
        place.resolve = _remember(place, partial(self._step, state, secret=place.secret))
        place.item = place if item else self._item(state, place)
        if item and not any(fact.kind is FactKind.SET for fact in complete):
            place.ordered = True
        return place

    def _item(self, state: _State, array: Place) -> Place:
        """The place of an array's items. An array in an array is a tuple: its order counts unless a fact says SET."""
        advanced = frozenset(
            (n, done + 1)
            for n, done in state
            if done < len(self._facts[n].segments) and self._facts[n].segments[done] == ITEM
        )
        item = self._place(advanced, "", secret=array.secret, item=True)
        if array.text is not None and item.text is None:
            return _with_text(item, array.text)
        return item

    def _step(self, state: _State, member: str, *, secret: bool) -> Place | None:
        name = member.lower()
        advanced = frozenset(self._advance(state, name))
        complete = self._complete(advanced)
        if any(fact.kind.is_dropping for fact in _winners(complete)):
            return None
        hidden = (secret and name not in _LABELS) or is_secret_name(name)
        if any(fact.kind is FactKind.CONTENT for fact in complete):
            return self._content(name, secret=hidden)
        return self._place(advanced, name, secret=hidden, item=False)

    def _content(self, name: str, *, secret: bool) -> Place:
        """The place of what a person wrote as a whole: every member counts, in order, and secrets stay secret."""
        name = name if name in _NAMED else ""
        known = self._contents.get((name, secret))
        if known is not None:
            return known
        place = self._contents[name, secret] = Place((), name=name, secret=secret)
        place.resolve = _remember(place, partial(self._content_step, secret=secret))
        place.item = place
        place.ordered = place.shown = True
        return place

    def _content_step(self, member: str, *, secret: bool) -> Place:
        name = member.lower()
        hidden = (secret and name not in _LABELS) or is_secret_name(name)
        return self._content(name, secret=hidden)

    def _complete(self, state: _State) -> list[Fact]:
        """The facts about this very path, from weak to strong."""
        return [self._facts[n] for n, done in sorted(state) if done == len(self._facts[n].segments)]

    def _advance(self, state: _State, name: str) -> Iterable[tuple[int, int]]:
        for number, done in state:
            segments = self._facts[number].segments
            if done < len(segments) and _is_match(segments[done], name):
                yield number, done + 1
        for number in self._anywhere.get(name, ()):
            yield number, 2
        for number in self._anywhere_patterns:
            if _is_match(self._facts[number].segments[1], name):
                yield number, 2


@cache
def plan_for(resource_type: str) -> Plan:
    """The plan of a type, kept for the life of the process as its facts are."""
    return Plan(facts_for(resource_type).facts)


def place_at(resource_type: str, path: str) -> Place | None:
    """The place of a JSON Pointer, in which `*`, an index or `[name=web]` is an item; None where nothing counts."""
    place: Place | None = plan_for(resource_type.strip("/").lower()).root
    for segment in path.strip("/").split("/"):
        if place is None:
            return None
        is_item = segment == "*" or segment.isdecimal() or segment.startswith("[")
        place = place.item if is_item else place.find(pointers.unescape(segment))
    return place


def _remember(place: Place, step: Callable[[str], Place | None]) -> Callable[[str], Place | None]:
    def resolve(member: str) -> Place | None:
        found = step(member)
        if len(place.members) < _MOST_NAMES:
            place.members[member] = found
        return found

    return resolve


def _is_match(pattern: str, name: str) -> bool:
    return pattern == name or ("*" in pattern and fnmatchcase(name, pattern))


def _winners(facts: Iterable[Fact]) -> list[Fact]:
    """Of the facts that answer one question the last, which is the strongest."""
    winners: dict[object, Fact] = {}
    for fact in facts:
        winners[_question(fact.kind)] = fact
    return list(winners.values())


def _question(kind: FactKind) -> object:
    if kind.is_dropping or kind in _COMPARING:
        return "compared"
    return "order" if kind in _ARRAYS else kind


def _reader(by_kind: dict[FactKind, Fact], name: str) -> Callable[[str], str] | None:
    if FactKind.LOCATION in by_kind:
        return fold_location
    if FactKind.CASE_INSENSITIVE in by_kind:
        return str.lower
    return fold_type if name == "type" else None


def _with_text(place: Place, text: Callable[[str], str]) -> Place:
    """The place for items of an array whose fact says how its texts are read."""
    item = object.__new__(Place)
    for slot in Place.__slots__:
        setattr(item, slot, getattr(place, slot))
    item.text, item.special, item.item = text, True, item
    item.text_only = None if place.special else text
    return item
