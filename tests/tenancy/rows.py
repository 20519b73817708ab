"""Rows that an earlier version of this product wrote, as they lay in its tables: fixtures, never made anew.

rows-1.jsonl is a tenant of form 1 that had lived for a while (tests/isolation/planted.py), without the rows that lists
are made of: those came later than findings. A further form gets a further file.
"""

from __future__ import annotations

import base64
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from azure.data.tables import EdmType, EntityProperty
from azure.data.tables.aio import TableServiceClient

FIXTURE = Path(__file__).with_name("rows-1.jsonl")


def read_fixture() -> list[dict[str, Any]]:
    return [json.loads(line) for line in FIXTURE.read_text(encoding="utf-8").splitlines()]


def tenant_of_fixture() -> str:
    return str(read_fixture()[0]["values"]["tenant_id"])


async def plant_fixture(tables: TableServiceClient) -> str:
    """Writes the rows byte by byte, past the product's own store, and returns the tenant's id."""
    for row in read_fixture():
        await tables.create_table_if_not_exists(row["table"])
        values = {name: _read(value) for name, value in row["values"].items()}
        entity = values | {"PartitionKey": values["tenant_id"], "RowKey": row["key"]}
        await tables.get_table_client(row["table"]).upsert_entity(entity, mode="replace")
    return tenant_of_fixture()


def _read(value: Any) -> Any:
    match value:
        case {"bytes": text}:
            return base64.b64decode(text)
        case {"at": text}:
            return datetime.fromisoformat(text)
        case {"int64": number}:
            return EntityProperty(number, EdmType.INT64)
    return value
