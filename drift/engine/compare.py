"""Which paths of a resource changed, with before and after.

Two canonical bodies are walked side by side over the plan that made them, so that what is folded, sorted or ordered
there is understood in the same way here: no change is reported exactly when the digests are equal. The one exception
is a masked secret, about which nothing is said (see `drift.engine.canonical`).

Swapping the arguments swaps before with after and added with removed, and changes nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Sequence
from typing import Any

import msgspec

from drift.engine import pointers
from drift.engine.arrays import ENCODER, sort_items
from drift.engine.matching import Item, choose_naming, match_items, order_of
from drift.engine.model import Change, ChangeKind, Difference, Document, Json, Severity
from drift.engine.plan import Place, plan_for
from drift.engine.redaction import MASK, is_hashed

ALLOW_LIST_NOTE = (
    "An empty list and a missing one mean the same to some APIs and the opposite to others."
)
_BAGS = frozenset({"/properties", "/tags"})
"""Every resource has these, though the canonical form leaves them out when they are empty. What is in them comes and
goes one by one, so that a rule about `/tags/*` holds for a resource's first tag too."""
IMPLIED_NOTE = "This is what a missing value means: nothing changed but that it is said."
EVOLVED_NOTE = "Read with another version of the API: before, this member could not be seen."


def compare(
    before: Json, after: Json, resource_type: str, *, evolved: bool = False
) -> tuple[Change, ...]:
    """The changes between two decoded canonical bodies, by path.

    With `evolved`, the two were read with different versions of the type's API: a property that only `after` has is
    informational.
    """
    comparison = _Comparison(evolved=evolved)
    comparison.walk(before, after, plan_for(resource_type).root, "")
    return tuple(sorted(comparison.changes, key=lambda change: (change.path, change.kind)))


def differ(
    before: Document | None, after: Document | None, *, evolved: Container[str] = ()
) -> Difference | None:
    """What differs about one resource, which a missing document says is not there; None when nothing does.

    `evolved` are the types whose API is a newer one in `after`.
    """
    if before and after:
        if before.digest == after.digest:
            return None
        # One id can come with two spellings of its type; either side must lead to the same facts.
        resource_type = min(before.resource_type, after.resource_type)
        is_evolved = resource_type in evolved
        changes = compare(_decode(before), _decode(after), resource_type, evolved=is_evolved)
        return _difference(after, ChangeKind.MODIFIED, changes) if changes else None
    if after:
        added = Change("", ChangeKind.ADDED, None, _decode(after))
        return _difference(after, ChangeKind.ADDED, (added,))
    if before:
        removed = Change("", ChangeKind.REMOVED, _decode(before), None)
        return _difference(before, ChangeKind.REMOVED, (removed,))
    return None


class _Comparison:
    def __init__(self, *, evolved: bool) -> None:
        self.changes: list[Change] = []
        self._evolved = evolved

    def walk(self, before: Any, after: Any, place: Place, path: str) -> None:
        if type(before) is dict and type(after) is dict:
            self._walk_objects(before, after, place, path)
        elif type(before) is list and type(after) is list:
            self._walk_arrays(before, after, place, path)
        elif MASK not in (before, after) and ENCODER.encode(before) != ENCODER.encode(after):
            self.changes.append(Change(path, ChangeKind.MODIFIED, before, after))

    def _walk_objects(
        self, before: dict[str, Any], after: dict[str, Any], place: Place, path: str
    ) -> None:
        old, new = _by_folded_name(before, place), _by_folded_name(after, place)
        for name in old.keys() | new.keys():
            one = before[old[name]] if name in old else None
            other = after[new[name]] if name in new else None
            if one == other and (type(one) is str or ENCODER.encode(one) == ENCODER.encode(other)):
                continue  # most of a document: told at the speed of C, where true == 1 has to be asked twice
            spelled = min(members[name] for members in (old, new) if name in members)
            inner = place.find(spelled)
            if inner is None:
                continue
            below = pointers.member(path, spelled)
            if below in _BAGS and dict in (type(one), type(other)):
                one, other = ({} if side is None else side for side in (one, other))
            if one is not None and other is not None:
                self.walk(one, other, inner, below)
            else:
                self._report_alone(one, other, inner, below)

    def _walk_arrays(self, before: list[Any], after: list[Any], place: Place, path: str) -> None:
        old, new = (
            [Item(value, _fingerprint(value, place.item)) for value in side]
            for side in (before, after)
        )
        if place.ordered:
            self._walk_ordered(old, new, place, path)
        else:
            self._walk_matched(old, new, place, path)

    def _walk_matched(
        self, before: Sequence[Item], after: Sequence[Item], place: Place, path: str
    ) -> None:
        repeats: Counter[str] = Counter()
        for match in match_items(before, after, place.keys):
            below = pointers.element(path, match.naming)
            repeats[below] += 1
            below = pointers.repeat(below, repeats[below])
            if match.before and match.after:
                self.walk(match.before.value, match.after.value, place.item, below)
            else:
                old, new = (item.value if item else None for item in (match.before, match.after))
                self._report_alone(old, new, place.item, below)

    def _walk_ordered(
        self, before: Sequence[Item], after: Sequence[Item], place: Place, path: str
    ) -> None:
        """An array whose order is configuration: items by identity and their order, else by position."""
        naming = choose_naming(before, after, place.keys)
        old_order, new_order = order_of(before, naming), order_of(after, naming)
        if old_order is not None and new_order is not None:
            self._walk_matched(before, after, place, path)
            if _is_reordered(old_order, new_order):
                self.changes.append(Change(path, ChangeKind.MODIFIED, old_order, new_order))
            return
        if any(type(item.value) is not dict for item in (*before, *after)):
            if [item.fingerprint for item in before] != [item.fingerprint for item in after]:
                old, new = ([item.value for item in side] for side in (before, after))
                self.changes.append(Change(path, ChangeKind.MODIFIED, old, new))
            return
        for number in range(max(len(before), len(after))):
            below = pointers.position(path, number)
            if number < min(len(before), len(after)):
                self.walk(before[number].value, after[number].value, place.item, below)
            else:
                alone = [s[number].value if number < len(s) else None for s in (before, after)]
                self._report_alone(alone[0], alone[1], place.item, below)

    def _report_alone(self, before: Json, after: Json, place: Place, path: str) -> None:
        """A value that only one side has."""
        value, kind = (before, ChangeKind.REMOVED) if after is None else (after, ChangeKind.ADDED)
        if _says_nothing(value, place):
            return
        note = ""
        if _is_empty(value):
            note = ALLOW_LIST_NOTE
        elif place.implied is not None and _is_same(value, place.implied):
            note = IMPLIED_NOTE
        elif self._evolved and kind is ChangeKind.ADDED and path.startswith("/properties/"):
            note = EVOLVED_NOTE
        severity = Severity.INFORMATIONAL if note else Severity.MEDIUM
        self.changes.append(Change(path, kind, before, after, severity, note=note))


