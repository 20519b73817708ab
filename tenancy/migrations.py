"""What rows of earlier versions look like today: per table one pure function for each version that there was.

A row says in `_schema` which version of its table's form it has; the newest is one more than the steps below. An older
row is brought forward when it is read (tenancy/store.py), and the daily sweep writes it anew (drift/renewal.py). A
newer one is refused: after a roll back this code would read it wrongly, and write it back without what it does not
know.

A step never changes once it was deployed, so it uses no class and no constant of today's product.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

import msgspec

from errors import Unavailable
from tenancy.rows import Row, join_binary, split_binary

Values: TypeAlias = dict[str, Any]
Step: TypeAlias = Callable[[str, Values], Values]  # of the row's key and values

_SETTINGS_FLOORS = {"scans": 7, "findings": 30, "history": 30, "audit": 365, "notices": 7}
_USAGE_DAYS = 400  # retention_days never meant usage


def _divide_retention(key: str, values: Values) -> Values:
    """Settings had one `retention_days`; now each kind of row has days of its own, none below its floor.

    The row of the settings is one document, that of a change holds the ones before and after it.
    """
    if key != "settings" and not key.startswith("change."):
        return values
    stored = msgspec.json.decode(join_binary(values))
    documents = stored if isinstance(stored, list) else [stored]
    for document in documents:
        if document is not None and "retention_days" in document:
            days = document.pop("retention_days")
            kept = {name: max(days, floor) for name, floor in _SETTINGS_FLOORS.items()}
            document["retention"] = kept | {"usage": _USAGE_DAYS}
    others = {name: value for name, value in values.items() if not _is_piece(name)}
    return {**others, **split_binary(msgspec.json.encode(stored))}


def _is_piece(name: str) -> bool:
    return name[0] == "d" and name[1:].isdigit()


# None: a row of that version reads like one of the next; what is new stands in other rows.
STEPS: Mapping[str, tuple[Step | None, ...]] = {
    "finding": (None,),  # 2: beside every finding stands its summary; the renewal writes it
    "settings": (_divide_retention,),  # 2: retention by kind of row
}


def version_of(table: str) -> int:
    """The version in which rows of a table are written today."""
    return 1 + len(STEPS.get(table, ()))


def reads_alike(table: str, version: int) -> bool:
    """Whether single columns of a row of that version say what they say today."""
    return not any(STEPS.get(table, ())[version - 1 :])


def bring_forward(table: str, row: Row) -> Row:
    """A row as today's code would have written it. Raises Unavailable for one of a newer version."""
    newest = version_of(table)
    if row.version > newest:
        raise Unavailable(
            f"A row of {table} was written by a newer version of this product (form {row.version}, this version knows "
            f"{newest}). Nothing was changed. Deploy the newer version again, or restore a backup of before it."
        )
    values = row.values
    for step in STEPS.get(table, ())[row.version - 1 :]:
        if step is not None:
            values = step(row.key, values)
    return row if values is row.values else replace(row, values=values)
