"""/api/maintenance-windows, and a finding's snooze: what is found and kept, and told to nobody for a while."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Request, Response, status
from pydantic import ConfigDict, Field

from api.access import IfMatch, Now, Operator, Viewer
from api.channels import UntilBody
from api.contract import gives, may
from api.paging import PageSize, Token, tenant_pager
from api.shapes import ListOf, Moment, Name, RowKey, Shape, View
from drift.channels import edits
from drift.channels.model import StoredWindow
from drift.channels.rows import page_windows
from errors import Conflict

router = APIRouter(tags=["channels"])


class WindowBody(Shape):
    """Changes that these deployers make in this time are expected."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Release 42",
                    "startsAt": "2099-05-30T18:00:00Z",
                    "endsAt": "2099-05-30T20:00:00Z",
                    "deployers": ["pipeline@contoso.com"],
                }
            ]
        }
    )

    name: Name
    starts_at: Moment
    ends_at: Moment
    deployers: list[Name] = Field(
        min_length=1, max_length=50, description="object id or name, as attribution has it"
    )


class WindowView(View):
    id: str
    name: str
    starts_at: datetime
    ends_at: datetime
    deployers: tuple[str, ...]
    created_by: str
    etag: str


class SnoozeView(View):
    until: datetime | None


@router.get("/api/maintenance-windows", response_model=ListOf[WindowView])
async def list_maintenance_windows(
    tenant: Viewer, request: Request, size: PageSize = 50, token: Token = None
) -> ListOf[WindowView]:
    """Times in which changes by named deployers are expected."""
    pager = await tenant_pager(request, tenant)
    found, cursor = await page_windows(tenant.store, after=pager.start(token), limit=size)
    return ListOf(value=[view_window(one) for one in found], next_link=pager.link(cursor))


@router.post(
    "/api/maintenance-windows",
    response_model=WindowView,
    status_code=status.HTTP_201_CREATED,
    responses=gives("ETag", 201) | may(Conflict),
)
async def create_maintenance_window(
    tenant: Operator, body: WindowBody, now: Now, response: Response
) -> WindowView:
    """Changes that these deployers make in this time are found and kept, and told to no channel."""
    stored = await edits.add_window(
        tenant, body.name, body.starts_at, body.ends_at, body.deployers, now=now
    )
    response.headers["ETag"] = stored.etag
    return view_window(stored)


@router.delete("/api/maintenance-windows/{window_id}", status_code=status.HTTP_204_NO_CONTENT)
async def remove_maintenance_window(
    window_id: RowKey, tenant: Operator, etag: IfMatch, now: Now
) -> None:
    """Ends a maintenance window: what is found from now on is told."""
    await edits.remove_window(tenant, window_id, etag=etag, now=now)


@router.post("/api/findings/{finding_id}/snooze", response_model=SnoozeView)
async def snooze_finding(
    finding_id: RowKey, tenant: Operator, body: UntilBody, now: Now
) -> SnoozeView:
    """Holds what is to be told of one finding until a time. The finding itself stays as it is."""
    await edits.snooze_finding(tenant, finding_id, body.until, now=now)
    return SnoozeView(until=body.until)


def view_window(stored: StoredWindow) -> WindowView:
    window = stored.window
    return WindowView(
        id=window.window_id,
        name=window.name,
        starts_at=window.starts_at,
        ends_at=window.ends_at,
        deployers=window.deployers,
        created_by=window.created_by,
        etag=stored.etag,
    )
