"""Lists page by page. The continuation token is signed and bound to tenant, route and query: nobody can point it
elsewhere, and the storage position inside is no promise to anybody."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query, Request

from errors import Invalid
from tenancy.access import TenantContext

TOKEN = "continuationToken"  # noqa: S105 - the name of a query parameter
LARGEST_PAGE = 200

PageSize = Annotated[int, Query(alias="maxpagesize", ge=1, le=LARGEST_PAGE)]
Token = Annotated[str | None, Query(alias=TOKEN, max_length=1000)]


class Pager:
    """The position of one request in one list."""

    def __init__(self, request: Request, binding: str, key: bytes) -> None:
        self._request = request
        others = sorted((name, value) for name, value in _query(request) if name != TOKEN)
        self._bound = f"{binding}|{request.url.path}|{urlencode(others)}".encode()
        self._key = key

    def start(self, token: str | None) -> str:
        """The storage position inside a token, '' without one. Raises Invalid for a token of anything else."""
        if not token:
            return ""
        try:
            raw = base64.urlsafe_b64decode(token.encode("ascii", "strict"))
        except (binascii.Error, ValueError) as error:
            raise _refused() from error
        signature, position = raw[:16], raw[16:]
        if not hmac.compare_digest(signature, self._sign(position)):
            raise _refused()
        return position.decode()

    def link(self, position: str) -> str | None:
        """The link to the next page, None at the end."""
        if not position:
            return None
        raw = position.encode()
        token = base64.urlsafe_b64encode(self._sign(raw) + raw).decode()
        query = [(name, value) for name, value in _query(self._request) if name != TOKEN]
        return f"{self._request.url.path}?{urlencode([*query, (TOKEN, token)])}"

    def _sign(self, position: bytes) -> bytes:
        return hmac.new(self._key, self._bound + b"|" + position, hashlib.sha256).digest()[:16]


async def tenant_pager(request: Request, context: TenantContext) -> Pager:
    """Signed with a key of the tenant's own, so that a token of one tenant means nothing to another."""
    key = hashlib.sha256(b"continuation|" + await context.fingerprint_key()).digest()
    return Pager(request, context.tenant.tenant_id, key)


def _query(request: Request) -> list[tuple[str, str]]:
    return request.query_params.multi_items()


def _refused() -> Invalid:
    return Invalid(
        "This continuation token is not of this list. Start again without it.", field=TOKEN
    )
