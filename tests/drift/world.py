"""What there is to find: an oracle that knows the simulated world, and never looks at the product's rows."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

import msgspec

from drift import scan
from drift.engine.model import Severity
from errors import Stale
from tenancy.access import TenantContext, serve
from tenancy.ids import SubscriptionId
from tests.drift.watched import Watched

TLS = "/properties/minimumTlsVersion"


async def scan_part(context: TenantContext, body: bytes, at: datetime) -> None:
    """What the consumer does with a message, at a moment of the test's own."""
    message = msgspec.json.decode(body)
    await scan.scan_subscription(
        context,
        message["scan_id"],
        SubscriptionId(message["subscription_id"]),
        clock=lambda: at,
    )


async def settle_down(tenant: Watched) -> None:
    """Two messages for one notice may meet: one finds it changed, and delivered when it comes again."""
    assert {type(error) for error in await tenant.host.drain()} <= {Stale}


class World:
    """Storage accounts of one tenant; each differs from the baseline in one way, or not at all."""

    def __init__(self, tenant: Watched, count: int) -> None:
        self.tenant = tenant
        self.names = [f"account{number:03d}" for number in range(count)]
        self.differs: dict[str, str] = {}  # name -> added, removed or modified
        self.once: set[str] = set()  # what differed at any time

    async def begin(self) -> None:
        """Scanned once, and that is the baseline."""
        await self.tenant.add(*(self.tenant.account(name) for name in self.names))
        await self.tenant.change_settings(notify=[severity.value for severity in Severity])
        assert (await self.tenant.scan())["status"] == "complete"
        await self.tenant.capture()

    def id_of(self, name: str) -> str:
        return str(self.tenant.account(name)["id"])

    async def modify(self, name: str) -> None:
        await self.tenant.azure.edit(self.id_of(name), set={TLS: "TLS1_0"})
        self._note(name, "modified")

    async def delete(self, name: str) -> None:
        await self.tenant.azure.edit(self.id_of(name), delete=True)
        self._note(name, "removed")

    async def add(self, name: str) -> None:
        await self.tenant.azure.edit(create=self.tenant.account(name))
        self._note(name, "added")

    async def restore(self, name: str) -> None:
        """As the baseline has it."""
        if self.differs.pop(name) == "added":
            await self.tenant.azure.edit(self.id_of(name), delete=True)
        else:
            await self.tenant.azure.edit(create=self.tenant.account(name))

    async def change(self, number: int) -> str:
        """Another one in each round, in another way."""
        name = self.names[number]
        if number % 3 == 0:
            await self.modify(name)
        elif number % 3 == 1:
            await self.delete(name)
        else:
            name = f"new{number:03d}"
            await self.add(name)
        return name

    def _note(self, name: str, change: str) -> None:
        self.differs[name] = change
        self.once.add(name)

    async def expect_found(self) -> None:
        """I04 I10 I20: each difference is one open, confirmed finding, and nothing else is open."""
        found = {self._name(one): one for one in await self.tenant.findings()}
        open_ones = {
            name: one["change"] for name, one in found.items() if one["status"] != "resolved"
        }
        assert open_ones == self.differs
        for name in open_ones:
            assert found[name]["evidence"] == "confirmed", name
        assert set(found) <= self.once  # I01: nothing was ever told that never was

    async def expect_told_once(self) -> None:
        """I04 I16: of all the findings each opening is told once, and delivered."""
        names = {one["id"]: self._name(one) for one in await self.tenant.findings()}
        told: Counter[str] = Counter()
        for notice in await self.tenant.notices():
            assert notice["outcome"] == "delivered"
            told.update(names[finding] for finding, event in notice["events"] if event == "opened")
        assert told == dict.fromkeys(self.once, 1)

    async def scan_at(self, moment: datetime) -> dict[str, Any]:
        """The part of a scan without faults, at a moment that may be ahead of the clock."""
        scan_id, (body,) = await self.tenant.fan_out()
        context = await serve(self.tenant.host.deployment, self.tenant.tenant_id)
        await scan_part(context, body, moment)
        await settle_down(self.tenant)
        (part,) = (await self.tenant.read_scan(scan_id))["parts"]
        return dict(part)

    async def expect_quiet(self, moment: datetime) -> None:
        """I20: a scan without faults finds nothing that is not known."""
        tables = ("finding", "notice", "pack", "configurationhistory")
        before = await self.tenant.etags(*tables)
        part = await self.scan_at(moment)
        assert (part["status"], part["changed"]) == ("complete", 0)
        assert await self.tenant.etags(*tables) == before

    @staticmethod
    def _name(finding: dict[str, Any]) -> str:
        return str(finding["resourceId"]).rsplit("/", 1)[1]
