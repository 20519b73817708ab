"""The collection of packs races those who write and point at snapshots, step by step: no snapshot ever misses a pack,
and what is garbage does go.

Every request to storage is a step. An actor and a collection are stopped before each of their steps in turn, and the
other goes on; an actor may also never come back.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Coroutine, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.data.tables.aio import TableClient, TableServiceClient

from drift.archive import (
    hold_snapshot,
    load_pack,
    load_snapshot,
    save_packs,
    save_snapshot,
)
from drift.engine.index import SnapshotIndex
from drift.engine.model import resource_key
from drift.engine.packing import is_boundary
from drift.engine.repacking import Packed, plan_packs
from drift.engine.survey import Survey
from drift.garbage import GRACE, collect
from errors import NotFound, Stale
from tenancy import store as store_module
from tenancy.ids import TenantId
from tenancy.store import Table, Tables, TenantStore

GROUP = "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/g/providers/A.B/c"


class Stepping(Tables):
    """Storage whose requests wait for their turn while `left` is used up."""

    def __init__(self, service: TableServiceClient) -> None:
        super().__init__(service)
        self.left = self.used = 0
        self._open, self._parked = asyncio.Event(), asyncio.Event()

    async def client(self, table: str) -> TableClient:
        while not self.left:
            self._open.clear()
            self._parked.set()
            await self._open.wait()
        self.left -= 1
        self.used += 1
        return await super().client(table)

    async def go(self, steps: int, task: asyncio.Task[Any]) -> None:
        """Lets the task make so many requests; it is stopped before the next one, or has ended."""
        self.left += steps
        self._parked.clear()
        self._open.set()
        parked = asyncio.ensure_future(self._parked.wait())
        await asyncio.wait({parked, task}, return_when=asyncio.FIRST_COMPLETED)
        parked.cancel()


def names() -> Iterator[str]:
    return (f"{GROUP}/r{number}" for number in range(100_000))


def choose() -> list[str]:
    """Resources that are packed into two packs: the last of the first pack ends a run."""
    middle = next(one for one in names() if is_boundary(resource_key(one)))
    key = resource_key(middle)
    before = [one for one in names() if resource_key(one) < key and not _ends(one)][:3]
    after = [one for one in names() if resource_key(one) > key and not _ends(one)][:3]
    return [*before, middle, *after]


def _ends(resource_id: str) -> bool:
    return is_boundary(resource_key(resource_id))


IDS = choose()


def documents(tag: str, tail: str) -> list[bytes]:
    """All of them; the first pack has a resource with the one tag, the second has one with the other."""
    tags = [tag, *("" for _ in IDS[1:-1]), tail]
    return [
        json.dumps({"id": one, "name": one[-5:], "type": "A.B/c", "tags": {"t": text}}).encode()
        for one, text in zip(IDS, tags, strict=True)
    ]


def survey(base: SnapshotIndex | None, tag: str, tail: str = "") -> Any:
    made = Survey(base, secret_key=b"k")
    made.add_page(documents(tag, tail))
    return made.finish()


async def build(store: TenantStore, base_id: str, tag: str, pointer: str) -> None:
    """As a scan or an edit does: reads a state, writes what differs, and points at the new state last."""
    base = await load_snapshot(store, base_id)
    plan = plan_packs(base, survey(base, tag))
    packed = plan.build({name: await load_pack(store, name) for name in plan.needed})
    await save_packs(store, packed.packs)
    await save_snapshot(store, packed.index, built_on=base)
    await point(store, pointer, packed.index.snapshot_id)


async def adopt(store: TenantStore, snapshot_id: str, pointer: str) -> None:
    """As who makes the present state a baseline: points at what somebody else wrote."""
    await hold_snapshot(store, snapshot_id)
    await point(store, pointer, snapshot_id)


async def point(store: TenantStore, pointer: str, snapshot_id: str) -> None:
    await store.put(Table.BASELINE, pointer, {"snapshot_id": snapshot_id})


def pack(tag: str, tail: str = "") -> Packed:
    return plan_packs(None, survey(None, tag, tail)).build({})


async def save(store: TenantStore, tag: str, tail: str = "") -> str:
    packed = pack(tag, tail)
    await save_packs(store, packed.packs)
    return await save_snapshot(store, packed.index, built_on=None)


def tag_between(low: str, high: str, tail: str = "") -> str:
    """A tag that makes a snapshot whose rows lie there in the table."""
    tags = (f"t{number}" for number in range(1000))
    return next(tag for tag in tags if low < pack(tag, tail).index.snapshot_id < high)


class World:
    """A tenant with a state that a row points at, one that nothing does, and the time in between."""

    def __init__(self, service: TableServiceClient) -> None:
        self.service = service
        self.tenant_id = TenantId(str(uuid.uuid4()))
        self.store = TenantStore(Tables(service), self.tenant_id)
        self.now = datetime.now(UTC)

    async def begin(self, tag: str = "base") -> str:
        base = await save(self.store, tag)
        await point(self.store, "base", base)
        assert len((await load_snapshot(self.store, base)).packs) == 2
        # What is written from now on is young to a collection whose clock says that GRACE is over.
        await asyncio.sleep(0.002)
        self.now = datetime.now(UTC) + GRACE
        await asyncio.sleep(0.002)
        return base

    async def unpoint(self, pointer: str = "base") -> None:
        await self.store.delete(Table.BASELINE, pointer)

    def start(self, work: Any) -> tuple[Stepping, asyncio.Task[Any]]:
        """`work` takes a store. It is stopped before its first request."""
        tables = Stepping(self.service)
        store = TenantStore(tables, self.tenant_id)
        return tables, asyncio.ensure_future(work(store))

    async def check(self) -> set[str]:
        """Every snapshot that something points at is whole. The rows that point."""
        found = set()
        async for row in self.store.rows(Table.BASELINE):
            index = await load_snapshot(self.store, row.values["snapshot_id"])
            count = 0
            for ref in index.packs:
                count += len(await load_pack(self.store, ref.name))
            assert count == len(IDS)
            found.add(row.key)
        return found

    async def stored(self) -> int:
        return len([row async for row in self.store.rows(Table.PACK, columns=("of",))])


@pytest.fixture
async def service(storage: str) -> AsyncIterator[TableServiceClient]:
    async with TableServiceClient.from_connection_string(storage) as service:
        for table in (Table.PACK, Table.BASELINE, Table.CONFIGURATION):
            await service.create_table_if_not_exists(table)
        yield service


async def ended(task: asyncio.Task[Any]) -> str:
    (outcome,) = await asyncio.gather(task, return_exceptions=True)
    if isinstance(outcome, Stale | NotFound):  # the second: a pack of what it builds on is gone
        return "refused"
    if isinstance(outcome, BaseException):
        raise outcome
    return "done"


async def steps_of(service: TableServiceClient, work: Any) -> int:
    """How many requests something makes when it is alone."""
    world = World(service)
    base = await world.begin()
    tables, task = world.start(lambda store: work(store, base, world.now))
    await tables.go(1000, task)
    await task
    return tables.used


def builder(store: TenantStore, base: str, now: datetime) -> Coroutine[Any, Any, None]:
    return build(store, base, "new", "new")


def adopter(store: TenantStore, base: str, now: datetime) -> Coroutine[Any, Any, None]:
    return adopt(store, base, "new")


def collector(store: TenantStore, base: str, now: datetime) -> Coroutine[Any, Any, Any]:
    return collect(store, now=now)


@pytest.mark.parametrize(("work", "first"), [(builder, 1), (adopter, 0)])
async def test_no_snapshot_misses_a_pack_whatever_the_order(
    service: TableServiceClient, work: Any, first: int
) -> None:
    """The state that somebody builds on is let go of as soon as he has read it, and a collection begins: stopped
    before each of its steps while the other goes on, and the other before each of his while it comes to its end."""
    outcomes = set()
    mine, its = await steps_of(service, work), await steps_of(service, collector)
    assert mine > 1
    assert its > 4
    for before in range(its + 1):
        for between in range(first, mine + 1):
            world = World(service)
            base = await world.begin()
            actor, acting = world.start(lambda store: work(store, base, world.now))  # noqa: B023
            await actor.go(first, acting)
            await world.unpoint()
            sweeper, sweeping = world.start(lambda store: collector(store, base, world.now))  # noqa: B023
            await sweeper.go(before, sweeping)
            await actor.go(between - first, acting)
            await sweeper.go(1000, sweeping)
            await sweeping
            await actor.go(1000, acting)
            outcome = await ended(acting)
            outcomes.add(outcome)
            pointers = await world.check()
            assert pointers == ({"new"} if outcome == "done" else set()), (before, between)
    assert outcomes == {"done", "refused"}


async def test_two_collections_at_once_do_no_harm(
    service: TableServiceClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is stopped anywhere, a row a page. A new state is made on one that the other takes away before it goes on:
    the first is past the place of the new state and comes to that of the old one when it is gone."""
    new, base_tag = tag_between("0", "3"), tag_between("c", "g")
    others = [(tag_between("3", "7", "x"), "x"), (tag_between("7", "c", "y"), "y")]
    monkeypatch.setattr(store_module, "PAGE_LIMIT", 1)
    used = before = 0
    while before <= used:
        world = World(service)
        for tag, tail in others:
            await point(world.store, tag, await save(world.store, tag, tail))
        base = await world.begin(base_tag)
        first, collecting = world.start(lambda store: collect(store, now=world.now))  # noqa: B023
        await first.go(before, collecting)
        await build(world.store, base, new, "new")
        await world.unpoint()
        await collect(world.store, now=world.now)
        await first.go(1000, collecting)
        await collecting
        assert await world.check() == {"new", *(tag for tag, _ in others)}, before
        used, before = first.used, before + 1
    assert before > 12


