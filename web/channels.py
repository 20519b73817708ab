"""Channels: where notices go outside the product, how that went, and when nothing is to be told."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import SecretStr

from api.access import Now
from api.channels import ChannelBody, TargetBody
from api.maintenance import WindowBody
from api.paging import Token, tenant_pager
from api.shapes import RowKey
from drift.channels import edits
from drift.channels.delivery import CLAIM
from drift.channels.model import (
    PAGING,
    Cadence,
    Channel,
    ChannelKind,
    Selection,
    Timing,
    Weekday,
)
from drift.channels.rows import (
    PENDING,
    get_channel,
    page_channels,
    page_deliveries,
    page_windows,
)
from drift.channels.targets import NEEDS, TAKES, Security
from drift.engine.findings import Event
from errors import Invalid
from tenancy.access import TenantContext
from web import dates
from web.access import Admin, Operator, Viewer
from web.findings import names_by_id
from web.forms import Form, TheForm, read
from web.rendering import go_to, render

router = APIRouter(prefix="/t/{tenant_id}/channels", include_in_schema=False)
PAGE = 50
LOG = 20  # deliveries shown of one channel
SOON = timedelta(seconds=30)


@router.get("")
async def list_channels(
    tenant: Viewer, request: Request, now: Now, token: Token = None
) -> Response:
    pager = await tenant_pager(request, tenant)
    channels, cursor = await page_channels(tenant.store, after=pager.start(token), limit=PAGE)
    windows, _ = await page_windows(tenant.store, after="", limit=edits.MOST_WINDOWS)
    return render(
        request,
        "channels.html",
        tenant,
        channels=channels,
        windows=sorted(windows, key=lambda one: one.window.starts_at),
        following=pager.link(cursor),
        today=dates.day_in(now, 0),
    )


@router.get("/new")
async def get_form(
    tenant: Viewer, request: Request, kind: ChannelKind = ChannelKind.WEBHOOK
) -> Response:
    """The form of one kind: what a channel needs differs."""
    return render(
        request,
        "channel_new.html",
        tenant,
        **await _choices(tenant),
        kind=kind,
        fields=fields_of(kind, tenant),
        selection=Selection(events=tuple(Event)) if kind in PAGING else Selection(),
        timing=Timing(),
        enabled=True,
        name="",
    )


@router.post("")
async def post(tenant: Admin, form: TheForm, now: Now) -> Response:
    body = _body(form, form.text("kind"))
    target = read(TargetBody, **_target(form)).to_target()
    wanted = replace(body.to_wanted(), target=target)
    stored = await edits.add_channel(tenant, wanted, now=now)
    return go_to(f"/t/{tenant.tenant.tenant_id}/channels/{stored.channel.channel_id}")


@router.post("/maintenance")
async def post_window(tenant: Operator, form: TheForm, now: Now) -> Response:
    body = read(
        WindowBody,
        name=form.text("name"),
        startsAt=_utc(form, "starts"),
        endsAt=_utc(form, "ends"),
        deployers=form.lines("deployers"),
    )
    await edits.add_window(tenant, body.name, body.starts_at, body.ends_at, body.deployers, now=now)
    return go_to(f"/t/{tenant.tenant.tenant_id}/channels")


@router.post("/maintenance/{window_id}/delete")
async def post_window_end(tenant: Operator, window_id: RowKey, form: TheForm, now: Now) -> Response:
    await edits.remove_window(tenant, window_id, etag=form.etag(), now=now)
    return go_to(f"/t/{tenant.tenant.tenant_id}/channels")


@router.get("/{channel_id}")
async def get(
    tenant: Viewer, channel_id: RowKey, request: Request, now: Now, token: Token = None
) -> Response:
    stored = await get_channel(tenant.store, channel_id)
    channel = stored.channel
    pager = await tenant_pager(request, tenant)
    deliveries, cursor = await page_deliveries(
        tenant.store, channel_id, after=pager.start(token), limit=LOG
    )
    choices = await _choices(tenant)
    return render(
        request,
        "channel.html",
        tenant,
        **choices,
        channel=channel,
        etag=stored.etag,
        kind=channel.kind,
        fields=fields_of(channel.kind, tenant),
        selection=channel.selection,
        timing=channel.timing,
        enabled=channel.enabled,
        name=channel.name,
        snoozed=_is_snoozed(channel, now),
        snoozes=dates.SNOOZES,
        deliveries=deliveries,
        moving=any(_moves(one.delivery.outcome, one.delivery.due_at, now) for one in deliveries),
        pending=PENDING,
        following=pager.link(cursor),
        newest=not token,
    )


@router.get("/{channel_id}/log")
async def get_log(tenant: Viewer, channel_id: RowKey, request: Request, now: Now) -> Response:
    """The newest deliveries by themselves, for a page that waits for one."""
    stored = await get_channel(tenant.store, channel_id)
    deliveries, _ = await page_deliveries(tenant.store, channel_id, after="", limit=LOG)
    return render(
        request,
        "parts/deliveries.html",
        tenant,
        channel=stored.channel,
        deliveries=deliveries,
        moving=any(_moves(one.delivery.outcome, one.delivery.due_at, now) for one in deliveries),
        pending=PENDING,
        newest=True,
    )


@router.post("/{channel_id}")
async def post_edit(tenant: Admin, channel_id: RowKey, form: TheForm, now: Now) -> Response:
    before = (await get_channel(tenant.store, channel_id)).channel
    wanted = _body(form, before.kind).to_wanted()
    await edits.change_channel(tenant, channel_id, wanted, etag=form.etag(), now=now)
    return _go_to_channel(tenant, channel_id)


@router.post("/{channel_id}/target")
async def post_target(tenant: Admin, channel_id: RowKey, form: TheForm, now: Now) -> Response:
    """Another address and other keys; all else stays."""
    known = (await get_channel(tenant.store, channel_id)).channel
    target = read(TargetBody, **_target(form)).to_target()
    wanted = edits.Wanted(
        known.name, known.kind, known.enabled, known.selection, known.timing, target
    )
    await edits.change_channel(tenant, channel_id, wanted, etag=form.etag(), now=now)
    return _go_to_channel(tenant, channel_id)


@router.post("/{channel_id}/test")
async def post_test(tenant: Admin, channel_id: RowKey, now: Now) -> Response:
    await edits.test_channel(tenant, channel_id, now=now)
    return _go_to_channel(tenant, channel_id)


@router.post("/{channel_id}/snooze")
async def post_snooze(tenant: Operator, channel_id: RowKey, form: TheForm, now: Now) -> Response:
    until = dates.read_snooze(form.text("hours"), now)
    etag = form.etag()
    await edits.snooze_channel(tenant, channel_id, until, etag=etag, now=now)
    return _go_to_channel(tenant, channel_id)


@router.post("/{channel_id}/delete")
async def post_deletion(tenant: Admin, channel_id: RowKey, form: TheForm, now: Now) -> Response:
    await edits.remove_channel(tenant, channel_id, etag=form.etag(), now=now)
    return go_to(f"/t/{tenant.tenant.tenant_id}/channels")


@router.post("/{channel_id}/deliveries/{delivery_id}/replay")
async def post_replay(tenant: Admin, channel_id: RowKey, delivery_id: RowKey, now: Now) -> Response:
    await edits.replay(tenant, channel_id, delivery_id, now=now)
    return _go_to_channel(tenant, channel_id)


def fields_of(kind: ChannelKind, tenant: TenantContext) -> tuple[str, ...]:
    """Which members of a target the form asks for, by the names of the API."""
    names = (*NEEDS[kind], *TAKES.get(kind, ()))
    if kind is ChannelKind.AZURE_MAIL:
        own = tenant.deployment.settings.mail_endpoint
        names = ("recipients",) if own else ("key", "sender", "recipients")
    return tuple({"signing_key": "signingKey"}.get(name, name) for name in names)


async def _choices(tenant: TenantContext) -> dict[str, Any]:
    return {
        "events": tuple(Event),
        "cadences": tuple(Cadence),
        "weekdays": tuple(Weekday),
        "securities": tuple(Security),
        "subscriptions": await names_by_id(tenant.store),
    }


def _body(form: Form, kind: str) -> ChannelBody:
    return read(
        ChannelBody,
        name=form.text("name"),
        kind=kind,
        enabled=form.text("enabled") == "yes",
        events=form.every("events"),
        severities=form.every("severities"),
        types=form.lines("types"),
        subscriptions=form.every("subscriptions"),
        tag=form.text("tag"),
        cadence=form.text("cadence"),
        at=form.text("at"),
        weekday=form.text("weekday"),
        zone=form.text("zone"),
        quietFrom=form.text("quietFrom"),
        quietUntil=form.text("quietUntil"),
        criticalPasses=form.text("criticalPasses") == "yes",
    )


def _target(form: Form) -> dict[str, object]:
    secret = {name: SecretStr(form.text(name)) for name in ("url", "key", "signingKey", "password")}
    said: dict[str, object] = {
        name: form.text(name) for name in ("host", "security", "username", "sender")
    }
    if form.text("port"):
        said["port"] = form.number("port")
    return {**secret, **said, "recipients": form.lines("recipients")}


def _utc(form: Form, name: str) -> datetime | None:
    """A day and a time of two fields, in UTC: the page says so."""
    day = dates.end_of_day(form.text(f"{name}Day"), field=f"{name}Day")
    if day is None:
        return None
    clock = form.text(f"{name}At")
    try:
        at = datetime.strptime(clock, "%H:%M")  # noqa: DTZ007 - only the time of day is taken
    except ValueError as error:
        raise Invalid(f"{name}At must be a time such as 18:00.", field=f"{name}At") from error
    return day.replace(hour=at.hour, minute=at.minute, second=0)


def _is_snoozed(channel: Channel, now: datetime) -> bool:
    return channel.snoozed_until is not None and channel.snoozed_until > now


def _moves(outcome: str, due_at: datetime, now: datetime) -> bool:
    """Whether a page that waits for it sees something soon. One that is being tried is due when its claim ends, and may
    have been claimed after this request came."""
    return outcome in PENDING and due_at <= now + CLAIM + SOON


def _go_to_channel(tenant: TenantContext, channel_id: str) -> Response:
    return go_to(f"/t/{tenant.tenant.tenant_id}/channels/{channel_id}")
