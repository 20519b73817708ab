"""Who changed it: Resource Graph's `resourcechanges`, read for the resources that changed and copied into what is said
of them. Azure forgets it after 14 days, and it can be late by minutes; a finding without it is asked about again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from drift.collect import SubscriptionReader, quote
from drift.engine.findings import Attribution
from drift.engine.model import ResourceKey, resource_key
from errors import DriftError

BATCH = 50  # ids in one query


class Attributor:
    """Asks who changed the resources of one subscription, each once in a scan.

    That it cannot be read is no reason to say nothing of a change: `unread` then has the reason, and nothing more is
    asked in this scan.
    """

    def __init__(self, reader: SubscriptionReader) -> None:
        self._reader = reader
        self._asked: set[ResourceKey] = set()
        self._newest: dict[ResourceKey, Attribution] = {}
        self.unread = ""

    async def ask(self, resource_ids: Iterable[str]) -> dict[ResourceKey, Attribution]:
        """The newest recorded change of each of these resources, by key; those without a record are left out."""
        wanted = {resource_key(resource_id): resource_id for resource_id in resource_ids}
        new = [resource_id for key, resource_id in wanted.items() if key not in self._asked]
        for start in range(0, len(new), BATCH):
            if self.unread:
                break
            try:
                await self._read(new[start : start + BATCH])
            except DriftError as error:
                self.unread = error.message
        return {key: self._newest[key] for key in wanted if key in self._newest}

    async def _read(self, resource_ids: Sequence[str]) -> None:
        async for page in self._reader.query(_query(resource_ids)):
            for row in page:
                _keep_newest(self._newest, msgspec.json.decode(row))
        self._asked |= {resource_key(resource_id) for resource_id in resource_ids}


def _query(resource_ids: Iterable[str]) -> str:
    ids = ", ".join(quote(resource_id) for resource_id in resource_ids)
    return (
        f"resourcechanges | where tostring(properties.targetResourceId) in~ ({ids}) "
        "| project id, properties | order by id asc"
    )


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
