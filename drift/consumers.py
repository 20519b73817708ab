"""From queue message to use-case. A message is only a reminder: everything is re-read, and the tenant first.

A tenant that is gone or suspended ends its messages quietly; anything else that fails is tried again by the host and at
last handed to the `fail_…` functions, which tell the tenant. They must not fail on what cannot be read, or the poison
queue would get a poison queue.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec

import telemetry
from drift import endings, erasure, hints, notices, scan, upkeep
from drift.backups import running
from drift.channels import delivery
from drift.channels.rows import DELIVERY
from drift.lease import TenantClosedError
from drift.messages import (
    DeliverNotice,
    EraseTenant,
    KeepTenant,
    M,
    Message,
    ResourceEvent,
    RunJob,
    ScanSubscription,
    ScanTenant,
    TooNew,
    read_event,
    read_message,
)
from errors import Conflict, Invalid, NotFound
from tenancy.access import TenantContext, serve
from tenancy.deployment import Deployment
from tenancy.ids import SubscriptionId, TenantId
from tenancy.queues import Queue

logger = logging.getLogger(__name__)

PARKED_SECONDS = 600
MOST_PARKED = 144  # for a day: an upgrade is over by then, or was given up


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
                await _deliver(context, message.notice_id)


async def _deliver(context: TenantContext, notice_id: str) -> None:
    if notice_id.startswith(DELIVERY):  # to a channel outside
        await delivery.deliver(context, notice_id.removeprefix(DELIVERY), clock=_now)
        return
    await notices.deliver(context, notice_id)


async def resource_event(deployment: Deployment, body: bytes) -> None:
    event = read_event(body)
    if isinstance(event, ResourceEvent):
        # Whose it is, is found out; each look is a span of its own.
        with telemetry.span(telemetry.RESOURCE_EVENTS, parent=""):
            await hints.take_event(deployment, event, now=_now())
        return
    with _received(telemetry.RESOURCE_EVENTS, event):
        context = await _served(deployment, event)
        if context:
            async with _counted(context):
                await hints.recheck(context, event, clock=_now)


async def keep_tenant(deployment: Deployment, body: bytes) -> None:
    message = read_message(body, KeepTenant)
    with _received(telemetry.KEEP_TENANT, message):
        context = await _served(deployment, message)
        if context:
            await upkeep.keep(context, clock=_now)


async def erase_tenant(deployment: Deployment, body: bytes) -> None:
    message = read_message(body, EraseTenant)
    with _received(telemetry.ERASE_TENANT, message):
        await erasure.erase(deployment, TenantId(message.tenant_id), clock=_now)


async def run_job(deployment: Deployment, body: bytes) -> None:
    message = read_message(body, RunJob)
    with _received(telemetry.RUN_JOB, message, job=message.job):
        context = await _served(deployment, message, restoring=True)
        if context:
            await running.run_job(context, message.job, clock=_now)


async def fail_scan(deployment: Deployment, body: bytes) -> None:
    async def tell(context: TenantContext, message: ScanTenant) -> None:
        await endings.fail_scan(context, message.scan_id, now=_now())

    await _give_up(deployment, Queue.SCAN_TENANT, body, ScanTenant, tell)


async def fail_subscription(deployment: Deployment, body: bytes) -> None:
    async def tell(context: TenantContext, message: ScanSubscription) -> None:
        subscription_id = SubscriptionId(message.subscription_id)
        await endings.fail_subscription(context, message.scan_id, subscription_id, now=_now())

    await _give_up(deployment, Queue.SCAN_SUBSCRIPTION, body, ScanSubscription, tell)


async def fail_notice(deployment: Deployment, body: bytes) -> None:
    async def tell(context: TenantContext, message: DeliverNotice) -> None:
        reason = "It could not be delivered in five tries."
        if message.notice_id.startswith(DELIVERY):
            delivery_id = message.notice_id.removeprefix(DELIVERY)
            await delivery.fail(context, delivery_id, reason, now=_now())
            return
        await notices.fail(context, message.notice_id, reason)

    await _give_up(deployment, Queue.NOTICES, body, DeliverNotice, tell)


async def fail_event(_: Deployment, __: bytes) -> None:
    """Nothing is lost: what the event spoke of is read by the next scan."""
    with telemetry.span(telemetry.GIVE_UP, parent=""):
        logger.error("poison message", extra={"kind": ResourceEvent.__name__})  # raises an alert


async def fail_upkeep(deployment: Deployment, body: bytes) -> None:
    async def tell(context: TenantContext, _: KeepTenant) -> None:
        await upkeep.give_up(context, now=_now())

    await _give_up(deployment, Queue.KEEP_TENANT, body, KeepTenant, tell)


async def fail_erasure(deployment: Deployment, body: bytes) -> None:
    """Its tenant is served no more; the record of the erasure is the platform's."""
    message = await _poison(deployment, Queue.ERASE_TENANT, body, EraseTenant)
    if message is None:
        return
    with _received(telemetry.GIVE_UP, message):
        await erasure.give_up(deployment, TenantId(message.tenant_id))


async def fail_job(deployment: Deployment, body: bytes) -> None:
    async def tell(context: TenantContext, message: RunJob) -> None:
        await running.give_up(context, message.job, clock=_now)

    await _give_up(deployment, Queue.JOBS, body, RunJob, tell, restoring=True)


async def _give_up(
    deployment: Deployment,
    queue: Queue,
    body: bytes,
    shape: type[M],
    tell: Callable[[TenantContext, M], Awaitable[None]],
    *,
    restoring: bool = False,
) -> None:
    """A message that nobody could carry out: its tenant is told, if it is served still."""
    message = await _poison(deployment, queue, body, shape)
    if message is None:
        return
    with _received(telemetry.GIVE_UP, message):
        context = await _served(deployment, message, restoring=restoring)
        if context:
            await tell(context, message)


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


async def _served(
    deployment: Deployment, message: Message, *, restoring: bool = False
) -> TenantContext | None:
    try:
        return await serve(deployment, TenantId(message.tenant_id), restoring=restoring)
    except (NotFound, Conflict):
        logger.info("message of a closed tenant dropped", extra={"tenant_id": message.tenant_id})
        return None


async def _poison(deployment: Deployment, queue: Queue, body: bytes, shape: type[M]) -> M | None:
    """The message that nobody could carry out, or None for one that nobody can read. One that a newer version of the
    app sent waits for an instance of that version: while an upgrade is under way both take from the queue."""
    logger.error("poison message", extra={"kind": shape.__name__})  # raises an alert
    try:
        return read_message(body, shape)
    except TooNew:
        await _park(deployment, queue, msgspec.json.decode(body))
    except Invalid as error:
        logger.error("poison message cannot be read", extra={"reason": error.message})  # noqa: TRY400
    return None


async def _park(deployment: Deployment, queue: Queue, message: dict[str, Any]) -> None:
    times = message.get("parked", 0) + 1
    if times > MOST_PARKED:
        logger.error("message of a newer version given up", extra={"queue": queue.value})
        return
    logger.warning("message of a newer version parked", extra={"queue": queue.value})
    await deployment.queues.send(queue, message | {"parked": times}, delay=PARKED_SECONDS)


def _now() -> datetime:
    return datetime.now(UTC)
