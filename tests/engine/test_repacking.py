"""The next snapshot built from what changed is the one that would be built from nothing."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any
from unittest import mock

from drift.engine import packing as engine_packing
from drift.engine.index import SnapshotIndex, delta
from drift.engine.packing import is_boundary, unpack
from drift.engine.repacking import Packed, plan_packs
from drift.engine.survey import Collected, Survey
from tests.engine.documents import KEY, raw, vnet


class Storage:
    """Packs by name, and which of them were read."""

    def __init__(self) -> None:
        self.packs: dict[str, bytes] = {}
        self.read: list[str] = []

    def scan(
        self,
        previous: SnapshotIndex | None,
        documents: list[dict[str, Any]],
        keep: tuple[bytes, ...] = (),
    ) -> tuple[Packed, Collected]:
        survey = Survey(previous, secret_key=KEY)
        survey.add_page([raw(document) for document in documents])
        collected = survey.finish()
        plan = plan_packs(previous, collected, source="resource-graph", keep=keep)
        packed = plan.build({name: unpack(self.packs[name]) for name in plan.needed})
        self.read = list(plan.needed)
        self.packs.update((pack.name, pack.data) for pack in packed.packs)
        return packed, collected


def test_plan_of_an_unchanged_state_reads_and_writes_nothing() -> None:
    storage, documents = Storage(), [vnet(number) for number in range(600)]
    first, _ = storage.scan(None, documents)
    again, collected = storage.scan(first.index, documents)
    assert (storage.read, again.packs, collected.parsed) == ([], (), 0)
    assert again.index == first.index


def test_plan_of_random_edits_equals_cutting_anew() -> None:
    storage, noise = Storage(), random.Random(4)
    documents = [vnet(number) for number in range(1500)]
    state, _ = storage.scan(None, documents)
    for turn in range(12):
        for number in noise.sample(range(len(documents)), 2):
            documents[number] = {**documents[number], "tags": {"turn": str(turn)}}
        for number in sorted(noise.sample(range(len(documents)), 2), reverse=True):
            del documents[number]
        documents.append(vnet(10_000 + turn))
        before = state.index
        state, collected = storage.scan(before, documents)
        assert len(storage.read) <= 9  # a run each, and the next one where a boundary went
        anew, _ = Storage().scan(None, documents)
        assert is_same_state(state.index, anew.index)
        assert delta(before, state.index).removed == collected.missing


def test_plan_of_a_removed_boundary_joins_two_packs() -> None:
    storage, documents = Storage(), [vnet(number) for number in range(1000)]
    first, _ = storage.scan(None, documents)
    gone = next(ref.last_key for ref in first.index.packs if is_boundary(ref.last_key))
    left = [item for item in documents if bytes.fromhex(gone) != key_of(item)]
    second, collected = storage.scan(first.index, left)
    assert collected.missing == (bytes.fromhex(gone),)
    assert len(storage.read) == 2
    assert len(second.index.packs) == len(first.index.packs) - 1
    assert is_same_state(second.index, Storage().scan(None, left)[0].index)


def test_plan_keeps_missing_resources_whose_removal_is_not_certain() -> None:
    storage, documents = Storage(), [vnet(number) for number in range(300)]
    first, _ = storage.scan(None, documents)
    kept, gone = key_of(documents[0]), key_of(documents[1])
    second, collected = storage.scan(first.index, documents[2:], keep=(kept,))
    assert set(collected.missing) == {kept, gone}
    assert second.index.digest_of(kept) == first.index.digest_of(kept)
    assert second.index.digest_of(gone) is None
    stored = [item.key for ref in second.index.packs for item in unpack(storage.packs[ref.name])]
    assert kept.hex() in stored
    assert gone.hex() not in stored


def test_plan_of_a_changed_document_serves_the_new_one() -> None:
    storage, documents = Storage(), [vnet(number) for number in range(300)]
    first, _ = storage.scan(None, documents)
    documents[7] = vnet(7, subnets=[{"name": "web"}])
    second, collected = storage.scan(first.index, documents)
    name = second.index.pack_of(key_of(documents[7]))
    assert name is not None
    assert [
        item.body for item in unpack(storage.packs[name]) if item.key == key_of(documents[7]).hex()
    ] == [collected.changed[0].body]
    assert len(second.packs) == 1


def test_packs_of_a_first_scan_are_made_one_at_a_time() -> None:
    """Together they would be as large as all that was read."""
    survey = Survey(None, secret_key=KEY)
    survey.add_page([raw(vnet(number)) for number in range(1500)])
    plan = plan_packs(None, survey.finish(), source="resource-graph")
    whole = plan.build({})
    packing = plan.begin({})
    seen = 0
    with mock.patch.object(engine_packing, "_compress", wraps=engine_packing._compress) as made:
        for pack, expected in zip(packing.packs(), whole.packs, strict=True):
            seen += 1
            assert made.call_count <= seen + 1
            assert pack == expected
    assert seen > 5
    assert packing.index() == whole.index


def is_same_state(one: SnapshotIndex, other: SnapshotIndex) -> bool:
    """Digests that a scan has no need of are told by the first that has."""
    return replace(one, collated=b"") == replace(other, collated=b"")


def key_of(document: dict[str, Any]) -> bytes:
    from drift.engine.model import resource_key

    return bytes.fromhex(resource_key(document["id"]))
