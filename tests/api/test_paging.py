"""A continuation token is of one tenant, one list, one query and one day."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi import Request

from api.paging import LONGEST_LIFE, TOKEN, Pager
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


TOKEN_MADE = token_of(pager().link("row|1"))


def test_token_leads_on_in_its_own_list() -> None:
    assert pager().start(TOKEN_MADE) == "row|1"
    assert pager(query=f"{TOKEN}=old&type=a").start(TOKEN_MADE) == "row|1"
    assert pager().start(None) == ""
    assert pager().link("") is None
    assert pager(now=NOW + timedelta(seconds=LONGEST_LIFE)).start(TOKEN_MADE) == "row|1"


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
def test_token_is_worth_nothing_elsewhere(other: Pager) -> None:
    with pytest.raises(Invalid) as refused:
        other.start(TOKEN_MADE)
    assert refused.value.field == TOKEN


def test_token_with_any_byte_changed_is_refused() -> None:
    raw = base64.urlsafe_b64decode(TOKEN_MADE)
    for position in range(len(raw)):
        changed = bytearray(raw)
        changed[position] ^= 1
        with pytest.raises(Invalid):
            pager().start(base64.urlsafe_b64encode(bytes(changed)).decode())
    for cut in (raw[:10], raw[:16], raw[:20], b""):
        token = base64.urlsafe_b64encode(cut).decode() or "="
        with pytest.raises(Invalid):
            pager().start(token)
