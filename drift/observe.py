"""Reads one subscription completely and folds it against the state before. What could not be read ends the observation:
it then carries the reason and nothing is concluded from the rest."""

from __future__ import annotations

from dataclasses import dataclass

import telemetry
from drift.archive import Configuration, find_configuration, load_snapshot
from drift.collect import SOURCES, Source, SubscriptionReader
from drift.engine.index import SnapshotIndex
from drift.engine.survey import Collected, Survey
from drift.lease import LeaseKeeper
from drift.scans import Coverage
from errors import DriftError, Throttled, Unavailable, Unreadable
from tenancy.store import TenantStore


@dataclass(frozen=True, slots=True)
class Observed:
    configuration: Configuration | None  # the state before
    previous: SnapshotIndex | None
    collected: Collected
    coverage: tuple[Coverage, ...]
    api_versions: dict[str, str]  # by type, as far as they are known
    reason: str = ""  # why it is not complete
    permission: str = ""
    retry_after: float = 0.0  # seconds that Azure asks to wait; 0 when that is not why

    @property
    def skipped(self) -> int:
        return self.collected.skipped.total()

    @property
    def skipped_examples(self) -> tuple[str, ...]:
        every = self.collected.examples.items()
        return tuple(f"{reason} ({name})" for reason, names in every for name in names)


async def observe(
    store: TenantStore, reader: SubscriptionReader, secret_key: bytes, keeper: LeaseKeeper
) -> Observed:
    """Raises Unreadable when the subscription itself cannot be read, Throttled when Azure asks to wait for long."""
    await reader.probe()
    configuration = await find_configuration(store, reader.subscription_id)
    previous = await load_snapshot(store, configuration.snapshot_id) if configuration else None
    survey = Survey(previous, secret_key=secret_key)
    coverage = [await _read(reader, source, survey, keeper) for source in SOURCES]
    collected = survey.finish()
    missed = next((part for part in coverage if not part.read), None)
    if missed is None:
        _refuse_foreign(reader, collected)
    return Observed(
        configuration,
        previous,
        collected,
        tuple(coverage),
        await _api_versions(reader, previous, collected),
        reason=f"{missed.source}: {missed.reason}" if missed else "",
        permission=missed.permission if missed else "",
        retry_after=max(part.retry_after for part in coverage),
    )


async def _api_versions(
    reader: SubscriptionReader, previous: SnapshotIndex | None, collected: Collected
) -> dict[str, str]:
    """Asked for when something came otherwise than before: then it may be the API that changed. Without an answer what
    was known stays, so that nothing is taken for a change of the API that may be a person's."""
    known = previous.stamp.api_versions if previous is not None else {}
    if not collected.changed:
        return known
    try:
        return await reader.api_versions()
    except DriftError:
        return known


def _refuse_foreign(reader: SubscriptionReader, collected: Collected) -> None:
    """An answer about another subscription than was asked for is none, whatever else it holds."""
    for document in collected.changed:
        owner = document.resource_id.lower().split("/")[:3]
        if owner[:2] == ["", "subscriptions"] and owner[2:] != [reader.subscription_id]:
            raise Unavailable(
                f"Reading {reader.scope}: Azure answered with resources of another subscription."
            )


async def _read(
    reader: SubscriptionReader, source: Source, survey: Survey, keeper: LeaseKeeper
) -> Coverage:
    rows = 0
    try:
        with telemetry.span(telemetry.PAGES, source=source.name) as reading:
            async for page in reader.pages(source):
                survey.add_page(page)
                rows += len(page)
                await keeper.keep()
            reading.note(rows=rows)
    except Throttled as error:
        return Coverage(source.name, False, rows, error.message, retry_after=error.retry_after)
    except Unreadable as error:
        return Coverage(source.name, False, rows, error.message, error.permission)
    except DriftError as error:
        return Coverage(source.name, False, rows, error.message)
    return Coverage(source.name, True, rows)
