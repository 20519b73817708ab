"""The next snapshot of a subscription: which packs change, and how.

Two steps, since packs live in storage and the engine reads none: a plan says which packs it needs, and builds the
snapshot when it has them. Only runs of documents (`packing.is_boundary`) with a change in them are taken apart, so that
the result is the same as cutting all documents anew.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from drift.engine.canonical import NORMALISER_VERSION
from drift.engine.index import Entry, PackRef, SnapshotIndex, Stamp
from drift.engine.model import Document
from drift.engine.packing import Pack, cut, is_boundary, place_of
from drift.engine.survey import Collected


@dataclass(frozen=True, slots=True)
class Packed:
    index: SnapshotIndex
    packs: tuple[Pack, ...]  # those that the state before did not have


@dataclass(frozen=True, slots=True)
class PackPlan:
    needed: tuple[str, ...]  # packs to load before `build`
    stamp: Stamp
    _previous: SnapshotIndex | None
    _collected: Collected
    _kept: frozenset[bytes]

    @property
    def old(self) -> Sequence[PackRef]:
        """The packs of the state before."""
        return self._previous.packs if self._previous else ()

    def build(self, loaded: Mapping[str, Sequence[Document]]) -> Packed:
        """`loaded` has the documents of every pack in `needed`, by its name."""
        packing = self.begin(loaded)
        packs = tuple(packing.packs())
        return Packed(packing.index(), packs)

    def begin(self, loaded: Mapping[str, Sequence[Document]]) -> Packing:
        """The same a pack at a time: together those of a first scan are as large as all that it read."""
        return Packing(self, loaded)

    def documents(self, loaded: Mapping[str, Sequence[Document]]) -> Iterator[Document]:
        """The changed ones, and what is left of the packs that are taken apart."""
        yield from self._collected.changed
        if not self.needed:
            return
        left = {entry.key for entry in self.entries()} - self._collected.fresh.keys()
        for document in (one for name in self.needed for one in loaded[name]):
            if bytes.fromhex(document.key) in left:
                yield document

    def entries(self) -> Iterator[Entry]:
        yield from self._collected.entries()
        if self._previous is not None and self._kept:
            yield from (e for e in self._previous.entries() if e.key in self._kept)


class Packing:
    """Makes the packs of a plan, one after the other, and then the index of the snapshot."""

    def __init__(self, plan: PackPlan, loaded: Mapping[str, Sequence[Document]]) -> None:
        self._plan = plan
        self._loaded = loaded
        self._refs: list[PackRef] = []
        self._packed: dict[bytes, int] = {}  # key -> the number of its pack among the new ones

    def packs(self) -> Iterator[Pack]:
        """Those that the state before did not have. To be taken to the end before `index` is asked for."""
        known = {ref.name for ref in self._plan.old}
        for pack in cut(self._plan.documents(self._loaded)):
            self._packed.update(dict.fromkeys(pack.keys, len(self._refs)))
            self._refs.append(PackRef(pack.name, *pack.last))
            if pack.name not in known:
                yield pack

    def index(self) -> SnapshotIndex:
        """Of the whole snapshot. Asked for once: what it was made from is forgotten, and is as large as it is."""
        plan, new = self._plan, self._refs
        refs = [ref for ref in plan.old if ref.name not in plan.needed]
        refs += new
        refs.sort(key=_place)
        numbers = {ref.name: number for number, ref in enumerate(refs)}
        packed, self._packed = self._packed, {}

        def number_of(entry: Entry) -> int:
            ref = new[packed[entry.key]] if entry.key in packed else plan.old[entry.pack]
            return numbers[ref.name]

        entries = (entry._replace(pack=number_of(entry)) for entry in plan.entries())
        return SnapshotIndex.build(plan.stamp, refs, entries)


def plan_packs(
    previous: SnapshotIndex | None,
    collected: Collected,
    *,
    source: str = "",
    api_versions: Mapping[str, str] | None = None,
    keep: Collection[bytes] = (),
) -> PackPlan:
    """The plan of the next snapshot. `keep` are missing keys whose removal is not certain: they stay as they were."""
    kept = frozenset(keep) & frozenset(collected.missing)
    stamp = Stamp(source, NORMALISER_VERSION, dict(api_versions or {}))
    needed: tuple[str, ...] = ()
    if previous is not None:
        runs = _Runs(previous.packs)
        for document in collected.changed:
            runs.touch(place_of(document))
            runs.take(previous.number_of(bytes.fromhex(document.key)), place_of(document))
        for key in collected.missing:
            if key not in kept:
                runs.take(previous.number_of(key), ("", key.hex()))
        needed = runs.touched()
    return PackPlan(needed, stamp, previous, collected, kept)


class _Runs:
    """Packs in their order, and which stretches of them are to be taken apart."""

    def __init__(self, packs: Sequence[PackRef]) -> None:
        self._packs = packs
        self._lasts = [_place(ref) for ref in packs]
        self._touched: set[int] = set()

    def touch(self, place: tuple[str, str]) -> None:
        """A document at this place is new or changed; behind the last one it continues an open run."""
        if self._packs:
            number = bisect_left(self._lasts, place)
            if number < len(self._packs) or not is_boundary(self._packs[-1].last_key):
                self._touch_run(min(number, len(self._packs) - 1))

    def take(self, number: int | None, place: tuple[str, str]) -> None:
        """The document that this pack has under the key of `place` is changed, moved to `place`, or gone.

        A run that loses the document that ended it goes on into the next.
        """
        if number is None:
            return
        self._touch_run(number)
        last = self._lasts[number]
        if place[1] == last[1] and place != last and number + 1 < len(self._packs):
            self._touch_run(number + 1)

    def touched(self) -> tuple[str, ...]:
        return tuple(self._packs[number].name for number in sorted(self._touched))

    def _touch_run(self, number: int) -> None:
        """All packs of the run, which is more than one only where it was too large for one."""
        if number in self._touched:
            return
        first = last = number
        while first > 0 and not is_boundary(self._packs[first - 1].last_key):
            first -= 1
        while last + 1 < len(self._packs) and not is_boundary(self._packs[last].last_key):
            last += 1
        self._touched.update(range(first, last + 1))


def _place(ref: PackRef) -> tuple[str, str]:
    return ref.last_type, ref.last_key
