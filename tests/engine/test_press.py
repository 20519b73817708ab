"""Documents of a large first scan rest compressed, and are the same to everybody who reads them."""

from __future__ import annotations

import random
import tracemalloc

import pytest

from drift.engine.canonical import canonicalise
from drift.engine.model import Document
from drift.engine.packing import cut, unpack
from drift.engine.press import SAMPLES, Press, PressedDocument, inflate

COUNT = SAMPLES + 500


def make(number: int, **members: object) -> Document:
    resource_id = f"/subscriptions/S/resourceGroups/Shop/providers/Microsoft.Web/sites/Été-{number}"
    chance = random.Random(number)
    properties = {
        "state": "Running",
        "hosts": [chance.randbytes(12).hex() for _ in range(20)],
        "text": "the same in every document " * 20,
    }
    document = {"id": resource_id, "name": f"Été-{number}", "properties": properties, **members}
    return canonicalise(document, secret_key=b"k" * 32)


@pytest.fixture(scope="module")
def documents() -> list[Document]:
    return [make(number) for number in range(COUNT)]


def press(documents: list[Document]) -> list[Document]:
    machine = Press()
    return [machine.take(bytes.fromhex(one.key), one) for one in documents]


def test_few_documents_stay_as_they_are(documents):
    few = documents[:SAMPLES]
    assert all(one is other for one, other in zip(press(few), few, strict=True))


def test_pressed_documents_say_what_they_said(documents):
    pressed = press(documents)
    assert sum(isinstance(one, PressedDocument) for one in pressed) == COUNT - SAMPLES
    assert [inflate(one) for one in pressed] == documents
    late, plain = pressed[-1], documents[-1]
    assert (late.key, late.resource_id, late.resource_type) == (
        plain.key,
        plain.resource_id,
        plain.resource_type,
    )
    assert (late.body, late.digest) == (plain.body, plain.digest)


def test_packs_of_pressed_documents_are_the_same_packs(documents):
    assert list(cut(press(documents))) == list(cut(documents))
    found = [one for pack in cut(press(documents)) for one in unpack(pack.data)]
    assert sorted(found, key=lambda one: one.key) == sorted(documents, key=lambda one: one.key)


def test_id_with_a_line_break_is_kept(documents):
    odd = make(1)
    odd = Document(odd.key, "/subscriptions/a\nb", odd.resource_type, odd.body, odd.digest)
    assert press([*documents, odd])[-1] is odd


def test_documents_that_are_all_alike_are_pressed():
    """A trained dictionary could not be made of them."""
    one = make(1)
    pressed = press([one] * COUNT)
    assert inflate(pressed[-1]) == one


def test_pressed_documents_take_a_fraction_of_the_memory(documents):
    plain = sum(len(one.body) for one in documents[SAMPLES:])
    machine = Press()
    for one in documents[:SAMPLES]:
        machine.take(bytes.fromhex(one.key), one)
    tracemalloc.start()
    kept = [machine.take(bytes.fromhex(one.key), one) for one in documents[SAMPLES:]]
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(kept) == COUNT - SAMPLES
    assert taken < plain / 1.5  # random names are half of these bodies


def test_packs_hold_no_more_memory_than_their_bytes(documents):
    """The library's results keep the room of the worst case: a hundred packs once took 65 MB in place of 2."""
    tracemalloc.start()
    packs = list(cut(documents))
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    size = sum(len(pack.data) for pack in packs)
    assert taken < 2 * size + 500 * COUNT
