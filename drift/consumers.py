"""From queue message to use-case. A message is only a reminder: everything is re-read, and the tenant first.

A tenant that is gone or suspended ends its messages quietly; anything else that fails is tried again by the host and at
last handed to the `fail_…` functions, which tell the tenant. They must not fail on what cannot be read, or the poison
queue would get a poison queue.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from drift import endings, notices, scan
from drift.channels import delivery
from drift.channels.rows import DELIVERY
from drift.lease import TenantClosedError
from drift.messages import DeliverNotice, M, Message, ScanSubscription, ScanTenant, read_message
from errors import Conflict, Invalid, NotFound
from tenancy.access import TenantContext, serve
from tenancy.deployment import Deployment
from tenancy.ids import SubscriptionId, TenantId

logger = logging.getLogger(__name__)


async def scan_tenant(deployment: Deployment, body: bytes) -> None:
    message = read_message(body, ScanTenant)
    context = await _served(deployment, message)
    if context:
        await scan.scan_tenant(context, message.scan_id, now=_now())


async def scan_subscription(deployment: Deployment, body: bytes) -> None:
    message = read_message(body, ScanSubscription)
    context = await _served(deployment, message)
    if context is None:
        return
    subscription_id = SubscriptionId(message.subscription_id)
    try:
        await scan.scan_subscription(context, message.scan_id, subscription_id, clock=_now)
    except TenantClosedError:
        extra = {"tenant_id": message.tenant_id, "scan_id": message.scan_id}
        logger.info("scan of a closed tenant stopped", extra=extra)


async def deliver_notice(deployment: Deployment, body: bytes) -> None:
    message = read_message(body, DeliverNotice)
    context = await _served(deployment, message)
    if context is None:
        return
    if message.notice_id.startswith(DELIVERY):  # to a channel outside
        delivery_id = message.notice_id.removeprefix(DELIVERY)
        await delivery.deliver(context, delivery_id, clock=_now)
        return
    await notices.deliver(context, message.notice_id)


async def fail_scan(deployment: Deployment, body: bytes) -> None:
    message = _poison(body, ScanTenant)
    context = await _served(deployment, message) if message else None
    if message and context:
        await endings.fail_scan(context, message.scan_id, now=_now())


async def fail_subscription(deployment: Deployment, body: bytes) -> None:
    message = _poison(body, ScanSubscription)
    context = await _served(deployment, message) if message else None
    if message and context:
        subscription_id = SubscriptionId(message.subscription_id)
        await endings.fail_subscription(context, message.scan_id, subscription_id, now=_now())


async def fail_notice(deployment: Deployment, body: bytes) -> None:
    message = _poison(body, DeliverNotice)
    context = await _served(deployment, message) if message else None
    if message is None or context is None:
        return
    reason = "It could not be delivered in five tries."
    if message.notice_id.startswith(DELIVERY):
        delivery_id = message.notice_id.removeprefix(DELIVERY)
        await delivery.fail(context, delivery_id, reason, now=_now())
        return
    await notices.fail(context, message.notice_id, reason)


async def _served(deployment: Deployment, message: Message) -> TenantContext | None:
    try:
        return await serve(deployment, TenantId(message.tenant_id))
    except (NotFound, Conflict):
        logger.info("message of a closed tenant dropped", extra={"tenant_id": message.tenant_id})
        return None


def _poison(body: bytes, shape: type[M]) -> M | None:
    logger.error("poison message", extra={"kind": shape.__name__})  # raises an alert
    try:
        return read_message(body, shape)
    except Invalid as error:
        logger.error("poison message cannot be read", extra={"reason": error.message})  # noqa: TRY400
        return None


def _now() -> datetime:
    return datetime.now(UTC)
