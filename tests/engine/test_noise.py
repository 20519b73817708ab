"""Properties of the engine over generated documents: noise is silent, every edit is told, nothing depends on order."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from drift.engine import pointers
from drift.engine.canonical import canonicalise
from drift.engine.compare import compare, differ
from drift.engine.model import Document
from drift.engine.packing import cut
from tests.engine.documents import KEY

ID = "/subscriptions/1/resourceGroups/g/providers/Contoso.Things/things/t"
TYPE = "contoso.things/things"
EMPTIES = (None, "", [], {})
# Names and values that no fact, secret pattern or folding speaks about; names also differ in more than case.
NAMES = st.sampled_from(["alpha", "betaGamma", "delta", "x/y", "a.b", "k~", "name", "zeta7", "räk"])
SCALARS = st.one_of(
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text("abcAB19 .:é", min_size=1, max_size=12),
)
VALUES = st.recursive(
    SCALARS | st.sampled_from(EMPTIES),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(NAMES, below, max_size=5),
    max_leaves=25,
)
PROPERTIES = st.dictionaries(NAMES, VALUES, max_size=6)


def document(properties: Any, **members: Any) -> Document:
    return canonicalise(
        {"id": ID, "type": TYPE, "properties": properties, **members}, secret_key=KEY
    )


def body(item: Document) -> Any:
    return msgspec.json.decode(item.body)


@given(PROPERTIES)
def test_canonicalise_twice_is_once(properties: Any) -> None:
    once = document(properties)
    assert canonicalise(body(once), secret_key=KEY).body == once.body


@given(PROPERTIES, st.randoms(use_true_random=False))
def test_noise_is_silent(properties: Any, chance: random.Random) -> None:
    noisy = _make_noise(copy.deepcopy(properties), chance)
    before, after = document(properties), document(noisy, etag="2", systemData={"createdBy": "x"})
    assert before.digest == after.digest
    assert differ(before, after) is None


@given(PROPERTIES, PROPERTIES)
def test_digests_are_equal_exactly_when_nothing_changed(one: Any, other: Any) -> None:
    before, after = document(one), document(other)
    changes = compare(body(before), body(after), TYPE)
    assert (before.digest == after.digest) == (changes == ())
    mirrored = compare(body(after), body(before), TYPE)
    assert [(c.path, c.before, c.after) for c in changes] == [
        (c.path, c.after, c.before) for c in mirrored
    ]


@given(PROPERTIES, st.randoms(use_true_random=False))
def test_one_edit_is_told_with_before_and_after(properties: Any, chance: random.Random) -> None:
    edited = copy.deepcopy(body(document(properties)).get("properties", {}))
    leaves = list(_members(edited, "/properties"))
    if not leaves:
        return
    holder, name, above = chance.choice(leaves)
    was, holder[name] = holder[name], "edited"
    before, after = document(properties), document(edited)
    found = compare(body(before), body(after), TYPE)
    assert found
    path = pointers.member(above, name)
    nearest, array, _ = path.partition("/[]")
    if (
        array
    ):  # an item that it named may be told as another item; nothing outside of its array is told
        assert all((change.path + "/").startswith(nearest + "/") for change in found)
    else:
        assert [(c.path, c.before, c.after) for c in found] == [(path, was, "edited")]


@given(st.lists(PROPERTIES, max_size=8), st.randoms(use_true_random=False))
@settings(max_examples=25)
def test_order_of_documents_makes_no_pack(many: list[Any], chance: random.Random) -> None:
    documents = [
        canonicalise({"id": f"{ID}{n}", "type": TYPE, "properties": item}, secret_key=KEY)
        for n, item in enumerate(many)
    ]
    shuffled = documents[:]
    chance.shuffle(shuffled)
    assert list(cut(shuffled)) == list(cut(documents))


def _make_noise(value: Any, chance: random.Random, *, in_array: bool = False) -> Any:
    """The same configuration as Azure might write it another time. An array in an array keeps its order."""
    if isinstance(value, dict):
        members = [(name, _make_noise(below, chance)) for name, below in value.items()]
        members += [(f"new{n}", chance.choice(EMPTIES)) for n in range(chance.randrange(2))]
        members += [("etag", "7"), ("provisioningState", "Updating")][: chance.randrange(3)]
        chance.shuffle(members)
        return dict(members)
    if isinstance(value, list):
        items = [_make_noise(item, chance, in_array=True) for item in value]
        if not in_array:
            chance.shuffle(items)
        return items
    if value in EMPTIES:
        return chance.choice(EMPTIES)
    return float(value) if type(value) is int and abs(value) < 2**50 else value


def _members(value: Any, path: str) -> Iterator[tuple[dict[str, Any], str, str]]:
    """Each leaf that is a member, with the object that it is in and where that is."""
    if isinstance(value, dict):
        for name, below in value.items():
            if not isinstance(below, dict | list):
                yield value, name, path
            yield from _members(below, pointers.member(path, name))
    if isinstance(value, list):
        for item in value:
            yield from _members(item, path + "/[]")