async def test_what_dies_half_way_is_garbage_that_goes(service: TableServiceClient) -> None:
    mine = await steps_of(service, builder)
    for died in range(mine):
        world = World(service)
        base = await world.begin()
        actor, acting = world.start(lambda store: builder(store, base, world.now))  # noqa: B023
        await actor.go(died, acting)
        acting.cancel()
        await asyncio.gather(acting, return_exceptions=True)
        await collect(world.store, now=world.now)
        assert await world.check() == {"base"}
        await collect(world.store, now=world.now + GRACE + timedelta(minutes=1))
        assert await world.check() == {"base"}
        assert await world.stored() == 3, died  # a snapshot and its two packs


async def test_garbage_that_is_needed_again_comes_back(service: TableServiceClient) -> None:
    """An old state that nothing points at, of the same content as the one that is made now."""
    world = World(service)
    await save(world.store, "new")
    base = await world.begin()
    await build(world.store, base, "new", "new")
    garbage = await collect(world.store, now=world.now)
    assert (garbage.snapshots, garbage.packs) == (0, 0)
    assert await world.check() == {"base", "new"}


async def test_what_nothing_points_at_goes_after_the_grace(service: TableServiceClient) -> None:
    world = World(service)
    base = await world.begin()
    other = await save(world.store, "other")
    just_now = datetime.now(UTC) + GRACE - timedelta(minutes=1)
    garbage = await collect(world.store, now=just_now)
    assert (garbage.snapshots, garbage.packs) == (0, 0)
    garbage = await collect(world.store, now=just_now + timedelta(minutes=2))
    assert (garbage.snapshots, garbage.packs) == (1, 1)  # the other pack is the base's, too
    assert await world.check() == {"base"}
    with pytest.raises(Stale):
        await hold_snapshot(world.store, other)
    with pytest.raises(Stale):
        await save_snapshot(world.store, pack("x").index, built_on=pack("other").index)
    await hold_snapshot(world.store, base)


