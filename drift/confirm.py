"""Asks a resource's own provider, by ARM GET, whether a candidate is true. Only a 404 is a deletion."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

import msgspec

from drift.collect import SubscriptionReader
from drift.engine.canonical import canonicalise
from drift.engine.compare import compare
from drift.engine.facts.progress import unfinished_state
from drift.engine.model import ChangeKind, Difference, Document, Severity
from errors import DriftError, NotFound

PARALLEL = 8
MOST_READS = 250  # one burst of ARM's read bucket for a subscription and principal; the rest waits for the next scan


class Verdict(StrEnum):
    CONFIRMED = "confirmed"  # the provider says the same
    OBSERVED = "observed"  # could not be confirmed now; the next scan asks again
    REFUTED = "refuted"  # the provider says otherwise: there is nothing to report


class Confirmer:
    """Confirms candidates of one subscription within the read budget of one scan."""

    def __init__(self, reader: SubscriptionReader, secret_key: bytes) -> None:
        self._reader = reader
        self._secret_key = secret_key
        self._versions: dict[str, Mapping[str, str]] = {}
        self._version_lock = asyncio.Lock()
        self._slots = asyncio.Semaphore(PARALLEL)
        self._reads_left = MOST_READS

    async def gone(self, documents: Iterable[Document]) -> dict[str, Verdict]:
        """For resources that Resource Graph no longer lists, by key: CONFIRMED only on a 404."""
        wanted = list(documents)
        verdicts = await asyncio.gather(*(self._removed(item) for item in wanted))
        return {item.key: verdict for item, verdict in zip(wanted, verdicts, strict=True)}

    async def confirm(
        self, difference: Difference, before: Document | None, after: Document | None
    ) -> Verdict:
        """Whether a difference against the baseline is what the provider says now."""
        if after is None:
            assert before is not None
            return await self._removed(before)
        try:
            live = await self._read(after)
        except NotFound:
            return Verdict.REFUTED
        if live is None:
            return Verdict.OBSERVED
        if difference.kind is ChangeKind.ADDED or before is None:
            return Verdict.CONFIRMED
        return self._weigh(difference, before, live)

    def _weigh(self, difference: Difference, before: Document, live: Mapping[str, Any]) -> Verdict:
        """Confirmed when the provider shows a new value and contradicts none.

        A path that the provider's answer lacks proves nothing: Resource Graph and ARM shape some types differently.
        """
        try:
            body = msgspec.json.decode(canonicalise(live, secret_key=self._secret_key).body)
        except DriftError:
            return Verdict.OBSERVED
        old = msgspec.json.decode(before.body)
        seen = {change.path: change for change in compare(old, body, difference.resource_type)}
        weighty = [c for c in difference.changes if c.severity is not Severity.INFORMATIONAL]
        shown = [c for c in weighty if c.path in seen and seen[c.path].after == c.after]
        if len(shown) == len(weighty):
            return Verdict.CONFIRMED
        contradicted = any(c.path in seen and seen[c.path].after != c.after for c in weighty)
        return Verdict.CONFIRMED if shown and not contradicted else Verdict.OBSERVED

    async def _removed(self, document: Document) -> Verdict:
        try:
            live = await self._read(document)
        except NotFound:
            return Verdict.CONFIRMED
        return Verdict.OBSERVED if live is None else Verdict.REFUTED

    async def _read(self, document: Document) -> dict[str, Any] | None:
        """The provider's answer; None when it could not be had now or is in the middle of an update."""
        async with self._slots:
            if self._reads_left <= 0:
                return None
            self._reads_left -= 1
            try:
                version = await self._api_version(document.resource_type)
                if not version:
                    return None
                live = await self._reader.get(document.resource_id, version)
            except NotFound:
                raise
            except DriftError:
                return None
        return None if unfinished_state(live) else live

    async def _api_version(self, resource_type: str) -> str:
        """The newest stable API version of a type, '' when its provider does not name the type."""
        namespace, _, name = resource_type.partition("/")
        async with self._version_lock:
            if namespace not in self._versions:
                self._versions[namespace] = await self._read_versions(namespace)
        return self._versions[namespace].get(name, "")

    async def _read_versions(self, namespace: str) -> Mapping[str, str]:
        try:
            provider = await self._reader.provider(namespace)
        except (
            NotFound
        ):  # not a registered provider: its resources stay `observed`, never `removed`
            return {}
        return {
            str(item.get("resourceType", "")).lower(): newest_stable(item.get("apiVersions", []))
            for item in provider.get("resourceTypes", [])
        }


def newest_stable(versions: Iterable[str]) -> str:
    """The newest API version that is no preview, else the newest at all. They sort as text: 2024-05-01-preview."""
    ordered = sorted(versions, reverse=True)
    return next((item for item in ordered if "preview" not in item), ordered[0] if ordered else "")
