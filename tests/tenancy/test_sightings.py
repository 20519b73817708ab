"""Who was last in a tenant: one row for each, written once a day, and never in the way of the visitor."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from errors import Unavailable
from tenancy import sightings as module
from tenancy.audit import Actor
from tenancy.roles import Role
from tenancy.sightings import Sighting, Sightings, Way, find_sighting, page_sightings
from tenancy.store import Table, TenantStore
from tests.tenancy.people import NOW

ADA, BOB = Actor("ada", "Ada"), Actor("bob", "Bob")
DAY = timedelta(days=1)


async def test_visit_is_a_row_of_the_visitor(store: TenantStore) -> None:
    for key in ("guard", "settled"):  # before and behind the visits
        await store.insert(Table.USER, key, {})
    await Sightings().record(store, ADA, Role.ADMIN, Way.USER, now=NOW)
    await Sightings().record(store, BOB, Role.VIEWER, Way.APP_ROLE, now=NOW + DAY)
    ada = Sighting("ada", "Ada", Role.ADMIN, Way.USER, NOW)
    bob = Sighting("bob", "Bob", Role.VIEWER, Way.APP_ROLE, NOW + DAY)
    assert await page_sightings(store, after="", limit=2) == ([ada, bob], "")
    assert await page_sightings(store, after="", limit=1) == ([ada], "ada")
    assert await page_sightings(store, after="ada", limit=1) == ([bob], "")
    row = await store.get(Table.USER, "seen.ada")
    assert row.values == {"name": "Ada", "role": "admin", "way": "user", "at": NOW}


async def test_last_visit_of_one_principal_is_found(store: TenantStore) -> None:
    await store.insert(Table.USER, "ada", {})  # the user's own row is no visit
    assert await find_sighting(store, "ada") is None
    await Sightings().record(store, ADA, Role.OPERATOR, Way.PLATFORM, now=NOW)
    seen = Sighting("ada", "Ada", Role.OPERATOR, Way.PLATFORM, NOW)
    assert await find_sighting(store, "ada") == seen
    assert await find_sighting(store, "bob") is None


async def test_row_is_written_once_a_day_and_when_something_else_is_seen(
    store: TenantStore,
) -> None:
    seen, etags = Sightings(), []
    for role, way, now in (
        (Role.ADMIN, Way.USER, NOW),
        (Role.ADMIN, Way.USER, NOW + timedelta(hours=11)),
        (Role.VIEWER, Way.USER, NOW),
        (Role.VIEWER, Way.APP_ROLE, NOW),
        (Role.VIEWER, Way.APP_ROLE, NOW + timedelta(hours=11)),
        (Role.VIEWER, Way.APP_ROLE, NOW + DAY),
    ):
        await seen.record(store, ADA, role, way, now=now)
        etags.append((await store.get(Table.USER, "seen.ada")).etag)
    first, *others = etags
    assert others[0] == first
    assert len({first, others[1], others[2], others[4]}) == 4
    assert others[3] == others[2]


class Full:
    """A store that keeps nothing, and counts the writes."""

    def __init__(self, tenant_id: str, *, fails: bool = False) -> None:
        self.tenant_id = tenant_id
        self.fails = fails
        self.writes = 0

    async def put(self, *_: object) -> None:
        self.writes += 1
        if self.fails:
            raise Unavailable("no")


async def test_tenants_are_remembered_apart_and_memory_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LARGEST_MEMORY", 2)
    seen, stores = Sightings(), [Full("a"), Full("b"), Full("c")]
    for store in (*stores[:2], *stores[:2], stores[2]):
        await seen.record(store, ADA, Role.ADMIN, Way.USER, now=NOW)
    assert [store.writes for store in stores] == [1, 1, 1]
    assert len(seen._known) == 1  # the third did not fit beside the two
    await seen.record(stores[0], ADA, Role.ADMIN, Way.USER, now=NOW)
    assert stores[0].writes == 2


async def test_visit_that_cannot_be_noted_is_logged_and_the_visitor_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        await Sightings().record(Full("t", fails=True), ADA, Role.ADMIN, Way.USER, now=NOW)
    (line,) = caplog.records
    assert (line.getMessage(), line.tenant_id) == ("a visit could not be noted", "t")
