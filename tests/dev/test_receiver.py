"""The demo's receiver of webhooks takes what its channel signed, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

import httpx2 as httpx
import pytest

from dev.demo.receiver import Received, Receiver
from drift.channels.signatures import read_signing_key, sign_webhook

DATA = {
    "tenant": "contoso",
    "headline": "New drift: 1 finding, high",
    "total": 1,
    "findings": [{"resourceId": "/subscriptions/s/resourceGroups/rg/providers/p/kinds/web-1"}],
}
BODY = json.dumps({"id": "n-1", "data": DATA}).encode()
NOTICE = Received("n-1", "contoso", "New drift: 1 finding, high", ("web-1",), 1)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def signed(receiver: Receiver, *, ago: float = 0, body: bytes = BODY) -> dict[str, str]:
    at = datetime.now(UTC) - timedelta(seconds=ago)
    return sign_webhook("n-1", at, body, [read_signing_key(receiver.signing_key)])


def send(receiver: Receiver, headers: Mapping[str, str], body: bytes = BODY) -> int:
    return httpx.post(receiver.url, content=body, headers=dict(headers)).status_code


def test_signed_notice_is_kept_and_told_once(receiver: Receiver) -> None:
    told: list[Received] = []
    receiver.on_notice = told.append
    assert [send(receiver, signed(receiver)) for _ in range(2)] == [204, 204]
    assert receiver.notices == (NOTICE,)
    assert told == [NOTICE]
    assert str(NOTICE) == "contoso: New drift: 1 finding, high (web-1)"


def test_signature_by_the_new_key_beside_one_by_the_old_is_right(receiver: Receiver) -> None:
    headers = signed(receiver)
    headers["webhook-signature"] = f"v1,b2xk {headers['webhook-signature']}"
    assert send(receiver, headers) == 204


@pytest.mark.parametrize(
    "changed",
    [
        {"webhook-id": "n-2"},
        {"webhook-signature": ""},
        {"webhook-signature": "v1,AAAA"},
        {"webhook-timestamp": ""},
        {"webhook-timestamp": "soon"},
        {"webhook-timestamp": "9" * 30},
    ],
    ids=str,
)
def test_what_is_not_signed_is_refused(receiver: Receiver, changed: dict[str, str]) -> None:
    assert send(receiver, {**signed(receiver), **changed}) == 401
    assert receiver.notices == ()


def test_what_is_old_or_another_body_is_refused(receiver: Receiver) -> None:
    assert send(receiver, signed(receiver, ago=301)) == 401
    assert send(receiver, signed(receiver, ago=-301)) == 401
    assert send(receiver, signed(receiver), BODY + b" ") == 401
    assert send(receiver, {}, b"") == 413
    assert receiver.notices == ()
