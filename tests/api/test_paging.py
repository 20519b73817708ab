"""A continuation token is of one tenant, one list, one query and one day."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi import Request

from api.paging import LONGEST_LIFE, TOKEN, Pager, platform_pager, tenant_pager
from errors import Invalid

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
KEY = b"k" * 32


def pager(
    *,
    path: str = "/api/findings",
    query: str = "type=a",
    tenant: str = "t",
    key: bytes = KEY,
    now: datetime = NOW,
) -> Pager:
    scope = {"type": "http", "path": path, "query_string": query.encode(), "headers": []}
    return Pager(Request(scope), tenant, key, now)


def token_of(link: str | None) -> str:
    assert link is not None
    return parse_qs(urlsplit(link).query)[TOKEN][0]


@pytest.fixture
def made() -> str:
    return token_of(pager().link("row|1"))


def test_link_is_the_same_request_with_a_token() -> None:
    link = pager(query="type=a&type=b%26&continuationToken=old").link("row|1")
    assert link is not None
    assert urlsplit(link).path == "/api/findings"
    query = parse_qs(urlsplit(link).query)
    assert {name: values for name, values in query.items() if name != TOKEN} == {
        "type": ["a", "b&"]
    }
    assert len(query[TOKEN]) == 1
    assert query[TOKEN] != ["old"]


def test_token_leads_on_in_its_own_list(made: str) -> None:
    assert pager().start(made) == "row|1"
    assert pager(query=f"{TOKEN}=old&type=a").start(made) == "row|1"
    assert pager().start(None) == ""
    assert pager().link("") is None
    assert pager(now=NOW + timedelta(seconds=LONGEST_LIFE)).start(made) == "row|1"


@pytest.mark.parametrize(
    "other",
    [
        pager(path="/api/rules"),
        pager(query="type=b"),
        pager(query=""),
        pager(query="type=a&x=1"),
        pager(tenant="u"),
        pager(key=b"l" * 32),
        pager(now=NOW + timedelta(seconds=LONGEST_LIFE + 1)),
    ],
    ids=["route", "query", "no query", "more query", "tenant", "key", "a day later"],
)
def test_token_is_worth_nothing_elsewhere(made: str, other: Pager) -> None:
    with pytest.raises(Invalid) as refused:
        other.start(made)
    assert refused.value.field == TOKEN
    assert refused.value.message == (
        "This continuation token is not of this list, or too old. Start again without it."
    )


@pytest.mark.parametrize("token", ["\u00e9", "\U0001f600", "a", "====", "a b c d", "\u0661\u0661"])
def test_token_that_is_no_base64_is_refused(token: str) -> None:
    with pytest.raises(Invalid) as refused:
        pager().start(token)
    assert refused.value.field == TOKEN


def test_token_with_any_byte_changed_is_refused(made: str) -> None:
    raw = base64.urlsafe_b64decode(made)
    for position in range(len(raw)):
        changed = bytearray(raw)
        changed[position] ^= 1
        with pytest.raises(Invalid):
            pager().start(base64.urlsafe_b64encode(bytes(changed)).decode())
    for cut in (raw[:10], raw[:16], raw[:20], b""):
        token = base64.urlsafe_b64encode(cut).decode() or "="
        with pytest.raises(Invalid):
            pager().start(token)


def inside(tenant_id: str, key: bytes) -> Any:
    """What a pager needs of a tenant's context: its id, and the key that is its own."""

    async def fingerprint_key() -> bytes:
        return key

    tenant = SimpleNamespace(tenant_id=tenant_id)
    return SimpleNamespace(tenant=tenant, fingerprint_key=fingerprint_key)


def asked(now: datetime = NOW) -> Request:
    state = SimpleNamespace(clock=lambda: now)
    scope = {"type": "http", "path": "/api/findings", "query_string": b"type=a", "headers": []}
    return Request({**scope, "app": SimpleNamespace(state=state)})


async def test_key_of_a_tenants_tokens_is_derived_from_its_own() -> None:
    """Not the key itself, which hashes secret-looking values: what one is good for the other is not."""
    derived = hashlib.sha256(b"continuation|" + KEY).digest()
    link = (await tenant_pager(asked(), inside("t", KEY))).link("row|1")
    assert link == pager(key=derived).link("row|1")
    with pytest.raises(Invalid):
        pager(key=KEY).start(token_of(link))


async def test_token_of_another_tenant_is_refused_even_under_one_key() -> None:
    token = token_of((await tenant_pager(asked(), inside("t", KEY))).link("row|1"))
    assert (await tenant_pager(asked(), inside("t", KEY))).start(token) == "row|1"
    late = asked(NOW + timedelta(seconds=LONGEST_LIFE + 1))
    for other in (
        await tenant_pager(asked(), inside("u", KEY)),
        await tenant_pager(asked(), inside("t", b"l" * 32)),
        await tenant_pager(late, inside("t", KEY)),
    ):
        with pytest.raises(Invalid):
            other.start(token)


async def test_token_of_the_platform_is_of_no_tenant_and_under_a_key_of_its_own() -> None:
    async def signing_key() -> bytes:
        return KEY

    deployment: Any = SimpleNamespace(signing_key=signing_key)
    link = (await platform_pager(asked(), deployment)).link("row|1")
    derived = hashlib.sha256(b"continuation|" + KEY).digest()
    assert link == pager(key=derived, tenant="deployment").link("row|1")
    token = token_of(link)
    assert (await platform_pager(asked(), deployment)).start(token) == "row|1"
    late = asked(NOW + timedelta(seconds=LONGEST_LIFE + 1))
    for other in (
        await tenant_pager(asked(), inside("t", KEY)),
        await platform_pager(late, deployment),
    ):
        with pytest.raises(Invalid):
            other.start(token)
