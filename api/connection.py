"""/api/connection: how the tenant's Azure is read. The secret goes to Key Vault and never comes back."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, status
from pydantic import Field, SecretStr

from api.access import Admin, Now
from api.shapes import GUID_PATTERN, Guid, ListOf, Shape, View
from drift.connection import NewConnection, remove_connection, set_connection, test_connection
from errors import Invalid, Refused
from tenancy.connections import Connection, ConnectionKind, get_connection
from tenancy.ids import DirectoryId

router = APIRouter(prefix="/api/connection", tags=["connection"])


class ConnectionBody(Shape):
    kind: ConnectionKind
    directory_id: Guid
    client_id: Annotated[str, Field(pattern=f"{GUID_PATTERN}|^$")] = ""
    secret: SecretStr = Field(
        default=SecretStr(""),
        max_length=25_000,
        description="client secret, or certificate with private key in PEM; kept in Key Vault",
    )

    def to_new(self) -> NewConnection:
        return NewConnection(
            self.kind,
            DirectoryId(self.directory_id),
            self.client_id,
            self.secret.get_secret_value(),
        )


class ConnectionView(View):
    kind: ConnectionKind
    directory_id: str
    client_id: str
    has_secret: bool
    updated_at: datetime
    updated_by: str


class TestLineView(View):
    step: str
    ok: bool
    detail: str
    fix: str


@router.get("", response_model=ConnectionView)
async def get(tenant: Admin) -> ConnectionView:
    return _view(await get_connection(tenant.store))


@router.put("", response_model=ConnectionView)
async def put(tenant: Admin, body: ConnectionBody, now: Now) -> ConnectionView:
    """Tries the credential with Entra ID first; a refused one changes nothing."""
    try:
        return _view(await set_connection(tenant, body.to_new(), now=now))
    except Refused as error:
        raise Invalid(error.message, field="secret") from error


@router.delete("", status_code=status.HTTP_204_NO_CONTENT)
async def delete(tenant: Admin, now: Now) -> None:
    await remove_connection(tenant, now=now)


@router.post("/test", response_model=ListOf[TestLineView])
async def test(tenant: Admin) -> ListOf[TestLineView]:
    """Line by line: token, subscriptions, readability, Resource Graph, change history."""
    lines = await test_connection(tenant)
    return ListOf(value=[TestLineView.model_validate(line) for line in lines])


def _view(connection: Connection) -> ConnectionView:
    return ConnectionView(
        kind=connection.kind,
        directory_id=connection.directory_id,
        client_id=connection.client_id,
        has_secret=bool(connection.secret_name),
        updated_at=connection.updated_at,
        updated_by=connection.updated_by,
    )
