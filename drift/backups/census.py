"""Whether a copy is whole: everything that its rows point at must be in it.

It is fed with the rows in the order of holdings.py, and remembers ids only.
"""

from __future__ import annotations

from drift.engine.index import SnapshotIndex
from errors import Corrupt
from tenancy.rows import Row, join_binary
from tenancy.store import Table

MOST_NAMED = 3
_PACK, _SNAPSHOT, _SUBSCRIPTION = "p.", "s.", "s."  # drift/archive.py, drift/subscriptions.py


class Census:
    def __init__(self) -> None:
        self._active: set[str] = set()  # baselines that a subscription is held against
        self._baselines: set[str] = set()
        self._wanted: dict[str, str] = {}  # snapshot -> what points at it
        self._packs: set[bytes] = set()
        self._lacking: list[str] = []
        self._pieces: list[bytes] = []  # of the snapshot that is being read

    def see(self, table: Table, row: Row) -> None:
        if table is Table.SUBSCRIPTION and row.key.startswith(_SUBSCRIPTION):
            self._active |= {row.values["active_baseline"]} - {""}
        elif table is Table.BASELINE:
            self._baselines.add(row.key)
            self._wanted[row.values["snapshot_id"]] = f"baseline {row.key}"
        elif table is Table.CONFIGURATION:
            self._wanted.setdefault(row.values["snapshot_id"], f"configuration {row.key}")
        elif table is Table.PACK and row.key.startswith(_PACK):
            self._packs.add(bytes.fromhex(row.key.removeprefix(_PACK)))
        elif table is Table.PACK and row.key.startswith(_SNAPSHOT):
            self._see_snapshot(row)

    def lacking(self) -> list[str]:
        """What is pointed at and is not there, in words; nothing for a copy that is whole."""
        found = [f"baseline {one} that is active" for one in self._active - self._baselines]
        found += [f"the snapshot of {what}" for what in self._wanted.values()]
        return [*found, *self._lacking]

    def _see_snapshot(self, row: Row) -> None:
        """Snapshots are put together of their pieces, which follow each other. One that is whole and whose packs are
        there is wanted no longer."""
        snapshot_id, number = row.key.removeprefix(_SNAPSHOT).split(".")
        if int(number) == 0:
            self._pieces = []
        if snapshot_id not in self._wanted or int(number) != len(self._pieces):
            return
        self._pieces.append(join_binary(row.values))
        if len(self._pieces) < row.values["of"]:
            return
        try:
            index = SnapshotIndex.decode(b"".join(self._pieces))
        except Corrupt:
            return
        what = self._wanted.pop(snapshot_id)
        if any(bytes.fromhex(pack.name) not in self._packs for pack in index.packs):
            self._lacking.append(f"packs of {what}")
