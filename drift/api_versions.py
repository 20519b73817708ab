"""With which version of its provider's API a resource is asked for: what Azure's `providers` says, kept for a day.

It is kept in the tenant's partition, so that all instances and all scans of a day ask each provider once. Only answers
are kept, never failures, and what a provider refuses is asked for anew.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

import msgspec

from drift.collect import SubscriptionReader
from errors import NotFound
from tenancy.rows import join_binary, split_binary
from tenancy.store import Table, TenantStore

KEPT = timedelta(days=1)
_ROW = "versions."  # in the table of subscriptions
_NAMESPACE = re.compile(r"[a-z0-9.-]{1,100}")  # what may be a part of a row's key


class ApiVersions:
    """Of one tenant, for one scan."""

    def __init__(
        self, store: TenantStore, reader: SubscriptionReader, clock: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._reader = reader
        self._clock = clock
        self._known: dict[str, Mapping[str, str]] = {}
        self._asked: set[str] = set()  # providers, by this scan
        self._lock = asyncio.Lock()

    async def of(self, resource_type: str) -> str:
        """The newest stable version of a type, '' when its provider does not name the type."""
        namespace, _, name = resource_type.partition("/")
        async with self._lock:
            if namespace not in self._known:
                kept = await self._find(namespace)
                self._known[namespace] = await self._ask(namespace) if kept is None else kept
        return self._known[namespace].get(name, "")

    async def instead_of(self, resource_type: str, refused: str) -> str:
        """After a version was refused: the one that the provider names now, '' when that is no other."""
        namespace, _, name = resource_type.partition("/")
        async with self._lock:
            if namespace not in self._asked:
                self._known[namespace] = await self._ask(namespace)
        found = self._known[namespace].get(name, "")
        return found if found != refused else ""

    async def _find(self, namespace: str) -> Mapping[str, str] | None:
        if not _NAMESPACE.fullmatch(namespace):
            return None
        row = await self._store.find(Table.SUBSCRIPTION, _ROW + namespace)
        if row is None or not timedelta() <= self._clock() - row.values["read_at"] < KEPT:
            return None
        return msgspec.json.decode(join_binary(row.values), type=dict[str, str])

    async def _ask(self, namespace: str) -> Mapping[str, str]:
        try:
            provider = await self._reader.provider(namespace)
        except (
            NotFound
        ):  # not a registered provider: its resources stay `observed`, never `removed`
            return {}
        found = {
            str(item.get("resourceType", "")).lower(): newest_stable(item.get("apiVersions", []))
            for item in provider.get("resourceTypes", [])
        }
        self._asked.add(namespace)
        if found and _NAMESPACE.fullmatch(namespace):
            kept = {"read_at": self._clock(), **split_binary(msgspec.json.encode(found))}
            await self._store.put(Table.SUBSCRIPTION, _ROW + namespace, kept)
        return found


def newest_stable(versions: Iterable[str]) -> str:
    """The newest API version that is no preview, else the newest at all. They sort as text: 2024-05-01-preview."""
    ordered = sorted(versions, reverse=True)
    return next((item for item in ordered if "preview" not in item), ordered[0] if ordered else "")
