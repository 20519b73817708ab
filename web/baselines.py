"""Baselines: what each subscription should look like; versions, how two differ, and which one counts."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from api.access import Now
from api.baselines import BaselineBody, EditBody
from api.paging import Token, tenant_pager
from api.shapes import Key, RowKey
from drift.baseline_documents import get_document, page_differences, page_resources, upload
from drift.baseline_edits import edit_baseline
from drift.baselines import activate, capture, delete, get_baseline, page_baselines
from drift.engine.model import ResourceKey
from drift.subscriptions import get_subscription, subscriptions
from errors import Invalid
from web.access import Operator, Viewer
from web.approvals import pending
from web.forms import Form, TheForm, read
from web.rendering import go_to, render

router = APIRouter(prefix="/t/{tenant_id}/baselines", include_in_schema=False)
PAGE = 100
DIFFERENCES = 50


@router.get("")
async def list_baselines(tenant: Viewer, request: Request, token: Token = None) -> Response:
    """By subscription, newest version first."""
    pager = await tenant_pager(request, tenant)
    rows, cursor = await page_baselines(tenant.store, after=pager.start(token), limit=PAGE)
    known = [one async for one in subscriptions(tenant.store)]
    return render(
        request,
        "baselines.html",
        tenant,
        rows=rows,
        subscriptions=known,
        active={one.active_baseline for one in known},
        waiting=await pending(tenant.store, known),
        me=tenant.actor.key,
        following=pager.link(cursor),
    )


@router.post("")
async def post(tenant: Operator, form: TheForm, now: Now) -> Response:
    """A new version of what was read last, or of an inventory that somebody brings."""
    inventory = _inventory(form)
    body = read(
        BaselineBody,
        source="upload" if inventory is not None else "live",
        subscriptionId=form.text("subscriptionId"),
        name=form.text("name"),
        note=form.text("note"),
        activate=form.text("activate") == "yes",
        resources=inventory,
    )
    if body.resources is not None:
        made = await upload(tenant, body.to_new(now), body.resources)
    else:
        made = await capture(tenant, body.to_new(now))
    return go_to(f"/t/{tenant.tenant.tenant_id}/baselines/{made.baseline_id}")


def _inventory(form: Form) -> list[dict[str, Any]] | None:
    """The documents of an upload, None for a capture. What `az graph query` wraps them in is taken off."""
    if form.text("source") != "upload":
        return None
    found = form.json("inventory")
    if isinstance(found, dict):
        found = found.get("data", found.get("value"))
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise Invalid("The inventory must be a list of ARM documents.", field="inventory")
    return found


@router.get("/{baseline_id}")
async def get(
    tenant: Viewer, baseline_id: RowKey, request: Request, token: Token = None
) -> Response:
    pager = await tenant_pager(request, tenant)
    baseline = await get_baseline(tenant.store, baseline_id)
    subscription = await get_subscription(tenant.store, baseline.subscription_id)
    start = pager.start(token)
    resources, cursor = await page_resources(tenant.store, baseline_id, after=start, limit=PAGE)
    others, _ = await page_baselines(
        tenant.store, subscription_id=baseline.subscription_id, after="", limit=PAGE
    )
    return render(
        request,
        "baseline.html",
        tenant,
        baseline=baseline,
        subscription=subscription,
        active=subscription.active_baseline == baseline_id,
        resources=resources,
        others=[one for one in others if one.baseline_id != baseline_id],
        older=any(
            one.baseline_id == subscription.active_baseline and one.version > baseline.version
            for one in others
        ),
        following=pager.link(cursor),
    )


@router.get("/{baseline_id}/compare")
async def get_comparison(
    tenant: Viewer,
    baseline_id: RowKey,
    request: Request,
    to: Annotated[RowKey, Query()],
    token: Token = None,
) -> Response:
    """What the version `to` has other than this one."""
    pager = await tenant_pager(request, tenant)
    one = await get_baseline(tenant.store, baseline_id)
    other = await get_baseline(tenant.store, to)
    differences, cursor = await page_differences(
        tenant, baseline_id, to, after=pager.start(token), limit=DIFFERENCES
    )
    return render(
        request,
        "comparison.html",
        tenant,
        one=one,
        other=other,
        differences=differences,
        following=pager.link(cursor),
    )


@router.get("/{baseline_id}/resources/{key}")
async def get_resource(tenant: Viewer, baseline_id: RowKey, key: Key, request: Request) -> Response:
    """One resource as it shall be, for operators to edit."""
    baseline = await get_baseline(tenant.store, baseline_id)
    document = await get_document(tenant.store, baseline_id, ResourceKey(key))
    subscription = await get_subscription(tenant.store, baseline.subscription_id)
    return render(
        request,
        "baseline_resource.html",
        tenant,
        baseline=baseline,
        active=subscription.active_baseline == baseline_id,
        document=document,
        configuration=msgspec.json.decode(document.body),
    )


@router.post("/{baseline_id}/resources")
async def post_edit(tenant: Operator, baseline_id: RowKey, form: TheForm, now: Now) -> Response:
    """A new version with one resource as the form has it, or without it. Versions never change."""
    remove = form.text("remove")
    body = read(
        EditBody,
        resource=None if remove else form.json("resource"),
        remove=remove,
        name=form.text("name"),
        note=form.text("note"),
        activate=form.text("activate") == "yes",
    )
    made = await edit_baseline(tenant, baseline_id, body.to_edit(), etag=form.etag(), now=now)
    return go_to(f"/t/{tenant.tenant.tenant_id}/baselines/{made.baseline_id}")


@router.post("/{baseline_id}/activate")
async def post_activation(tenant: Operator, baseline_id: RowKey, now: Now) -> Response:
    await activate(tenant, baseline_id, now=now)
    return go_to(f"/t/{tenant.tenant.tenant_id}/baselines/{baseline_id}")


@router.post("/{baseline_id}/delete")
async def post_deletion(tenant: Operator, baseline_id: RowKey, now: Now) -> Response:
    await delete(tenant, baseline_id, now=now)
    return go_to(f"/t/{tenant.tenant.tenant_id}/baselines")
