"""A row's values as Python holds them and as Table Storage does (EDM types), and binary data over properties."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

from azure.data.tables import EdmType, EntityProperty

from errors import Invalid

BINARY_PROPERTY = 64 * 1024
# An entity holds 1 MiB. Azurite takes that for the request, where binary is base64 and a third larger.
ENTITY_BINARY = 740 * 1024

Value: TypeAlias = "str | int | float | bool | bytes | datetime | None"


@dataclass(frozen=True, slots=True)
class Row:
    key: str
    values: dict[str, Any]  # what was put in, without keys and bookkeeping
    etag: str = ""
    version: int = 1  # of its table's form, as it is stored (tenancy/migrations.py)
    written_at: datetime | None = None  # by the storage's own clock; only where it was asked for


def read_row(entity: Mapping[str, Any]) -> Row:
    """A service entity as a Row: plain Python values, without the bookkeeping properties."""
    hidden = {"PartitionKey", "RowKey", "tenant_id", "_schema", "_write", "_size"}
    values = {name: from_edm(value) for name, value in entity.items() if name not in hidden}
    metadata = getattr(entity, "metadata", {})
    return Row(
        entity["RowKey"],
        values,
        read_etag(metadata),
        int(entity.get("_schema", 1)),
        from_edm(metadata.get("timestamp")),
    )


def split_binary(data: bytes) -> dict[str, Value]:
    """Up to ENTITY_BINARY bytes as properties d0, d1 … that fit the 64 KiB limit of a property."""
    if len(data) > ENTITY_BINARY:
        raise Invalid(f"{len(data)} bytes do not fit into one row.", field="data")
    pieces = range(0, len(data), BINARY_PROPERTY)
    return {
        f"d{number}": data[start : start + BINARY_PROPERTY] for number, start in enumerate(pieces)
    }


def join_binary(values: Mapping[str, Any]) -> bytes:
    """The inverse of split_binary."""
    pieces: list[bytes] = []
    while (piece := values.get(f"d{len(pieces)}")) is not None:
        pieces.append(piece)
    return b"".join(pieces)


def to_edm(value: Value) -> Any:
    if isinstance(value, bool | float | bytes) or (
        isinstance(value, int) and -(2**31) <= value < 2**31
    ):
        return value
    if isinstance(value, int):
        return EntityProperty(value, EdmType.INT64)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise Invalid("A time without zone would be stored as local time.", field="time")
        return value.astimezone(UTC)
    return str(value)


def from_edm(value: Any) -> Any:
    if isinstance(value, EntityProperty):
        return value.value
    if isinstance(
        value, datetime
    ):  # TablesEntityDatetime would be sent back as the service's own string
        return datetime.fromtimestamp(value.timestamp(), UTC)
    return value


def measure(entity: Mapping[str, Any]) -> int:
    """The bytes that Table Storage counts for an entity: 4, its keys, and of each property 8, its name and value."""
    total = 4
    for name, value in entity.items():
        keyed = name in {"PartitionKey", "RowKey"}
        total += 2 * len(value) if keyed else 8 + 2 * len(name) + _measure_value(value)
    return total


def _measure_value(value: Any) -> int:
    if isinstance(value, str):
        return 4 + 2 * len(value)
    if isinstance(value, bytes):
        return 4 + len(value)
    if isinstance(value, bool):
        return 1
    return 4 if isinstance(value, int) else 8


def weigh(values: Mapping[str, Value]) -> int:
    """About the bytes a row takes in a transaction: base64 for binary, names and envelope for all."""
    total = 600
    for name, value in values.items():
        length = len(value) if isinstance(value, bytes | str) else 16
        total += 2 * len(name) + 60 + (length * 4 // 3 if isinstance(value, bytes) else 3 * length)
    return total


def read_etag(metadata: Mapping[str, Any]) -> str:
    return str(metadata.get("etag") or "")
