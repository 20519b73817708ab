"""Real processes, killed by SIGKILL in the middle of their work: nothing is lost and nothing is told twice.

I04 I06 I16 I20, fault 16. It takes as long as the lease that a killed scan leaves behind, so it is not for every day.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections import Counter
from contextlib import AsyncExitStack
from typing import Any

import pytest

from dev.azure.admin import AzureAdmin
from dev.demo.client import ENDED, Product, principal_header
from dev.stack import LocalStack
from tests.conftest import Organisation

TENANTS, ACCOUNTS, KILLS = 3, 12, 4
SECONDS = 500  # a lease of 300, the message's own delay, and the scan
SEED = 20261127


def account(subscription_id: str, number: int) -> dict[str, Any]:
    group = f"/subscriptions/{subscription_id}/resourceGroups/shop"
    return {
        "id": f"{group}/providers/Microsoft.Storage/storageAccounts/account{number:02d}",
        "name": f"account{number:02d}",
        "type": "Microsoft.Storage/storageAccounts",
        "location": "westeurope",
        "kind": "StorageV2",
        "sku": {"name": "Standard_LRS", "tier": "Standard"},
        "properties": {"provisioningState": "Succeeded", "minimumTlsVersion": "TLS1_2"},
    }


class Killed:
    """A deployment whose only instance is killed again and again."""

    def __init__(self, stack: LocalStack, azure: AzureAdmin) -> None:
        self.stack = stack
        self.azure = azure
        self.tenants: list[tuple[Organisation, str]] = []

    async def onboard(self) -> None:
        organisation = Organisation(*(str(uuid.uuid4()) for _ in range(6)))
        reader = {
            "clientId": organisation.client_id,
            "objectId": organisation.object_id,
            "name": "reader",
            "secrets": [organisation.secret],
        }
        directory, subscription = organisation.directory_id, organisation.subscription_id
        await self.azure.put_directory(directory, name="test", applications=[reader])
        await self.azure.put_subscription(
            subscription, directory_id=directory, readers=[organisation.object_id]
        )
        await self.azure.add_resources(account(subscription, one) for one in range(ACCOUNTS))
        platform = self.stack.environment()["DRIFT_PLATFORM_DIRECTORY_ID"]
        header = principal_header(platform, str(uuid.uuid4()), "Pia", "Platform.Operator")
        async with Product(self.stack.url, header) as operator:
            made = await operator.request("POST", "/api/tenants", organisation.tenant_body())
        self.tenants.append((organisation, made["id"]))

    def product(self, number: int) -> Product:
        organisation, tenant_id = self.tenants[number]
        return Product(self.stack.url, organisation.admin_header, tenant_id)

    async def each(self, method: str, path: str) -> list[dict[str, Any]]:
        async with AsyncExitStack() as opened:
            found = []
            for number in range(TENANTS):
                product = await opened.enter_async_context(self.product(number))
                body = None
                if path == "/api/baselines":
                    subscription = self.tenants[number][0].subscription_id
                    body = {"subscriptionId": subscription, "name": "agreed"}
                found.append(await product.request(method, path, body))
            return found

    async def scan_to_the_end(self) -> list[dict[str, Any]]:
        started = await self.each("POST", "/api/scans")
        return await self.wait([one["id"] for one in started])

    async def wait(self, scans: list[str]) -> list[dict[str, Any]]:
        """Until the newest scan of each tenant has ended."""
        async with asyncio.timeout(SECONDS):
            found: list[dict[str, Any]] = []
            for number, scan_id in enumerate(scans):
                async with self.product(number) as product:
                    while True:
                        read = await product.request("GET", f"/api/scans/{scan_id}")
                        if read["status"] in ENDED:
                            break
                        await asyncio.sleep(0.5)
                found.append(read)
            return found

    async def kill_after(self, requests: int) -> None:
        """SIGKILL, once Azure was asked so often."""
        async with asyncio.timeout(60):
            while True:
                counts: Any = (await self.azure.requests())["counts"]
                if sum(counts.values()) >= requests:
                    break
                await asyncio.sleep(0.01)
        await asyncio.to_thread(self.stack.kill_host)
        await asyncio.to_thread(self.stack.start_host)


async def openings(product: Product) -> Counter[str]:
    told: Counter[str] = Counter()
    for notice in await product.every("/api/notices"):
        assert notice["outcome"] == "delivered"
        told.update(finding for finding, event in notice["events"] if event == "opened")
    return told


@pytest.mark.slow
async def test_killed_instances_lose_nothing_and_tell_nothing_twice() -> None:
    chance = random.Random(SEED)
    with LocalStack(lease=3.0) as stack:
        async with AzureAdmin(stack.admin_url) as azure:
            product = Killed(stack, azure)
            for _ in range(TENANTS):
                await product.onboard()
            assert {one["status"] for one in await product.scan_to_the_end()} == {"complete"}
            await product.each("POST", "/api/baselines")
            for number in range(KILLS):
                for organisation, _ in product.tenants:
                    changed = account(organisation.subscription_id, number)["id"]
                    await azure.edit(changed, set={"/properties/minimumTlsVersion": "TLS1_0"})
                await azure.clear_requests()
                started = [one["id"] for one in await product.each("POST", "/api/scans")]
                await product.kill_after(chance.randint(1, 8 * TENANTS))
            # Every scan that was begun ends, the killed ones too.
            assert {one["status"] for one in await product.wait(started)} == {"complete"}
            assert {one["status"] for one in await product.scan_to_the_end()} == {"complete"}
            for number in range(TENANTS):
                async with product.product(number) as api:
                    findings = await api.every("/api/findings")
                    assert len(findings) == KILLS
                    assert {(one["status"], one["evidence"]) for one in findings} == {
                        ("open", "confirmed")
                    }
                    assert await openings(api) == {one["id"]: 1 for one in findings}
                    scans = await api.every("/api/scans")
                    assert {one["status"] for one in scans} == {"complete"}
