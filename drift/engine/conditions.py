"""What makes a value weak, and so which direction a change has: it opens or weakens something, or it closes it again.

Each condition is one shape of data in severity/*.json. A missing value is None: canonical documents hold no null.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from ipaddress import ip_network
from math import inf

import msgspec

from drift.engine.model import Json

Scalar = str | int | float | bool | None


class Direction(StrEnum):
    OPENED = "opened"
    CLOSED = "closed"


class _Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="is"):
    def direction(self, before: Sequence[Json], after: Sequence[Json]) -> Direction | None:
        """Before and after are the values at the rule's path: several where a whole array came or went, none where
        the array item or resource that they belong to is missing itself."""
        raise NotImplementedError


class State(_Condition, frozen=True):
    """A condition that one side can be tested for alone, so that it also says something of what is new."""

    def weak(self, values: Sequence[Json]) -> bool:
        raise NotImplementedError

    def direction(self, before: Sequence[Json], after: Sequence[Json]) -> Direction | None:
        return _turn(self.weak(before), self.weak(after))


class Among(State, frozen=True, tag="among"):
    """Weak is what is listed; null in the list means that a missing value is weak too."""

    values: tuple[Scalar, ...]

    def weak(self, values: Sequence[Json]) -> bool:
        return bool(values) and contains(self.values, values)


class Outside(State, frozen=True, tag="outside"):
    """Weak is what is not listed, a missing value included unless null is listed."""

    values: tuple[Scalar, ...]

    def weak(self, values: Sequence[Json]) -> bool:
        return not contains(self.values, values)


class Ports(State, frozen=True, tag="ports"):
    """Weak is a port, range or list of them that includes one of the listed ports."""

    ports: tuple[int, ...]

    def weak(self, values: Sequence[Json]) -> bool:
        return any(reaches(text, self.ports) for text in folded(values))


class Wide(State, frozen=True, tag="wide"):
    """Weak is an address range of the public Internet with at most so many fixed bits."""

    bits: int

    def weak(self, values: Sequence[Json]) -> bool:
        return any(_is_wide(text, self.bits) for text in folded(values))


class Lowered(_Condition, frozen=True, tag="lowered"):
    """Weaker is what comes later in the order; `1.2|tls1_2` are two spellings of one place in it.

    A missing value is unknown, unless `missing` says what it stands for.
    """

    order: tuple[str, ...]
    missing: str = ""

    def direction(self, before: Sequence[Json], after: Sequence[Json]) -> Direction | None:
        then, now = self._rank(before), self._rank(after)
        if then is None or now is None or then == now:
            return None
        return Direction.OPENED if now > then else Direction.CLOSED

    def _rank(self, values: Sequence[Json]) -> int | None:
        places = {
            name: place
            for place, names in enumerate(self.order)
            for name in names.lower().split("|")
        }
        texts = [text or self.missing.lower() for text in folded(values)]
        return max((places[text] for text in texts if text in places), default=None)


class Less(_Condition, frozen=True, tag="less"):
    """Weaker is the smaller number: days of retention, instances. A missing value counts as `missing`, if given,
    and `endless` is the number that stands for no limit."""

    missing: float | None = None
    endless: float | None = None

    def direction(self, before: Sequence[Json], after: Sequence[Json]) -> Direction | None:
        then, now = self._number(before), self._number(after)
        if then is None or now is None or then == now:
            return None
        return Direction.OPENED if now < then else Direction.CLOSED

    def _number(self, values: Sequence[Json]) -> float | None:
        numbers = [number(text) for text in folded(values)]
        known = [inf if value == self.endless else value for value in numbers if value is not None]
        return min(known, default=self.missing)


class Grown(_Condition, frozen=True, tag="grown"):
    """Weaker is to have more: an entry more in a list of those who may. Exchanging one counts as having more."""

    def direction(self, before: Sequence[Json], after: Sequence[Json]) -> Direction | None:
        then, now = set(folded(before)) - {""}, set(folded(after)) - {""}
        if now - then:
            return Direction.OPENED
        return Direction.CLOSED if then - now else None


class Shrunk(_Condition, frozen=True, tag="shrunk"):
    """Weaker is to have less: an entry less in a list of what protects. Exchanging one counts as having less."""

    def direction(self, before: Sequence[Json], after: Sequence[Json]) -> Direction | None:
        then, now = set(folded(before)) - {""}, set(folded(after)) - {""}
        if then - now:
            return Direction.OPENED
        return Direction.CLOSED if now - then else None


class Touched(_Condition, frozen=True, tag="touched"):
    """Any change counts, whatever its direction."""

    def direction(self, before: Sequence[Json], after: Sequence[Json]) -> Direction | None:
        return Direction.OPENED if list(folded(before)) != list(folded(after)) else None


Condition = Among | Outside | Ports | Wide | Lowered | Less | Grown | Shrunk | Touched


def fold(value: Json) -> str:
    """A value as text to compare by: services write true as "True" and 1 as "1", and letter case varies."""
    if value in (None, [], {}):
        return ""
    if isinstance(value, str):
        return value.strip().lower()
    if isinstance(value, (bool, int, float)):
        return str(value).lower()
    return msgspec.json.encode(value, order="sorted").decode().lower()


def folded(values: Sequence[Json]) -> Iterator[str]:
    """Every value on its own, arrays taken apart. No value at all is one missing value."""
    if not values:
        yield ""
    for value in values:
        if isinstance(value, list):
            yield from map(fold, value)
        else:
            yield fold(value)


def contains(listed: Sequence[Scalar], values: Sequence[Json]) -> bool:
    """Whether one of the values is listed."""
    return not {fold(item) for item in listed}.isdisjoint(folded(values))


def number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def reaches(text: str, ports: Sequence[int]) -> bool:
    """Whether `22`, `20-25`, `22,80` or `*` includes one of the ports."""
    for part in text.split(","):
        low, _, high = part.strip().partition("-")
        if low == "*":
            return True
        first, last = number(low), number(high or low)
        if first is not None and last is not None and any(first <= port <= last for port in ports):
            return True
    return False


def _turn(before: bool, after: bool) -> Direction | None:
    if before == after:
        return None
    return Direction.OPENED if after else Direction.CLOSED


def _is_wide(text: str, bits: int) -> bool:
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return False
    return not network.is_private and network.prefixlen <= bits