def _difference(document: Document, kind: ChangeKind, changes: tuple[Change, ...]) -> Difference:
    return Difference(document.key, document.resource_id, document.resource_type, kind, changes)


def _decode(document: Document) -> Any:
    return msgspec.json.decode(document.body)


def _fingerprint(value: Any, place: Place) -> bytes:
    """Equal for values between which no change would be reported, masks aside."""
    return ENCODER.encode(_fold(value, place))


def _fold(value: Any, place: Place) -> Any:
    if isinstance(value, dict):
        names = _by_folded_name(value, place)
        below = {name: (value[spelled], place.find(spelled)) for name, spelled in names.items()}
        return {name: _fold(item, inner) for name, (item, inner) in below.items() if inner}
    if isinstance(value, list):
        items = [_fold(item, place.item) for item in value]
        return items if place.ordered else sort_items(items)
    return value


def _by_folded_name(members: dict[str, Any], place: Place) -> dict[str, str]:
    """Folded name -> the name as spelled.

    Of members that are equal but for their case, those with one value are one; else the greatest spelling has the
    folded name and each other one its own, which differs from every folded name.
    """
    names = {name.lower(): name for name in members}
    if len(names) == len(members):
        return names
    kept: dict[str, str] = {}
    for name in sorted(members, reverse=True):
        known = kept.get(name.lower())
        if known is None:
            kept[name.lower()] = name
        elif not _is_alike(members[known], members[name], place.find(name)):
            kept[name] = name
    return kept


def _is_alike(one: Any, other: Any, place: Place | None) -> bool:
    return place is None or _fingerprint(one, place) == _fingerprint(other, place)


def _is_same(one: Any, other: Any) -> bool:
    return ENCODER.encode(one) == ENCODER.encode(other)


def _is_reordered(before: Sequence[str], after: Sequence[str]) -> bool:
    """Whether the items that both have stand in another order."""
    old, new = ([identity.lower() for identity in side] for side in (before, after))
    common = set(old) & set(new)
    return [i for i in old if i in common] != [i for i in new if i in common]


def _is_empty(value: Any) -> bool:
    """Whether there is nothing but empty lists, which the canonical form keeps for allow-lists alone."""
    if isinstance(value, dict):
        return bool(value) and all(map(_is_empty, value.values()))
    return bool(value == [])


def _says_nothing(value: Any, place: Place) -> bool:
    """Whether a value that only one side has consists of masks, or of secrets that the other side hides.

    Azure redacts by null or by leaving out, too, which cannot be told from a secret that was taken away. Where a fact
    says that secrets are shown, nothing is redacted and what is missing is gone.
    """
    if isinstance(value, dict):
        inner = ((place.find(name), below) for name, below in value.items())
        return bool(value) and all(
            found is None or _says_nothing(below, found) for found, below in inner
        )
    if isinstance(value, list):
        return bool(value) and all(_says_nothing(item, place.item) for item in value)
    return not place.shown and (value == MASK or (place.secret and is_hashed(value)))
