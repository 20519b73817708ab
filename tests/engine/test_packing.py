from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import msgspec
import pytest
import zstandard

from drift.engine.model import Document
from drift.engine.packing import LARGEST_DOCUMENT, LARGEST_PACK, cut, fits, is_boundary, unpack
from errors import Corrupt, Invalid
from tests.engine.documents import document


@pytest.fixture(scope="module")
def documents() -> list[Document]:
    return [document(number) for number in range(2000)]


def names(documents: Sequence[Document]) -> set[str]:
    return {pack.name for pack in cut(documents)}


def test_cut_documents_in_any_order_gives_the_same_packs(documents: list[Document]) -> None:
    shuffled = random.Random(1).sample(documents, len(documents))
    assert list(cut(shuffled)) == list(cut(documents))


def test_unpack_what_was_cut_gives_every_document_once(documents: list[Document]) -> None:
    packs = list(cut(documents))
    unpacked = [item for pack in packs for item in unpack(pack.data)]
    assert sorted(unpacked, key=lambda item: item.key) == sorted(
        documents, key=lambda item: item.key
    )
    assert [bytes.fromhex(item.key) for item in unpacked] == [
        key for pack in packs for key in pack.keys
    ]
    assert 4 <= len(packs) <= 16  # 256 a pack, on average


def test_cut_with_one_document_changed_rewrites_one_pack(documents: list[Document]) -> None:
    before = names(documents)
    for number in (0, 500, 1999):
        changed = [*documents]
        changed[number] = document(number, subnets=[{"name": "new"}])
        assert len(names(changed) - before) == 1


def test_cut_with_one_document_more_or_fewer_rewrites_at_most_two_packs(
    documents: list[Document],
) -> None:
    before = names(documents)
    for number in (0, 500, 1999):
        fewer = documents[:number] + documents[number + 1 :]
        assert len(names(fewer) - before) <= 2
        assert len(before - names(fewer)) <= 2
    boundary = next(item for item in documents if is_boundary(item.key))
    without = [item for item in documents if item is not boundary]
    assert (len(names(without) - before), len(before - names(without))) == (1, 2)


def test_cut_a_run_too_large_for_one_pack_splits_it_and_nothing_else(
    documents: list[Document],
) -> None:
    noise = random.Random(2)
    large = [
        replace(item, body=msgspec.json.encode(noise.randbytes(100_000).hex()))
        if number % 20 == 0
        else item
        for number, item in enumerate(documents)
    ]
    packs = list(cut(large))
    assert max(len(pack.data) for pack in packs) <= LARGEST_PACK
    again = [*large]
    again[1] = document(1, subnets=[{"name": "new"}])
    assert len(names(again) - {pack.name for pack in packs}) == 1


def test_cut_a_document_no_pack_can_hold_is_refused_by_name() -> None:
    huge = replace(document(1), body=random.Random(3).randbytes(2_000_000))
    assert not fits(huge)
    assert fits(document(1))
    assert fits(replace(huge, body=b'"' + b"x" * 3_000_000 + b'"'))
    with pytest.raises(Invalid, match="vnet-1 is too large"):
        list(cut([huge]))


def test_unpack_gives_digests_of_an_older_normaliser_as_they_were() -> None:
    older = replace(document(1), digest=b"an older version")
    (pack,) = cut([older, document(2)])
    assert {item.digest for item in unpack(pack.data)} == {older.digest, document(2).digest}


def test_unpack_a_bomb_is_refused_before_it_is_inflated() -> None:
    declared = zstandard.ZstdCompressor().compress(bytes(LARGEST_DOCUMENT + 1))
    undeclared = zstandard.ZstdCompressor(write_content_size=False).compress(
        bytes(LARGEST_DOCUMENT * 2)
    )
    for bomb in (declared, undeclared):
        with pytest.raises(Corrupt):
            unpack(bomb)


def test_unpack_damaged_data_is_refused(documents: list[Document]) -> None:
    data = next(cut(documents)).data
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 1
    for damaged in (b"", b"no pack", data[: len(data) // 2], bytes(flipped)):
        with pytest.raises(Corrupt):
            unpack(damaged)
