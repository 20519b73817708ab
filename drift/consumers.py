"""From queue message to use-case. A message is only a reminder: everything is re-read, and the tenant first.

A tenant that is gone or suspended ends its messages quietly; anything else that fails is tried again by the host and at
last handed to the `fail_…` functions, which tell the tenant. They must not fail on what cannot be read, or the poison
queue would get a poison queue.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from datetime import UTC, datetime

import telemetry
from drift import endings, notices, scan
from drift.lease import TenantClosedError
from drift.messages import DeliverNotice, M, Message, ScanSubscription, ScanTenant, read_message
from errors import Conflict, Invalid, NotFound
from tenancy.access import TenantContext, serve
from tenancy.deployment import Deployment
from tenancy.ids import SubscriptionId, TenantId

logger = logging.getLogger(__name__)


async def scan_tenant(deployment: Deployment, body: bytes) -> None:
    message = read_message(body, ScanTenant)
    with _received(telemetry.SCAN_TENANT, message, scan_id=message.scan_id):
        context = await _served(deployment, message)
        if context:
            async with _counted(context):
                await scan.scan_tenant(context, message.scan_id, now=_now())


async def scan_subscription(deployment: Deployment, body: bytes) -> None:
    message = read_message(body, ScanSubscription)
    subscription_id = SubscriptionId(message.subscription_id)
    ids = {"scan_id": message.scan_id, "subscription_id": message.subscription_id}
    with _received(telemetry.SCAN_SUBSCRIPTION, message, **ids):
        context = await _served(deployment, message)
        if context is None:
            return
        try:
            async with _counted(context):
                await scan.scan_subscription(context, message.scan_id, subscription_id, clock=_now)
        except TenantClosedError:
            extra = {"tenant_id": message.tenant_id, "scan_id": message.scan_id}
            logger.info("scan of a closed tenant stopped", extra=extra)


async def deliver_notice(deployment: Deployment, body: bytes) -> None:
    message = read_message(body, DeliverNotice)
    with _received(telemetry.DELIVER_NOTICE, message, notice_id=message.notice_id):
        context = await _served(deployment, message)
        if context:
            async with _counted(context):
                await notices.deliver(context, message.notice_id)


async def fail_scan(deployment: Deployment, body: bytes) -> None:
    message = _poison(body, ScanTenant)
    if message is None:
        return
    with _received(telemetry.GIVE_UP, message):
        context = await _served(deployment, message)
        if context:
            await endings.fail_scan(context, message.scan_id, now=_now())


async def fail_subscription(deployment: Deployment, body: bytes) -> None:
    message = _poison(body, ScanSubscription)
    if message is None:
        return
    with _received(telemetry.GIVE_UP, message):
        context = await _served(deployment, message)
        if context:
            subscription_id = SubscriptionId(message.subscription_id)
            await endings.fail_subscription(context, message.scan_id, subscription_id, now=_now())


async def fail_notice(deployment: Deployment, body: bytes) -> None:
    message = _poison(body, DeliverNotice)
    if message is None:
        return
    with _received(telemetry.GIVE_UP, message):
        context = await _served(deployment, message)
        if context:
            reason = "It could not be delivered in five tries."
            await notices.fail(context, message.notice_id, reason)


def _received(
    step: telemetry.Step, message: Message, **ids: str
) -> AbstractContextManager[telemetry.Noted]:
    """The span of a message, in the trace of what sent it; one of before there were traces begins its own."""
    return telemetry.span(step, parent=message.traceparent, tenant_id=message.tenant_id, **ids)


@asynccontextmanager
async def _counted(context: TenantContext) -> AsyncIterator[None]:
    """Whatever comes of the message: what it used is written. Of a tenant that was closed meanwhile nothing is."""
    usage = context.deployment.usage
    try:
        yield
    except TenantClosedError:
        usage.forget(context.tenant.tenant_id)
        raise
    finally:
        await usage.write(context.store)


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
