"""/api/settings: a tenant's own schedule, scope, severities that notify, retention; their history, and the way back."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import ConfigDict, Field, StrictBool

from api.access import Admin, IfMatch, Now, Viewer
from api.contract import gives, may
from api.paging import PageSize, Token, tenant_pager
from api.shapes import ListOf, RowKey, Shape, View
from drift.engine.model import Severity
from drift.preferences import (
    Change,
    ChangeAction,
    Preferences,
    Scope,
    get_preferences,
    page_changes,
)
from drift.retention import FLOORS, MOST_DAYS, Retention
from drift.tenant_settings import change_preferences, revert_preferences
from errors import Conflict

router = APIRouter(prefix="/api/settings", tags=["settings"])

TypeName = Annotated[
    str, Field(max_length=200, pattern=r"^[A-Za-z0-9.]{1,100}(/[A-Za-z0-9.$_-]{1,100})+$")
]
GroupName = Annotated[str, Field(pattern=r"^[^/\\?#%\x00-\x1f]{1,90}$")]


class ScopeBody(Shape):
    include_types: list[TypeName] = Field(default=[], max_length=200)
    exclude_types: list[TypeName] = Field(default=[], max_length=200)
    include_groups: list[GroupName] = Field(default=[], max_length=200)
    exclude_groups: list[GroupName] = Field(default=[], max_length=200)

    def to_scope(self) -> Scope:
        return Scope(
            tuple(self.include_types),
            tuple(self.exclude_types),
            tuple(self.include_groups),
            tuple(self.exclude_groups),
        )


def _days(kind: str) -> Any:
    """A number of days with the floor of its kind, which the description names with its reason."""
    floor = FLOORS[kind]
    default = getattr(Retention(), kind)
    text = f"days; at least {floor.days}: {floor.reason}"
    return Field(default=default, ge=floor.days, le=MOST_DAYS, strict=True, description=text)


class RetentionBody(Shape):
    """For how many days what is over is kept. What is in force stays whatever its age."""

    scans: int = _days("scans")
    findings: int = _days("findings")
    history: int = _days("history")
    audit: int = _days("audit")
    notices: int = _days("notices")
    usage: int = _days("usage")


class SettingsBody(Shape):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "schedule": "0 */6 * * *",
                    "scope": {"excludeGroups": ["sandbox"]},
                    "notify": ["critical", "high"],
                    "retention": {"scans": 180, "audit": 1096},
                }
            ]
        }
    )

    schedule: str = Field(
        default="0 * * * *",
        max_length=100,
        description="cron with five fields, UTC; '' for never",
        examples=["0 * * * *"],
    )
    scope: ScopeBody = ScopeBody()
    notify: tuple[Severity, ...] = (Severity.CRITICAL, Severity.HIGH)
    retention: RetentionBody = RetentionBody()
    four_eyes: StrictBool = Field(
        default=False,
        description="a baseline version needs a second person to become active; so does switching this off",
    )
    backups_kept: int = Field(
        default=7,
        ge=1,
        le=90,
        strict=True,
        description="nightly backups that are kept, and as many of those that were asked for",
    )

    def to_preferences(self) -> Preferences:
        return Preferences(
            self.schedule,
            self.scope.to_scope(),
            self.notify,
            Retention(**self.retention.model_dump()),
            self.four_eyes,
            self.backups_kept,
        )


class ScopeView(View):
    include_types: tuple[str, ...]
    exclude_types: tuple[str, ...]
    include_groups: tuple[str, ...]
    exclude_groups: tuple[str, ...]


class RetentionView(View):
    scans: int
    findings: int = Field(description="resolved ones")
    history: int = Field(description="changes and earlier states of resources")
    audit: int
    notices: int
    usage: int


class SettingsView(View):
    schedule: str
    scope: ScopeView
    notify: tuple[Severity, ...]
    retention: RetentionView
    four_eyes: bool
    backups_kept: int


class SettingsChangeView(View):
    id: str
    at: datetime
    actor: str
    actor_name: str
    action: ChangeAction = Field(description="`start`: when the tenant was provisioned")
    changed: list[str] = Field(description="the members that differ")
    before: SettingsView | None
    after: SettingsView
    reverted_to: str | None = Field(
        description="with action `revert`: the change whose result is back"
    )


class RevertBody(Shape):
    model_config = ConfigDict(json_schema_extra={"examples": [{"to": "8203754982146417.5f2c77a1"}]})

    to: RowKey = Field(description="id of a change: the settings as they were after it")


@router.get("", response_model=SettingsView, responses=gives("ETag"))
async def get_settings(tenant: Viewer, response: Response) -> SettingsView:
    """The settings, with the ETag that a change needs."""
    stored = await get_preferences(tenant.store)
    response.headers["ETag"] = stored.etag
    return SettingsView.model_validate(stored.preferences)


@router.put(
    "",
    response_model=SettingsView,
    name="change_settings",
    responses=gives("ETag") | may(Conflict),
)
async def put_settings(
    tenant: Admin, body: SettingsBody, etag: IfMatch, now: Now, response: Response
) -> SettingsView:
    """Replaces all of them. A change of the schedule counts from now on."""
    preferences = body.to_preferences()
    response.headers["ETag"] = await change_preferences(tenant, preferences, etag=etag, now=now)
    return SettingsView.model_validate(preferences)


@router.get("/history", response_model=ListOf[SettingsChangeView], name="list_settings_changes")
async def list_changes(
    tenant: Viewer, request: Request, size: PageSize = 50, token: Token = None
) -> ListOf[SettingsChangeView]:
    """Every change there was, newest first: who, when, before and after."""
    pager = await tenant_pager(request, tenant)
    changes, cursor = await page_changes(tenant.store, after=pager.start(token), limit=size)
    return ListOf(value=[view_change(change) for change in changes], next_link=pager.link(cursor))


@router.post("/revert", response_model=SettingsView, responses=gives("ETag") | may(Conflict))
async def revert_settings(
    tenant: Admin, body: RevertBody, etag: IfMatch, now: Now, response: Response
) -> SettingsView:
    """Brings back the settings as they were after an earlier change. That is a change itself: nothing is forgotten, and
    it can be reverted too."""
    preferences, etag = await revert_preferences(tenant, body.to, etag=etag, now=now)
    response.headers["ETag"] = etag
    return SettingsView.model_validate(preferences)


def view_change(change: Change) -> SettingsChangeView:
    before = SettingsView.model_validate(change.before) if change.before else None
    after = SettingsView.model_validate(change.after)
    old = before.model_dump(by_alias=True) if before else {}
    new = after.model_dump(by_alias=True)
    return SettingsChangeView(
        id=change.change_id,
        at=change.at,
        actor=change.actor.key,
        actor_name=change.actor.name,
        action=change.action,
        changed=[name for name in new if old.get(name) != new[name]],
        before=before,
        after=after,
        reverted_to=change.reverted_to or None,
    )