async def test_moments_and_configurations_keep_their_snapshots(service: TableServiceClient) -> None:
    world = World(service)
    kept = {}
    for key in ("m.s.1", "s"):
        kept[key] = await save(world.store, key)
        await world.store.put(Table.CONFIGURATION, key, {"snapshot_id": kept[key]})
    await world.begin()
    assert await collect(world.store, now=world.now) == await collect(world.store, now=world.now)
    for snapshot_id in kept.values():
        for ref in (await load_snapshot(world.store, snapshot_id)).packs:
            assert await load_pack(world.store, ref.name)
    await world.store.delete(Table.CONFIGURATION, "m.s.1")
    assert (await collect(world.store, now=world.now)).snapshots == 1


async def test_snapshot_whose_row_does_not_name_its_packs_keeps_them(
    service: TableServiceClient,
) -> None:
    """As earlier versions wrote them: the index is read instead."""
    world = World(service)
    base = await save(world.store, "base")
    row = await world.store.get(Table.PACK, f"s.{base}.0000")
    del row.values["packs"]
    await world.store.put(Table.PACK, row.key, row.values)
    await point(world.store, "base", base)
    later = datetime.now(UTC) + 2 * GRACE
    assert (await collect(world.store, now=later)).packs == 0
    assert await world.check() == {"base"}
