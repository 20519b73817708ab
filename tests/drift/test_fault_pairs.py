"""Faults in pairs and worse, in an order that nobody thought of, against an oracle that knows the simulated world.

I01 I04 I10 I16 I20. Whatever happened, the next scan without faults equals one of a world in which nothing ever did.
A failure prints the steps that lead to it and a blob that repeats them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    precondition,
    rule,
    run_state_machine_as_test,
)

from drift import consumers
from drift.scan import MOST_OPEN
from errors import DriftError
from tenancy.access import serve
from tests.drift.conftest import NewTenant
from tests.drift.strikes import Strike, StruckDeployment
from tests.drift.test_faults import AGAIN, AZURE
from tests.drift.world import World, scan_part, settle_down

ACCOUNTS = 20
SECONDS = 60  # for one step


class Pairs(RuleBasedStateMachine):
    """One tenant. Each step is done on the loop of the test, which waits in another thread."""

    loop: ClassVar[asyncio.AbstractEventLoop]
    make: ClassVar[Callable[[], Awaitable[World]]]
    struck: ClassVar[StruckDeployment]

    def __init__(self) -> None:
        super().__init__()
        self.world: World = self.do(type(self).make())
        self.tenant = self.world.tenant
        self.number = 0
        self.at = datetime.now(UTC)
        self.messages: list[bytes] = []  # of scans that may have died

    def do(self, work: Awaitable[Any]) -> Any:
        async def wait() -> Any:
            return await work

        return asyncio.run_coroutine_threadsafe(wait(), self.loop).result(SECONDS)

    @precondition(lambda self: self.number < ACCOUNTS)
    @rule()
    def drift(self) -> None:
        self.do(self.world.change(self.number))
        self.number += 1

    @precondition(lambda self: self.world.differs)
    @rule(data=st.data())
    def put_back(self, data: st.DataObject) -> None:
        self.do(self.world.restore(data.draw(st.sampled_from(sorted(self.world.differs)))))

    @rule(name=st.sampled_from(sorted(AZURE)))
    def fault_of_azure(self, name: str) -> None:
        self.do(self.tenant.graph_fault(times=1, **AZURE[name]))

    @rule(strike=st.sampled_from(Strike), at=st.integers(1, 40), only_writes=st.booleans())
    def fault_of_ours(self, strike: Strike, at: int, only_writes: bool) -> None:
        self.struck.line.order(strike, at, only_writes=only_writes)

    @precondition(lambda self: len(self.messages) < MOST_OPEN)
    @rule()
    def begin_a_scan(self) -> None:
        _, bodies = self.do(self.tenant.fan_out())
        self.messages += bodies
        self.do(self.run(bodies[0]))

    @precondition(lambda self: self.messages)
    @rule(data=st.data())
    def message_comes_again(self, data: st.DataObject) -> None:
        self.do(self.run(data.draw(st.sampled_from(self.messages))))

    @precondition(lambda self: self.world.once)
    @rule(data=st.data())
    def event_of_a_resource(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.world.once)))
        look = {
            "version": 1,
            "tenant_id": self.tenant.tenant_id,
            "subscription_id": self.tenant.subscription_id,
            "resource_id": self.world.id_of(name),
            "attempt": 9,
        }
        self.do(self.attempt(consumers.resource_event(self.struck, msgspec.json.encode(look))))

    async def run(self, body: bytes) -> None:
        async def part() -> None:
            context = await serve(self.struck, self.tenant.tenant_id)
            await scan_part(context, body, self.at)

        await self.attempt(part())

    async def attempt(self, work: Coroutine[Any, Any, Any]) -> None:
        """Dead or not, the next step is later than any lease."""
        with contextlib.suppress(DriftError):  # the host brings the message again
            await self.struck.survives(work)
        self.at += AGAIN
        known = {one["resourceId"].rsplit("/", 1)[1] for one in await self.tenant.findings()}
        assert known <= self.world.once  # I01: never anything that never was

    def teardown(self) -> None:
        self.do(self.converge())

    async def converge(self) -> None:
        self.struck.line.clear()
        await self.tenant.azure.clear_faults()
        for body in self.messages:
            context = await serve(self.struck, self.tenant.tenant_id)
            await scan_part(context, body, self.at)
            self.at += AGAIN
        await settle_down(self.tenant)
        assert (await self.world.scan_at(self.at))["status"] == "complete"
        await self.world.expect_found()
        told: Counter[str] = Counter()
        for notice in await self.tenant.notices():
            assert notice["outcome"] == "delivered"
            told.update(finding for finding, event in notice["events"] if event == "opened")
        assert max(told.values(), default=1) == 1
        await self.world.expect_quiet(self.at + AGAIN)


async def try_all(new_tenant: NewTenant, struck: StruckDeployment, *, thoroughly: bool) -> None:
    async def make() -> World:
        world = World(await new_tenant(), ACCOUNTS)
        await world.begin()
        return world

    machine = type("Machine", (Pairs,), {"struck": struck, "make": staticmethod(make)})
    machine.loop = asyncio.get_running_loop()
    how = settings(
        max_examples=30 if thoroughly else 2,
        stateful_step_count=14 if thoroughly else 10,
        derandomize=not thoroughly,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    await asyncio.to_thread(run_state_machine_as_test, machine, settings=how)


async def test_pairs_of_faults_leave_no_trace(new_tenant: NewTenant, struck: StruckDeployment):
    await try_all(new_tenant, struck, thoroughly=False)


@pytest.mark.slow
@pytest.mark.timeout(900)  # thirty worlds of their own
async def test_many_pairs_of_faults_leave_no_trace(new_tenant: NewTenant, struck: StruckDeployment):
    await try_all(new_tenant, struck, thoroughly=True)
