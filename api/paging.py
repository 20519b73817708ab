"""Lists page by page. The continuation token is signed, bound to tenant, route and query, and good for a day: nobody
can point it elsewhere, and the storage position inside is no promise to anybody."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from datetime import datetime
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query, Request

from api.access import now_of
from errors import Invalid
from tenancy.access import TenantContext
from tenancy.deployment import OWN, Deployment

TOKEN = "continuationToken"  # noqa: S105 - the name of a query parameter
LARGEST_PAGE = 200
LONGEST_LIFE = 24 * 60 * 60  # seconds that a token is good for
_SIGNATURE, _TIME = 16, 8  # bytes of each in a token, before the position

PageSize = Annotated[int, Query(alias="maxpagesize", ge=1, le=LARGEST_PAGE)]
Token = Annotated[str | None, Query(alias=TOKEN, max_length=1000)]


class Pager:
    """The position of one request in one list."""

    def __init__(self, request: Request, binding: str, key: bytes, now: datetime) -> None:
        self._request = request
        self._now = int(now.timestamp())
        others = sorted((name, value) for name, value in _query(request) if name != TOKEN)
        self._bound = f"{binding}|{request.url.path}|{urlencode(others)}".encode()
        self._key = key

    def start(self, token: str | None) -> str:
        """The storage position inside a token, '' without one. Raises Invalid for a token of anything else."""
        if not token:
            return ""
        try:
            raw = base64.urlsafe_b64decode(token.encode("ascii"))
        except (binascii.Error, ValueError) as error:
            raise _refused() from error
        signature, signed = raw[:_SIGNATURE], raw[_SIGNATURE:]
        if not hmac.compare_digest(signature, self._sign(signed)):
            raise _refused()
        made, position = signed[:_TIME], signed[_TIME:]
        if self._now - int.from_bytes(made, "big") > LONGEST_LIFE:
            raise _refused()
        return position.decode()

    def link(self, position: str) -> str | None:
        """The link to the next page, None at the end."""
        if not position:
            return None
        raw = self._now.to_bytes(_TIME, "big") + position.encode()
        token = base64.urlsafe_b64encode(self._sign(raw) + raw).decode()
        query = [(name, value) for name, value in _query(self._request) if name != TOKEN]
        return f"{self._request.url.path}?{urlencode([*query, (TOKEN, token)])}"

    def _sign(self, signed: bytes) -> bytes:
        digest = hmac.new(self._key, self._bound + b"|" + signed, hashlib.sha256).digest()
        return digest[:_SIGNATURE]


async def tenant_pager(request: Request, context: TenantContext) -> Pager:
    """Signed with a key of the tenant's own, so that a token of one tenant means nothing to another."""
    key = _derive(await context.fingerprint_key())
    return Pager(request, context.tenant.tenant_id, key, now_of(request))


async def platform_pager(request: Request, deployment: Deployment) -> Pager:
    """Signed with the deployment's own key: a list of the platform's is of no tenant."""
    return Pager(request, OWN, _derive(await deployment.signing_key()), now_of(request))


def _derive(key: bytes) -> bytes:
    return hashlib.sha256(b"continuation|" + key).digest()


def _query(request: Request) -> list[tuple[str, str]]:
    return request.query_params.multi_items()


def _refused() -> Invalid:
    return Invalid(
        "This continuation token is not of this list, or too old. Start again without it.",
        field=TOKEN,
    )
