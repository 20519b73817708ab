from __future__ import annotations

import random
import tracemalloc

import msgspec
import pytest

from drift.engine.index import UNKNOWN, Entry, PackRef, SnapshotIndex, Stamp, delta, evolved_types
from drift.engine.model import ResourceKey
from errors import Corrupt

STAMP = Stamp("resource-graph", 1, {"microsoft.network/virtualnetworks": "2024-05-01"})
PACKS = (
    PackRef("a" * 64, "t", ResourceKey("0" * 32)),
    PackRef("b" * 64, "t", ResourceKey("f" * 32)),
)


def entry(number: int, digest: int = 0, pack: int = 0) -> Entry:
    return Entry(
        number.to_bytes(16, "big"),
        digest.to_bytes(16, "big"),
        (number + 1).to_bytes(16, "big"),
        pack,
    )


def index(*entries: Entry) -> SnapshotIndex:
    return SnapshotIndex.build(STAMP, PACKS, entries)


def test_types_evolve_only_to_a_newer_version_that_both_sides_know() -> None:
    def read_with(**versions: str) -> SnapshotIndex:
        return SnapshotIndex.build(Stamp("test", 1, versions), [], [])

    before = read_with(a="2024-01-01", b="2024-01-01", c="2024-01-01", d="")
    after = read_with(
        a="2024-06-01", b="2024-01-01", c="2023-01-01", d="2024-01-01", e="2024-01-01"
    )
    assert evolved_types(before, after) == {"a"}
    assert evolved_types(read_with(), after) == frozenset()


def test_index_of_entries_in_any_order_is_the_same() -> None:
    entries = [entry(number, number * 7) for number in range(100)]
    shuffled = random.Random(1).sample(entries, 100)
    assert index(*shuffled) == index(*entries)
    assert list(index(*shuffled).entries()) == entries


def test_index_lookups_find_each_entry_and_nothing_else() -> None:
    known = index(*(entry(number * 2, number, number % 2) for number in range(50)))
    for number in range(50):
        key = (number * 2).to_bytes(16, "big")
        assert known.digest_of(key) == number.to_bytes(16, "big")
        assert known.pack_of(key) == PACKS[number % 2].name
        assert known.positions_by_raw()[(number * 2 + 1).to_bytes(16, "big")] == number
        missing = (number * 2 + 1).to_bytes(16, "big")
        assert (known.digest_of(missing), known.pack_of(missing), missing in known) == (
            None,
            None,
            False,
        )
    assert len(known) == 50


def test_index_of_unknown_raw_bytes_is_not_found_by_them() -> None:
    known = index(Entry(b"k" * 16, b"d" * 16, UNKNOWN, 0))
    assert known.positions_by_raw() == {}


def test_snapshot_id_says_which_configuration_and_nothing_else() -> None:
    before = index(entry(1, 1), entry(2, 2))
    read_again = index(entry(1, 1)._replace(raw=b"r" * 16), entry(2, 2)._replace(pack=1))
    assert read_again.snapshot_id == before.snapshot_id
    assert index(entry(1, 1), entry(2, 3)).snapshot_id != before.snapshot_id
    assert index(entry(1, 1)).snapshot_id != before.snapshot_id


def test_index_decoded_is_the_one_encoded() -> None:
    known = index(*(entry(number, number, number % 2) for number in range(100)))
    assert SnapshotIndex.decode(known.encode()) == known
    assert SnapshotIndex.decode(index().encode()) == index()


@pytest.mark.parametrize(("earlier", "missing"), [(2, 2), (3, 1)])
def test_index_of_an_earlier_format_is_read(earlier: int, missing: int) -> None:
    """Each later format has one more column at the end."""
    known = index(entry(1), entry(2, 3, 1))
    version, *columns = msgspec.msgpack.decode(known.encode())
    assert version == 4
    older = SnapshotIndex.decode(msgspec.msgpack.encode([earlier, *columns[:-missing]]))
    assert older == known
    assert older.positions_by_arranged() == older.positions_by_collated() == {}


def test_index_decode_of_damaged_bytes_is_refused() -> None:
    data = index(entry(1), entry(2)).encode()
    bad_pack = SnapshotIndex.build(STAMP, (), [entry(1, pack=7)]).encode()
    for damaged in (b"", b"\x00", data[:-3], data[:20], bad_pack):
        with pytest.raises(Corrupt):
            SnapshotIndex.decode(damaged)


def test_delta_names_what_was_added_removed_and_modified() -> None:
    before = index(entry(1), entry(2), entry(3))
    after = index(entry(1), entry(3, 9), entry(4))
    key = [number.to_bytes(16, "big") for number in range(5)]
    assert delta(before, after) == ((key[4],), (key[2],), (key[3],))
    assert delta(after, before) == ((key[2],), (key[4],), (key[3],))
    assert delta(before, before) == ((), (), ())
    assert delta(before, index(entry(1), entry(2, 5), entry(3))) == ((), (), (key[2],))


def test_index_of_100_000_resources_stays_small_in_memory() -> None:
    noise = random.Random(1)
    entries = (
        Entry(noise.randbytes(16), noise.randbytes(16), noise.randbytes(16), 0)
        for _ in range(100_000)
    )
    data = SnapshotIndex.build(STAMP, PACKS, entries).encode()
    tracemalloc.start()
    known = SnapshotIndex.decode(data)
    by_raw = known.positions_by_raw()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(by_raw) == 100_000
    assert held < 27_000_000
