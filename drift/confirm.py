"""Asks a resource's own provider, by ARM GET, whether a candidate is true. Only a 404 is a deletion."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

import msgspec

from drift.api_versions import ApiVersions
from drift.collect import SubscriptionReader
from drift.engine.canonical import canonicalise
from drift.engine.compare import compare
from drift.engine.facts.progress import unfinished_state
from drift.engine.model import ChangeKind, Difference, Document, Severity
from errors import DriftError, NotFound, VersionRefused

PARALLEL = 8
MOST_READS = 250  # one burst of ARM's read bucket for a subscription and principal; the rest waits for the next scan


class Verdict(StrEnum):
    CONFIRMED = "confirmed"  # the provider says the same
    OBSERVED = "observed"  # could not be confirmed now; the next scan asks again
    REFUTED = "refuted"  # the provider says otherwise: there is nothing to report


class Confirmer:
    """Confirms candidates of one subscription within the read budget of one scan."""

    def __init__(
        self, reader: SubscriptionReader, secret_key: bytes, versions: ApiVersions
    ) -> None:
        self._reader = reader
        self._secret_key = secret_key
        self._versions = versions
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
                live = await self._get(document)
            except NotFound:
                raise
            except DriftError:
                return None
        return None if live is None or unfinished_state(live) else live

    async def _get(self, document: Document) -> dict[str, Any] | None:
        version = await self._versions.of(document.resource_type)
        if not version:
            return None
        try:
            return await self._reader.get(document.resource_id, version)
        except VersionRefused:
            version = await self._versions.instead_of(document.resource_type, version)
            return await self._reader.get(document.resource_id, version) if version else None
