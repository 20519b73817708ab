"""Documents that are hard to tell apart, and the changes that a scan must not overlook in them.

Rows are written here character by character, for no encoder writes what some providers send: members twice, numbers of
any form and width, half of a surrogate pair, names that differ in their letter case.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from hypothesis import strategies as st

GROUP = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/g/providers"
TYPES = (
    "Microsoft.Network/virtualNetworks",
    "Microsoft.Network/networkSecurityGroups",
    "Microsoft.Logic/workflows",  # its definition is content
    "Microsoft.Web/sites/config",  # its properties are settings
    "Microsoft.Authorization/roleDefinitions",  # some of it is Azure's, some of the time
    "Contoso.Things/things",
)
BOOKKEEPING = ("etag", "provisioningState", "lastModifiedAt")


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it is spelled."""

    text: str


@dataclass(frozen=True, slots=True)
class Members:
    """An object as it came: a name may come twice."""

    pairs: tuple[tuple[str, Value], ...]


Value: TypeAlias = "bool | str | Number | Members | tuple[Value, ...] | None"

NAMES = st.sampled_from(
    [*BOOKKEEPING, "Etag", "name", "Name", "id", "ID", "type", "value", "subnets", "dnsServers", "definition", "tags",
     "permissions", "securityRules", "properties", "password", "a", "b", 'c"etag":"', "\\", "d/e", "räk", ""]
)  # fmt: skip
TEXTS = st.sampled_from(
    ["", "x", "X", "y", "*****", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.1234567+02:00", "2026-01-01T99-99",
     "never", "BuiltInRole", 'a"etag":"b', "\\", '\\"', ',"etag":"1"', "@", '":@', "é", "\ud800", "\U0001f600",
     "/subscriptions/S/", "/subscriptions/s", "Updating"]
)  # fmt: skip
SPELLED = [
    "0", "-0", "0.0", "-0.0", "1", "1.0", "1e0", "10E-1", "2.5", "0.1", "0.10000000000000001",
    "9007199254740993", "9007199254740992", "9007199254740993.0", "9223372036854775807",
    "9223372036854775808", "18446744073709551615", "18446744073709551616", "18446744073709551617",
    "-9223372036854775809", "-9223372036854775810", "1e400", "1e20", "100000000000000000000",
    "100000000000000000001", "-1E+20", "1.8446744073709552e19", "NaN", "123456789012345678901234567890",
    "123456789012345678901234567891",
]  # fmt: skip
NUMBERS = st.sampled_from(SPELLED).map(Number)
LEAVES: st.SearchStrategy[Value] = st.one_of(st.none(), st.booleans(), TEXTS, NUMBERS)


def _members(below: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    return st.lists(st.tuples(NAMES, below), max_size=5).map(lambda pairs: Members(tuple(pairs)))


VALUES: st.SearchStrategy[Value] = st.recursive(
    LEAVES,
    lambda below: st.one_of(st.lists(below, max_size=4).map(tuple), _members(below)),
    max_leaves=14,
)


@st.composite
def documents(draw: st.DrawFn) -> Members:
    kind = draw(st.sampled_from(TYPES))
    return Members(
        (
            ("id", f"{GROUP}/{kind}/x"),
            ("type", kind),
            *draw(st.lists(st.tuples(st.sampled_from(["tags", *BOOKKEEPING]), LEAVES), max_size=2)),
            ("tags", draw(_members(LEAVES))),
            ("properties", draw(_members(VALUES))),
        )
    )


def write(value: Value) -> str:
    """JSON, with the members and the digits as they are."""
    match value:
        case Number(text):
            return text
        case Members(pairs):
            return "{" + ",".join(f"{_text(name)}:{write(below)}" for name, below in pairs) + "}"
        case tuple():
            return "[" + ",".join(map(write, value)) + "]"
        case str():
            return _text(value)
    return json.dumps(value)


def _text(value: str) -> str:
    """Escaped where it has to be alone, so that a BOM or a bad byte is none of this module's doing."""
    escaped = json.dumps(value, ensure_ascii=False)
    return json.dumps(value) if any("\ud800" <= c <= "\udfff" for c in value) else escaped


def edit(document: Members, chance: random.Random) -> Members:
    """The document with one thing done to it that a person, or a provider, may do."""
    *envelope, tags, properties = document.pairs
    where = chance.choice(["tags", "properties", "properties", "both"])
    if where != "properties":
        tags = ("tags", _edit(tags[1], chance))
    if where != "tags":
        properties = ("properties", _edit(properties[1], chance))
    return Members((*envelope, tags, properties))


def _edit(value: Any, chance: random.Random) -> Any:
    """One edit somewhere below, or of the value itself."""
    below = list(_children(value))
    if below and chance.random() < 0.6:
        at, item = chance.choice(below)
        return _with(value, at, _edit(item, chance))
    if isinstance(value, Members):
        return Members(tuple(_edit_pairs(list(value.pairs), chance)))
    if isinstance(value, tuple):
        return tuple(_edit_items(list(value), chance))
    return chance.choice([None, True, False, "", "x", "y", Number("1"), Number("1.0"), Number("0"), (), Members(()),
                          "2026-01-02T00:00:00Z", Number(chance.choice(SPELLED))])  # fmt: skip


def _edit_pairs(pairs: list[tuple[str, Any]], chance: random.Random) -> list[tuple[str, Any]]:
    fresh = (
        chance.choice([*BOOKKEEPING, "Etag", "a", "name"]),
        chance.choice(["x", "2026-01-02T00:00:00Z", None, True]),
    )
    match chance.randrange(5):
        case 0:
            pairs.insert(chance.randrange(len(pairs) + 1), fresh)
        case 1 if pairs:
            pairs.pop(chance.randrange(len(pairs)))
        case 2 if pairs:
            at = chance.randrange(len(pairs))
            pairs[at] = (fresh[0], pairs[at][1])
        case 3 if pairs:
            at = chance.randrange(len(pairs))
            pairs[at] = (pairs[at][0], fresh[1])
        case _:
            chance.shuffle(pairs)
    return pairs


def _edit_items(items: list[Any], chance: random.Random) -> list[Any]:
    match chance.randrange(4):
        case 0:
            items.append("x")
        case 1 if items:
            items.pop(chance.randrange(len(items)))
        case 2 if items:
            items.append(chance.choice(items))
        case _:
            chance.shuffle(items)
    return items


def _children(value: Any) -> Iterator[tuple[int, Any]]:
    if isinstance(value, Members):
        yield from ((at, below) for at, (_, below) in enumerate(value.pairs))
    elif isinstance(value, tuple):
        yield from enumerate(value)


def _with(value: Any, at: int, below: Any) -> Any:
    if isinstance(value, Members):
        pairs = list(value.pairs)
        pairs[at] = (pairs[at][0], below)
        return Members(tuple(pairs))
    items = list(value)
    items[at] = below
    return tuple(items)
