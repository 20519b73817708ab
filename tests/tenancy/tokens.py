"""Bearer tokens in tests: good ones of the simulated Entra ID, and others under throw-away keys."""

from __future__ import annotations

import base64
import json
import uuid
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from dev.azure.admin import AzureAdmin
from errors import Unauthenticated
from tenancy.bearer import BearerTokens
from tenancy.principal import Principal

CLIENT_ID = str(uuid.uuid4())
STRANGER = rsa.generate_private_key(public_exponent=65537, key_size=2048)  # nobody lists this key
UNLISTED = "it is signed with a key that Entra ID does not list"


class Time:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def mint(
    azure: AzureAdmin, principal: Principal, audience: str = CLIENT_ID, **claims: Any
) -> str:
    """As Entra ID signs a person in to the app."""
    given = {"oid": principal.object_id, "sub": uuid.uuid4().hex, **claims}
    return await azure.mint_token(principal.directory_id, audience, given)


async def confirm(tokens: BearerTokens, principal: Principal, token: str) -> Principal:
    return await tokens.confirm([("authorization", f"Bearer {token}")], principal)


async def refuse(tokens: BearerTokens, principal: Principal, token: str, why: str) -> None:
    """In these very words."""
    with pytest.raises(Unauthenticated) as refused:
        await confirm(tokens, principal, token)
    assert refused.value.message == f"The bearer token does not count here: {why}."


def forge(token: str, key: Any, algorithm: str, **header: Any) -> str:
    """The same claims under another signature. A member of the header that is None is left out."""
    claims = jwt.decode(token, options={"verify_signature": False})
    given = {"kid": jwt.get_unverified_header(token)["kid"], **header}
    present = {name: value for name, value in given.items() if value is not None}
    return jwt.encode(claims, key, algorithm=algorithm, headers=present)


def encode(part: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


async def key_requests(azure: AzureAdmin) -> int:
    counts: Any = (await azure.requests())["counts"]
    return int(counts.get("entra-metadata", 0))
