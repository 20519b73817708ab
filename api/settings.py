"""GET and PUT /api/settings: a tenant's own schedule, scope, severities that notify, retention."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import ConfigDict, Field

from api.access import Admin, IfMatch, Now, Viewer
from api.contract import gives
from api.shapes import Shape, View
from drift.engine.model import Severity
from drift.preferences import Preferences, Scope, get_preferences
from drift.schedule import change_preferences

router = APIRouter(prefix="/api/settings", tags=["settings"])

TypeName = Annotated[str, Field(pattern=r"^[A-Za-z0-9.]{1,100}(/[A-Za-z0-9.$_-]{1,100})+$")]
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


class SettingsBody(Shape):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "schedule": "0 */6 * * *",
                    "scope": {"excludeGroups": ["sandbox"]},
                    "notify": ["critical", "high"],
                    "retentionDays": 365,
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
    retention_days: int = Field(default=365, ge=7, le=3650, strict=True)

    def to_preferences(self) -> Preferences:
        return Preferences(self.schedule, self.scope.to_scope(), self.notify, self.retention_days)


class ScopeView(View):
    include_types: tuple[str, ...]
    exclude_types: tuple[str, ...]
    include_groups: tuple[str, ...]
    exclude_groups: tuple[str, ...]


class SettingsView(View):
    schedule: str
    scope: ScopeView
    notify: tuple[Severity, ...]
    retention_days: int


@router.get("", response_model=SettingsView, responses=gives("ETag"))
async def get_settings(tenant: Viewer, response: Response) -> SettingsView:
    """The settings, with the ETag that a change needs."""
    stored = await get_preferences(tenant.store)
    response.headers["ETag"] = stored.etag
    return SettingsView.model_validate(stored.preferences)


@router.put("", response_model=SettingsView, name="change_settings", responses=gives("ETag"))
async def put_settings(
    tenant: Admin, body: SettingsBody, etag: IfMatch, now: Now, response: Response
) -> SettingsView:
    """Replaces all of them. A change of the schedule counts from now on."""
    preferences = body.to_preferences()
    response.headers["ETag"] = await change_preferences(tenant, preferences, etag=etag, now=now)
    return SettingsView.model_validate(preferences)
