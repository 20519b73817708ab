"""A kind of thing in an export, and what a line of its file holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from tenancy.rows import Row, join_binary
from tenancy.store import Table


@dataclass(frozen=True, slots=True)
class ExportKind:
    name: str  # of its file, without .jsonl
    table: Table
    about: str
    fields: Mapping[str, str]
    prefix: str = ""  # of the rows' keys
    key: str = (
        "id"  # what the rest of the key is called; '' when it says nothing that the members do not
    )
    below: str = ""  # only keys that sort before this
    left_out: frozenset[str] = frozenset()  # members that mean nothing outside the product


def describe(kind: ExportKind, row: Row) -> dict[str, object]:
    """The row as an object with the kind's members, in the order in which they are described."""
    members = members_of(row)
    found: dict[str, object] = {kind.key: row.key.removeprefix(kind.prefix)} if kind.key else {}
    return found | {name: members[name] for name in kind.fields if name in members}


def members_of(row: Row) -> dict[str, object]:
    """Everything that a row holds: its values, and what is in the JSON that is kept as binary."""
    plain = {name: value for name, value in row.values.items() if not isinstance(value, bytes)}
    binary = row.values.get("body") or join_binary(row.values)
    inside = msgspec.json.decode(binary) if binary else {}
    if isinstance(inside, list):  # a change of the settings
        inside = dict(zip(("before", "after"), inside, strict=True))
    return {**inside, **plain}
