"""Receivers on this machine, and a tenant whose notices go there."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import Any

import pytest
import trustme

from drift.channels import delivery, posting
from drift.channels.rows import get_delivery
from tenancy.access import serve
from tenancy.ids import TenantId
from tests.drift.channels.receivers import Receiver, receiving
from tests.drift.watched import Watched

SIGNING_KEY = "whsec_" + base64.b64encode(b"k" * 32).decode()
AddChannel = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture(scope="session")
def authority(settings: Any) -> trustme.CA:
    """A CA that the product trusts as it trusts the system's."""
    made = trustme.CA()
    made.configure_trust(posting.trust())
    return made


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
def add_channel(tenant: Watched, receiver: Receiver) -> AddChannel:
    """A webhook to the receiver, unless something else is said."""

    async def add(**members: Any) -> dict[str, Any]:
        target = {"url": receiver.url, "signingKey": SIGNING_KEY}
        given = {"name": "hook", "kind": "webhook", "target": target} | members
        return dict(await tenant.api.request("POST", "/api/channels", given))

    return add


async def log_of(tenant: Watched, channel: dict[str, Any]) -> list[dict[str, Any]]:
    return list(await tenant.api.every(f"/api/channels/{channel['id']}/deliveries"))


async def deliver_at(tenant: Watched, delivery_id: str, moment: datetime) -> None:
    """As if the delivery's message came at that time."""
    context = await serve(tenant.host.deployment, TenantId(tenant.tenant_id))
    await delivery.deliver(context, delivery_id, clock=lambda: moment)


async def come(tenant: Watched, channel: dict[str, Any], moment: datetime) -> None:
    """As if it were that time: all that waits for a channel is reminded of, until nothing more moves."""
    before: list[Any] = []
    while (log := await log_of(tenant, channel)) != before:
        before = log
        for one in log:
            if one["outcome"] in {"held", "queued"}:
                await deliver_at(tenant, one["id"], moment)


async def due_of(tenant: Watched, delivery_id: str) -> datetime:
    context = await serve(tenant.host.deployment, TenantId(tenant.tenant_id))
    return (await get_delivery(context.store, delivery_id)).delivery.due_at


async def open_public_access(tenant: Watched, name: str = "alpha", **members: Any) -> None:
    """Rated high or worse: it is to be told."""
    edit = {"/properties/allowBlobPublicAccess": True}
    await tenant.azure.edit(tenant.account(name)["id"], set=edit, **members)
