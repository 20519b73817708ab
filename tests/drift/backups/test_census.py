"""A copy without something that it points at is seen, whatever it is."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from drift.backups.census import Census
from drift.engine.index import SnapshotIndex
from tenancy.rows import ENTITY_BINARY, Row, split_binary
from tenancy.store import Table
from tests.engine.test_index import PACKS, entry
from tests.engine.test_index import index as build

Rows = list[tuple[Table, Row]]


def snapshot_rows(index: SnapshotIndex, *, size: int = ENTITY_BINARY) -> list[Row]:
    data = index.encode()
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    return [
        Row(f"s.{index.snapshot_id}.{number:04d}", {"of": len(pieces), **split_binary(piece)})
        for number, piece in enumerate(pieces)
    ]


@pytest.fixture
def index() -> SnapshotIndex:
    return build(entry(1), entry(2, pack=1))


def whole(index: SnapshotIndex, *, size: int = ENTITY_BINARY) -> Rows:
    packs = [Row(f"p.{pack.name}", {"d0": b"x"}) for pack in PACKS]
    return [
        (Table.SUBSCRIPTION, Row("s.one", {"active_baseline": "one.1"})),
        (Table.SUBSCRIPTION, Row("approval.x", {})),
        (Table.BASELINE, Row("one.1", {"snapshot_id": index.snapshot_id})),
        (Table.CONFIGURATION, Row("one", {"snapshot_id": index.snapshot_id})),
        *((Table.PACK, row) for row in [*packs, *snapshot_rows(index, size=size)]),
    ]


def lacking(rows: Iterable[tuple[Table, Row]]) -> list[str]:
    census = Census()
    for table, row in rows:
        census.see(table, row)
    return census.lacking()


@pytest.mark.parametrize("size", [ENTITY_BINARY, 40])
def test_copy_that_is_whole_lacks_nothing(index: SnapshotIndex, size: int) -> None:
    assert lacking(whole(index, size=size)) == []
    assert lacking([]) == []


def test_what_is_not_there_is_named(index: SnapshotIndex) -> None:
    rows = whole(index)

    def without(table: Table, prefix: str) -> list[str]:
        return lacking(
            one for one in rows if one[0] is not table or not one[1].key.startswith(prefix)
        )

    assert without(Table.BASELINE, "") == ["baseline one.1 that is active"]
    assert without(Table.PACK, "s.") == ["the snapshot of baseline one.1"]
    assert without(Table.PACK, "p.") == ["packs of baseline one.1"]


@pytest.mark.parametrize("gone", [0, 1, -1])
def test_snapshot_without_one_of_its_pieces_is_none(index: SnapshotIndex, gone: int) -> None:
    rows = whole(index, size=40)
    pieces = [one for one in rows if one[1].key.startswith("s.") and one[0] is Table.PACK]
    rows.remove(pieces[gone])
    assert lacking(rows) == ["the snapshot of baseline one.1"]


def test_damaged_index_is_none(index: SnapshotIndex) -> None:
    rows = whole(index)
    rows[-1] = (Table.PACK, Row(rows[-1][1].key, {"of": 1, "d0": b"no index"}))
    assert lacking(rows) == ["the snapshot of baseline one.1"]
