"""/api/connection: how the tenant's Azure is read. The secret goes to Key Vault and never comes back."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Header, Response, status
from pydantic import ConfigDict, Field, SecretStr

from api.access import Admin, IfMatch, Now, required_etag
from api.contract import gives, may
from api.shapes import GUID_PATTERN, Guid, ListOf, Moment, Shape, View
from drift.connection import (
    NewConnection,
    find_connection,
    remove_connection,
    set_connection,
    warn_of_expiry,
)
from drift.trial import try_connection
from errors import Conflict, Invalid, PreconditionRequired, Refused, Stale
from tenancy.connections import Connection, ConnectionKind, get_connection
from tenancy.ids import DirectoryId

router = APIRouter(prefix="/api/connection", tags=["connection"])


class ConnectionBody(Shape):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"kind": "federated", "directoryId": "1b4e28ba-2fa1-4d21-883f-0016d3cca427"},
                {
                    "kind": "client_secret",
                    "directoryId": "1b4e28ba-2fa1-4d21-883f-0016d3cca427",
                    "clientId": "6f9619ff-8b86-4d01-b42d-00cf4fc964ff",
                    "secret": "the value that the portal shows once",
                    "secretExpiresAt": "2027-05-31T00:00:00Z",
                },
            ]
        }
    )

    kind: ConnectionKind
    directory_id: Guid
    client_id: Annotated[str, Field(pattern=f"{GUID_PATTERN}|^$")] = ""
    secret: SecretStr = Field(
        default=SecretStr(""),
        max_length=25_000,
        description="client secret, or certificate with private key in PEM; kept in Key Vault",
    )

    secret_expires_at: Moment | None = Field(
        default=None, description="when the client secret ends, to be warned 30 days before"
    )

    def to_new(self) -> NewConnection:
        return NewConnection(
            self.kind,
            DirectoryId(self.directory_id),
            self.client_id,
            self.secret.get_secret_value(),
            self.secret_expires_at,
        )


class ConnectionView(View):
    kind: ConnectionKind
    directory_id: str
    client_id: str
    has_secret: bool
    secret_expires_at: datetime | None
    warning: str = Field(description="that the secret ends within 30 days, else empty")
    updated_at: datetime
    updated_by: str


class TestLineView(View):
    step: str
    ok: bool
    detail: str
    permission: str = Field(description="the action that the connection may not perform")
    fix: str = Field(description="what to do about it")
    command: str = Field(description="the `az` command that does it")


@router.get("", response_model=ConnectionView, name="get_connection", responses=gives("ETag"))
async def get(tenant: Admin, now: Now, response: Response) -> ConnectionView:
    """How it is read, and when the secret ends; never the secret itself."""
    connection = await get_connection(tenant.store)
    response.headers["ETag"] = connection.etag
    return view_connection(connection, now)


@router.put(
    "",
    response_model=ConnectionView,
    name="set_connection",
    responses=gives("ETag") | may(Conflict, Stale, PreconditionRequired),
)
async def put(
    tenant: Admin,
    body: ConnectionBody,
    now: Now,
    response: Response,
    if_match: Annotated[str | None, Header(alias="If-Match")] = None,
    if_none_match: Annotated[str | None, Header(alias="If-None-Match", pattern=r"^\*$")] = None,
) -> ConnectionView:
    """Tries the credential with Entra ID first; a refused one changes nothing. Replacing a connection takes `If-Match`
    with its ETag; the first one takes none."""
    before = await find_connection(tenant)
    check_precondition(before, if_match, if_none_match)
    try:
        connection = await set_connection(tenant, body.to_new(), before=before, now=now)
    except Refused as error:
        raise Invalid(error.message, field="secret") from error
    response.headers["ETag"] = connection.etag
    return view_connection(connection, now)


def check_precondition(
    before: Connection | None, if_match: str | None, if_none_match: str | None
) -> None:
    """Raises what is missing or wrong: nobody replaces a connection that he has not seen."""
    if if_match is not None and if_none_match is not None:
        raise Invalid("Send If-Match or If-None-Match, not both.", field="If-None-Match")
    if before is None and if_match is not None:
        raise Stale("There is no connection to replace. Send no If-Match.")
    if before is not None and if_none_match is not None:
        raise Stale("There is a connection already. Read it, and send If-Match with its ETag.")
    if before is None:
        return
    if if_match is None:
        raise PreconditionRequired("There is a connection. Send If-Match with its ETag.")
    if required_etag(if_match) != before.etag:
        raise Stale("Somebody else changed the connection. Read it again.")


@router.delete("", status_code=status.HTTP_204_NO_CONTENT, name="remove_connection")
async def delete(tenant: Admin, etag: IfMatch, now: Now) -> None:
    """Removes it and its secret. A scan that uses it stops at its next step, and later ones end incomplete."""
    await remove_connection(tenant, etag=etag, now=now)


@router.post(
    "/test",
    response_model=ListOf[TestLineView],
    name="test_connection",
    responses=may(Conflict, Refused),
)
async def test(tenant: Admin) -> ListOf[TestLineView]:
    """Line by line: token, directory, subscriptions, and of each: read, Resource Graph, change history."""
    lines = await try_connection(tenant)
    return ListOf(value=[TestLineView.model_validate(line) for line in lines])


def view_connection(connection: Connection, now: datetime) -> ConnectionView:
    return ConnectionView(
        kind=connection.kind,
        directory_id=connection.directory_id,
        client_id=connection.client_id,
        has_secret=bool(connection.secret_name),
        secret_expires_at=connection.secret_expires_at,
        warning=warn_of_expiry(connection, now=now),
        updated_at=connection.updated_at,
        updated_by=connection.updated_by,
    )
