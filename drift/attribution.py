"""Who changed it: Resource Graph's `resourcechanges`, read for the resources that drifted and copied into findings.

Azure forgets it after 14 days, and it can be late by minutes; a finding without attribution is asked about again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from drift.collect import SubscriptionReader
from drift.engine.findings import Attribution
from drift.engine.model import ResourceKey, resource_key

BATCH = 50  # ids in one query


async def attribute(
    reader: SubscriptionReader, resource_ids: Sequence[str]
) -> dict[ResourceKey, Attribution]:
    """The newest recorded change of each of these resources, by resource key. Raises what the reader raises."""
    newest: dict[ResourceKey, Attribution] = {}
    for start in range(0, len(resource_ids), BATCH):
        query = _query(resource_ids[start : start + BATCH])
        async for page in reader.query(query):
            for row in page:
                _keep_newest(newest, msgspec.json.decode(row))
    return newest


def _query(resource_ids: Iterable[str]) -> str:
    ids = ", ".join(quote(resource_id) for resource_id in resource_ids)
    return (
        f"resourcechanges | where tostring(properties.targetResourceId) in~ ({ids}) "
        "| project id, properties | order by id asc"
    )


def quote(text: str) -> str:
    """A KQL string literal: backslash and quote are escaped, so that an id cannot become part of the query."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return "'" + "".join(character for character in escaped if character.isprintable()) + "'"


def _keep_newest(newest: dict[ResourceKey, Attribution], row: dict[str, Any]) -> None:
    properties = row.get("properties") or {}
    attributes = properties.get("changeAttributes") or {}
    key = resource_key(str(properties.get("targetResourceId", "")))
    found = Attribution(
        changed_by=str(attributes.get("changedBy") or ""),
        changed_by_type=str(attributes.get("changedByType") or ""),
        client_type=str(attributes.get("clientType") or ""),
        operation=str(attributes.get("operation") or ""),
        correlation_id=str(attributes.get("correlationId") or ""),
        timestamp=str(attributes.get("timestamp") or ""),
    )
    known = newest.get(key)
    # ISO times of one service in one zone compare as text.
    if known is None or found.timestamp > known.timestamp:
        newest[key] = found
