"""Which item of an array is which, when two arrays differ. It decides how a change is told, never whether there is one.

Items are told apart by the members that a fact names, else by `name`, else by `id`, else by whichever scalar member is
unique on both sides; where nothing tells them apart, the most alike are taken for the same. Nothing here depends on
the order of the items, and swapping the sides swaps the answer.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from drift.engine.arrays import ENCODER
from drift.engine.model import Json

MOST_COMPARISONS = (
    4096  # pairs looked at for likeness (cost is quadratic); beyond, items are removed and added
)
_NAMING = ("name", "id")
_LABEL_MEMBERS = 2  # of an item without identity, enough for a person to find it

Naming: TypeAlias = tuple[tuple[str, Json], ...]
"""What names an item in a path: members as spelled in it, with their values; ("", value) for a scalar item."""


@dataclass(frozen=True, slots=True)
class Item:
    value: Any
    fingerprint: bytes  # equal where case of names and order mean nothing


@dataclass(frozen=True, slots=True)
class Match:
    """An item before and after; None on the side that does not have it."""

    naming: Naming
    before: Item | None
    after: Item | None


def match_items(before: Sequence[Item], after: Sequence[Item], keys: Sequence[str]) -> list[Match]:
    """What is not alike on both sides, each item with its counterpart where it has one."""
    naming = choose_naming(before, after, keys)
    groups: dict[bytes, tuple[list[Item], list[Item]]] = defaultdict(lambda: ([], []))
    for side, items in enumerate(_without_equal(before, after)):
        for item in items:
            groups[_identity(item, naming)][side].append(item)
    matches: list[Match] = []
    for _, (old, new) in sorted(groups.items()):
        certain = bool(naming) and len(old) == len(new) == 1
        pairs = [(old[0], new[0])] if certain else _pair_alike(old, new)
        matches += [Match(_name_pair(*pair, naming), *pair) for pair in pairs]
        matches += _leave_alone(old, new, pairs, naming)
    return matches


def choose_naming(
    before: Sequence[Item], after: Sequence[Item], keys: Sequence[str]
) -> tuple[str, ...]:
    """The members, in lower case, that tell the objects of both arrays apart; () when none does."""
    sides = [
        [_scalars(i.value) for i in items if type(i.value) is dict] for items in (before, after)
    ]
    views = [*sides[0], *sides[1]]
    if not views:
        return ()
    if keys and all(any(key in view for key in keys) for view in views):
        return tuple(keys)
    for key in _NAMING:
        if all(key in view for view in views):
            return (key,)
    shared = [(-_shared_values(sides[0], sides[1], key), key) for key in views[0]]
    best = min(shared, default=(0, ""))
    return (best[1],) if best[0] < 0 else ()


def name_item(item: Item, naming: Sequence[str]) -> Naming:
    if type(item.value) is not dict:
        return (("", item.value if isinstance(item.value, str | bool) else _as_json(item.value)),)
    scalars = _scalars(item.value)
    return tuple(
        scalars[key] for key in naming or sorted(scalars)[:_LABEL_MEMBERS] if key in scalars
    )


def order_of(items: Sequence[Item], naming: Sequence[str]) -> list[str] | None:
    """The items' identities in their order; None when they have none or share one."""
    if not naming or not all(type(item.value) is dict for item in items):
        return None
    identities = [",".join(str(value) for _, value in name_item(item, naming)) for item in items]
    distinct = {identity.lower() for identity in identities}
    return identities if len(distinct) == len(identities) and "" not in distinct else None


def _without_equal(before: Sequence[Item], after: Sequence[Item]) -> tuple[list[Item], list[Item]]:
    """Both sides when equal items have cancelled each other, copies counted."""
    common = Counter(i.fingerprint for i in before) & Counter(i.fingerprint for i in after)
    return _surplus(before, Counter(common)), _surplus(after, Counter(common))


def _surplus(items: Sequence[Item], common: Counter[bytes]) -> list[Item]:
    left = []
    for item in sorted(items, key=_fingerprint):
        if common[item.fingerprint] > 0:
            common[item.fingerprint] -= 1
        else:
            left.append(item)
    return left


def _shared_values(
    before: Sequence[dict[str, tuple[str, Json]]],
    after: Sequence[dict[str, tuple[str, Json]]],
    key: str,
) -> int:
    """How many values of a member are on both sides; 0 when it is missing or repeated anywhere."""
    values = []
    for side in (before, after):
        found = {_fold(view[key][1]) for view in side if key in view}
        if len(found) != len(side):
            return 0
        values.append(found)
    return len(values[0] & values[1])


def _identity(item: Item, naming: tuple[str, ...]) -> bytes:
    if type(item.value) is not dict:
        return item.fingerprint  # its own identity: never taken for another
    scalars = _scalars(item.value)
    return ENCODER.encode([_fold(scalars[key][1]) if key in scalars else None for key in naming])


def _pair_alike(old: Sequence[Item], new: Sequence[Item]) -> list[tuple[Item, Item]]:
    """Objects that share leaves, those that share most first."""
    if not old or not new or len(old) * len(new) > MOST_COMPARISONS:
        return []
    if type(old[0].value) is not dict:
        return []
    leaves = [[set(_leaves(item.value, "")) for item in side] for side in (old, new)]
    ranked: list[tuple[int, list[bytes], int, int]] = sorted(
        (-shared, sorted((one.fingerprint, other.fingerprint)), i, j)
        for i, one in enumerate(old)
        for j, other in enumerate(new)
        if (shared := len(leaves[0][i] & leaves[1][j]))
    )
    pairs: list[tuple[Item, Item]] = []
    taken: tuple[set[int], set[int]] = (set(), set())
    for _, _, i, j in ranked:
        if i not in taken[0] and j not in taken[1]:
            taken[0].add(i)
            taken[1].add(j)
            pairs.append((old[i], new[j]))
    return pairs


def _leave_alone(
    old: Sequence[Item],
    new: Sequence[Item],
    pairs: Sequence[tuple[Item, Item]],
    naming: tuple[str, ...],
) -> list[Match]:
    paired = {id(item) for pair in pairs for item in pair}
    alone = [Match(name_item(item, naming), item, None) for item in old if id(item) not in paired]
    alone += [Match(name_item(item, naming), None, item) for item in new if id(item) not in paired]
    return sorted(alone, key=lambda match: _fingerprint(match.before or match.after))


def _name_pair(old: Item, new: Item, naming: tuple[str, ...]) -> Naming:
    if naming:
        return min(name_item(old, naming), name_item(new, naming), key=repr)
    one, other = _scalars(old.value), _scalars(new.value)
    shared = sorted(key for key in one if key in other and one[key][1] == other[key][1])
    return tuple(min(one[key], other[key], key=repr) for key in shared[:_LABEL_MEMBERS])


def _fingerprint(item: Item | None) -> bytes:
    assert item is not None
    return item.fingerprint


def _scalars(value: dict[str, Any]) -> dict[str, tuple[str, Json]]:
    """Folded name -> the member as spelled and its value, of those members that are scalars."""
    return {
        name.lower(): (name, below)
        for name, below in value.items()
        if not isinstance(below, dict | list)
    }


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, below in value.items():
            yield from _leaves(below, f"{path}/{name.lower()}")
    elif isinstance(value, list):
        for below in value:
            yield from _leaves(below, f"{path}/*")
    else:
        yield path, _as_json(value)


def _fold(value: Json) -> str:
    return value.lower() if isinstance(value, str) else _as_json(value)


def _as_json(value: Any) -> str:
    return ENCODER.encode(value).decode()
