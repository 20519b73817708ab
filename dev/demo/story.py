"""What the demo does, step by step, through the product's own HTTP API and queues; only the edits go to the simulated
Azure's admin."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from dev.azure.admin import AzureAdmin
from dev.demo.client import Product, principal_header
from dev.demo.edits import EDITS, Edit
from dev.demo.organisations import ORGANISATIONS, Organisation, furnish
from dev.demo.people import operator
from dev.demo.receiver import Received, Receiver

Tell = Callable[[str], None]
NOTICE_SECONDS = 30
CHANNEL = "Receiver of the demo"


@dataclass(frozen=True, slots=True)
class Report:
    """What the product found in one organisation."""

    organisation: Organisation
    tenant_id: str
    resources: int
    findings: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    reports: tuple[Report, ...]
    silent: tuple[str, ...]  # edits that are no drift and were not reported
    missed: tuple[str, ...]  # edits that should have been found and were not, or not exactly
    false: tuple[str, ...]  # what was reported and nobody did
    notices: tuple[Received, ...]  # that came to the receiver, signed


class StoryError(Exception):
    """The demo cannot go on; the message says why."""


async def tell_story(
    url: str, admin_url: str, platform_directory: str, receiver: Receiver, tell: Tell
) -> Outcome:
    """Onboards two tenants, takes baselines, lets Azure drift, scans again, reads the findings and waits until each
    tenant's channel has told `receiver`."""
    async with (
        AzureAdmin(admin_url) as azure,
        Product(url, operator(platform_directory)) as platform,
    ):
        await azure.settings(
            quota=1000
        )  # Azure allows 15 queries in 5 s; nobody should wait in a demo
        tenants = {}
        for organisation in ORGANISATIONS:
            count = await furnish(azure, organisation)
            tell(f"{organisation.name}: {count} resources in the simulated Azure; onboarding")
            tenants[organisation.name] = await onboard(platform, organisation)
        for organisation in ORGANISATIONS:
            async with sign_in(url, organisation, tenants[organisation.name]) as product:
                await add_colleagues(product, organisation)
                await add_channel(product, receiver)
                await take_baselines(product, organisation, tell)
        touched = [await apply(azure, edit) for edit in EDITS]
        tell(f"{len(EDITS)} edits made in the simulated Azure; scanning again")
        reports = []
        for organisation in ORGANISATIONS:
            async with sign_in(url, organisation, tenants[organisation.name]) as product:
                reports.append(await scan_again(product, organisation, tenants, tell))
        await wait_for_notices(receiver, reports)
    return judge(tuple(reports), list(zip(EDITS, touched, strict=True)), receiver.notices)


async def onboard(platform: Product, organisation: Organisation) -> str:
    tenant = await platform.request(
        "POST",
        "/api/tenants",
        {
            "name": organisation.name,
            "azureTenantId": organisation.directory_id,
            "admin": {
                "directoryId": organisation.directory_id,
                "objectId": organisation.admin_object_id,
                "name": organisation.admin,
            },
            "connection": {
                "kind": "client_secret",
                "directoryId": organisation.directory_id,
                "clientId": organisation.client_id,
                "secret": organisation.secret,
            },
        },
    )
    return str(tenant["id"])


def sign_in(url: str, organisation: Organisation, tenant_id: str) -> Product:
    header = principal_header(
        organisation.directory_id, organisation.admin_object_id, organisation.admin
    )
    return Product(url, header, tenant_id)


async def add_colleagues(product: Product, organisation: Organisation) -> None:
    for object_id, name, role in organisation.colleagues:
        body = {"directoryId": organisation.directory_id, "objectId": object_id}
        await product.request("POST", "/api/users", {**body, "name": name, "role": role})


async def add_channel(product: Product, receiver: Receiver) -> None:
    target = {"url": receiver.url, "signingKey": receiver.signing_key}
    body = {"name": CHANNEL, "kind": "webhook", "target": target}
    await product.request("POST", "/api/channels", body)


async def wait_for_notices(receiver: Receiver, reports: Sequence[Report]) -> None:
    """Until each tenant was told of all that its channel wants. Raises StoryError."""
    wanted = {report.organisation.name: _loud(report) for report in reports}
    deadline = time.monotonic() + NOTICE_SECONDS
    while (told := _told(receiver)) != wanted:
        if time.monotonic() > deadline:
            raise StoryError(f"The receiver was told of {told} findings, not of {wanted}.")
        await asyncio.sleep(0.05)


def _loud(report: Report) -> int:
    """How many findings a channel is told of that was made without a word about severities."""
    return sum(finding["severity"] in {"critical", "high"} for finding in report.findings)


def _told(receiver: Receiver) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for notice in receiver.notices:
        counts[notice.tenant] += notice.total
    return dict(counts)


async def take_baselines(product: Product, organisation: Organisation, tell: Tell) -> None:
    lines = (await product.request("POST", "/api/connection/test"))["value"]
    for line in lines:
        if not line["ok"]:
            raise StoryError(f"{organisation.name}: {line['step']}: {line['detail']}")
    await _scan(product, organisation, tell)
    for subscription in await product.every("/api/subscriptions"):
        body = {"subscriptionId": subscription["id"], "name": "as agreed", "note": "first baseline"}
        baseline = await product.request("POST", "/api/baselines", body)
        tell(
            f"{organisation.name}: baseline 1 of {subscription['name']}, "
            f"{baseline['resources']} resources"
        )


async def apply(azure: AzureAdmin, edit: Edit) -> str:
    """Makes one edit and returns the id of the resource it touched."""
    subscription_id = edit.organisation.subscriptions[edit.subscription][0]
    kind, number = edit.target
    candidates = [one for one in await azure.resources(subscription_id) if one["type"] == kind]
    document = candidates[number]
    order = dict(edit.order(document))
    if edit.by:
        order["actor"] = {"changedBy": edit.by, **edit.through}
    resource_id = "" if "create" in order else str(document["id"])
    return await azure.edit(resource_id, **order)


async def scan_again(
    product: Product, organisation: Organisation, tenants: dict[str, str], tell: Tell
) -> Report:
    scan = await _scan(product, organisation, tell)
    findings = await product.every("/api/findings?status=open&status=reopened")
    resources = sum(part["resources"] for part in scan["parts"])
    return Report(organisation, tenants[organisation.name], resources, tuple(findings))


async def _scan(product: Product, organisation: Organisation, tell: Tell) -> dict[str, Any]:
    scan = await product.scan()
    if scan["status"] != "complete":
        reasons = [part["reason"] for part in scan["parts"]] or [scan["reason"]]
        raise StoryError(f"{organisation.name}: the scan is {scan['status']}: {'; '.join(reasons)}")
    tell(f"{organisation.name}: scanned {len(scan['parts'])} subscriptions completely")
    return scan


def judge(
    reports: tuple[Report, ...], edits: list[tuple[Edit, str]], notices: tuple[Received, ...]
) -> Outcome:
    """Holds what was found against the script: every drift exactly, and nothing else."""
    found = {
        finding["resourceId"].lower(): frozenset(change["path"] for change in finding["changes"])
        for report in reports
        for finding in report.findings
    }
    expected = {resource_id.lower(): edit for edit, resource_id in edits if edit.paths}
    return Outcome(
        reports,
        silent=tuple(
            edit.title
            for edit, resource_id in edits
            if not edit.paths and resource_id.lower() not in found
        ),
        missed=tuple(
            edit.title
            for resource_id, edit in expected.items()
            if found.get(resource_id) != edit.paths
        ),
        false=tuple(sorted(resource_id for resource_id in found if resource_id not in expected)),
        notices=notices,
    )
