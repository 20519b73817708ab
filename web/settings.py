"""A tenant's settings and its connection to Azure, which is tested line by line."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import SecretStr

from api.access import Now
from api.connection import ConnectionBody, check_precondition, view_connection
from api.paging import Token, tenant_pager
from api.settings import RevertBody, SettingsBody, view_change
from drift.connection import find_connection, set_connection
from drift.preferences import get_preferences, page_changes
from drift.retention import FLOORS, KINDS, MOST_DAYS
from drift.tenant_settings import change_preferences, revert_preferences
from drift.trial import try_connection
from errors import Invalid, Refused
from tenancy.access import TenantContext
from tenancy.connections import Connection, ConnectionKind
from tenancy.roles import Permission, allows
from web import dates
from web.access import Admin, Viewer
from web.forms import Form, TheForm, read
from web.rendering import go_to, go_to_part, render
from web.wording import RETENTION_NAMES

router = APIRouter(prefix="/t/{tenant_id}/settings", include_in_schema=False)
CHANGES = 50


@router.get("")
async def get(tenant: Viewer, request: Request, now: Now) -> Response:
    stored = await get_preferences(tenant.store)
    connection = await _connection(tenant)
    return render(
        request,
        "settings.html",
        tenant,
        preferences=stored.preferences,
        retention=[
            (kind, RETENTION_NAMES[kind], getattr(stored.preferences.retention, kind), FLOORS[kind])
            for kind in KINDS
        ],
        most_days=MOST_DAYS,
        etag=stored.etag,
        connection=view_connection(connection, now) if connection else None,
        connection_etag=connection.etag if connection else "",
        kinds=tuple(ConnectionKind),
    )


async def _connection(tenant: TenantContext) -> Connection | None:
    """For admins only, as in the API: how the tenant is connected is nobody else's affair."""
    if not allows(tenant.role, Permission.ADMINISTER):
        return None
    return await find_connection(tenant)


@router.post("")
async def post(tenant: Admin, form: TheForm, now: Now) -> Response:
    body = read(
        SettingsBody,
        schedule=form.text("schedule") or " ",  # blank is never; an empty field would be left out
        scope={
            "includeTypes": form.lines("includeTypes"),
            "excludeTypes": form.lines("excludeTypes"),
            "includeGroups": form.lines("includeGroups"),
            "excludeGroups": form.lines("excludeGroups"),
        },
        notify=form.every("notify"),
        retention={kind: form.number(f"retention.{kind}") for kind in KINDS},
        backupsKept=form.number("backupsKept"),
        fourEyes=form.text("fourEyes") == "yes",
    )
    await change_preferences(tenant, body.to_preferences(), etag=form.etag(), now=now)
    return go_to(f"/t/{tenant.tenant.tenant_id}/settings")


@router.get("/history")
async def list_changes(tenant: Viewer, request: Request, token: Token = None) -> Response:
    """Who changed what, newest first, and the way back to how it was."""
    pager = await tenant_pager(request, tenant)
    start = pager.start(token)
    changes, cursor = await page_changes(tenant.store, after=start, limit=CHANGES)
    return render(
        request,
        "settings_history.html",
        tenant,
        changes=[view_change(change) for change in changes],
        etag=(await get_preferences(tenant.store)).etag,
        newest=not start,
        following=pager.link(cursor),
    )


@router.post("/revert")
async def post_revert(tenant: Admin, form: TheForm, now: Now) -> Response:
    """The settings as they were after an earlier change."""
    body = read(RevertBody, to=form.text("to"))
    await revert_preferences(tenant, body.to, etag=form.etag(), now=now)
    return go_to(f"/t/{tenant.tenant.tenant_id}/settings/history")


@router.post("/connection")
async def post_connection(tenant: Admin, request: Request, form: TheForm, now: Now) -> Response:
    """Tried with Entra ID first; a refused one changes nothing."""
    before = await find_connection(tenant)
    check_precondition(before, form.text("etag") or None, None)
    try:
        await set_connection(tenant, read_connection(form).to_new(), before=before, now=now)
    except Refused as error:
        raise Invalid(error.message, field="secret") from error
    return go_to_part(request, f"/t/{tenant.tenant.tenant_id}/settings", "connection")


@router.post("/connection/test")
async def post_test(tenant: Admin, request: Request) -> Response:
    return render(request, "parts/trial.html", tenant, lines=await try_connection(tenant))


def read_connection(form: Form) -> ConnectionBody:
    return read(
        ConnectionBody,
        kind=form.text("kind"),
        directoryId=form.text("directoryId").lower(),
        clientId=form.text("clientId").lower(),
        secret=SecretStr(form.text("secret")),
        secretExpiresAt=dates.end_of_day(form.text("secretExpiresAt"), field="secretExpiresAt"),
    )
