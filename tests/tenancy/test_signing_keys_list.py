"""What is taken from the lists that Entra ID publishes, and when they are read: with answers and a clock of the test's
own. What real signatures are worth is in test_bearer.py."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from errors import Unavailable
from tenancy import signing_keys as module
from tenancy.signing_keys import (
    FAILURE_SECONDS,
    FRESH_SECONDS,
    LONGEST_USE,
    UNKNOWN_KEY_SECONDS,
    SigningKey,
    SigningKeys,
)
from tests.tenancy.sign_in import SETTINGS
from tests.tenancy.tokens import STRANGER, Time

DOCUMENT_PATH = "/organizations/v2.0/.well-known/openid-configuration"
KEYS_PATH = "/common/discovery/v2.0/keys"
DOCUMENT = f"https://login.microsoftonline.com{DOCUMENT_PATH}"
KEYS = f"https://login.microsoftonline.com{KEYS_PATH}"
ISSUER = "https://login.microsoftonline.com/{tenantid}/v2.0"
NO_KEYS = (
    "Bearer tokens cannot be checked: Entra ID does not give its signing keys. Try again later."
)
LISTED = jwt.algorithms.RSAAlgorithm.to_jwk(STRANGER.public_key(), as_dict=True)
PRIVATE = jwt.algorithms.RSAAlgorithm.to_jwk(STRANGER, as_dict=True)
CURVE = jwt.algorithms.ECAlgorithm.to_jwk(
    ec.generate_private_key(ec.SECP256R1()).public_key(), as_dict=True
)


def listed(**members: Any) -> dict[str, Any]:
    """A key as Entra ID lists it; a member that is None is left out."""
    every = {**LISTED, "use": "sig", "kid": "k", "issuer": ISSUER, **members}
    return {name: value for name, value in every.items() if value is not None}


class Wire:
    """A transport that answers what it is told to, and remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.answers: dict[str, tuple[int, Any]] = {}
        self.headers: dict[str, str] = {}
        self.hangs = False

    def publish(self, *keys: Any, at: str = KEYS) -> None:
        self.answers |= {DOCUMENT: (200, {"jwks_uri": at}), at: (200, {"keys": list(keys)})}

    async def send(self, request: Any, **_: Any) -> Any:
        self.asked.append((request.method, request.url))
        await asyncio.sleep(3600 if self.hangs else 0)
        status, body = self.answers[request.url]
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return SimpleNamespace(
            status_code=status, reason="No", headers=self.headers, content=content, text=lambda: ""
        )


@pytest.fixture
def wire() -> Wire:
    wire = Wire()
    wire.publish(listed())
    return wire


@pytest.fixture
def keys(wire: Wire, time: Time) -> SigningKeys:
    return SigningKeys(SETTINGS, lambda: wire, time)


async def test_key_is_found_by_its_id_and_the_list_read_once(keys: SigningKeys, wire: Wire) -> None:
    wire.publish(listed(), listed(kid="other", issuer="https://other.example"))
    found = await asyncio.gather(*(keys.find(name) for name in ("k", "other", "absent") * 5))
    public = STRANGER.public_key()
    assert found == 5 * [
        SigningKey(public, ISSUER),
        SigningKey(public, "https://other.example"),
        None,
    ]
    assert wire.asked == [("GET", DOCUMENT), ("GET", KEYS)]


@pytest.mark.parametrize(
    "members",
    [{}, {"use": None}, {"issuer": None}, {"alg": "RS256"}, {"alg": "odd"}, {"x5c": ["odd"]}],
    ids=str,
)
async def test_key_that_is_for_tokens_like_ours(
    keys: SigningKeys, wire: Wire, members: dict[str, Any]
) -> None:
    """The algorithm is ours to say and not the list's."""
    wire.publish(listed(**members))
    issuer = "" if "issuer" in members else ISSUER
    assert await keys.find("k") == SigningKey(STRANGER.public_key(), issuer)


@pytest.mark.parametrize(
    "odd",
    [
        listed(use="enc"),
        listed(use=""),
        listed(kid=None),
        listed(kid=""),
        listed(n=None),
        listed(kty="oct", k="eA"),
        {"kty": "unknown", "kid": "k"},
        {**PRIVATE, "kid": "k"},
        {**CURVE, "kid": "k"},
        {},
        [],
        None,
        "k",
    ],
    ids=[
        "encryption", "no use", "no id", "empty id", "no number", "shared", "unknown kind", "private", "curve",
        "empty", "list", "null", "text",
    ],
)  # fmt: skip
async def test_key_that_is_not_is_passed_over(keys: SigningKeys, wire: Wire, odd: Any) -> None:
    wire.publish(odd, listed(kid="good"))
    assert await keys.find("good") is not None
    for name in ("k", "", "None"):
        assert await keys.find(name) is None


@pytest.mark.parametrize(
    ("at", "read"),
    [
        ("https://login.chinacloudapi.cn/keys", True),
        ("https://login.chinacloudapi.cn:443/keys", True),
        ("https://login.partner.microsoftonline.cn/keys", True),
        ("https://sts.chinacloudapi.cn/keys", False),
        ("https://login.microsoftonline.com/keys", False),
        ("http://login.chinacloudapi.cn/keys", False),
        ("https://login.chinacloudapi.cn:444/keys", False),
        ("https://login.chinacloudapi.cn@evil.example/keys", False),
    ],
)
async def test_list_is_read_at_the_hosts_of_the_cloud_only(
    wire: Wire, time: Time, at: str, read: bool
) -> None:
    china = "https://login.chinacloudapi.cn"
    wire.publish(listed(), at=at)
    wire.answers[china + DOCUMENT_PATH] = wire.answers.pop(DOCUMENT)
    keys = SigningKeys(replace(SETTINGS, authority_host=china), lambda: wire, time)
    if read:
        assert await keys.find("k") is not None
    else:
        with pytest.raises(Unavailable) as refused:
            await keys.find("k")
        assert refused.value.message == NO_KEYS
    assert (("GET", at) in wire.asked) is read


ANOTHER_HOST = "Entra ID named another host for its keys. They were not read."
EMPTY = "Entra ID's list of signing keys is empty."


@pytest.mark.parametrize(
    ("at", "answer", "reason"),
    [
        (DOCUMENT, (404, {}), f"Entra ID answered 404 for {DOCUMENT_PATH}."),
        (DOCUMENT, (200, {}), ANOTHER_HOST),
        (DOCUMENT, (200, {"jwks_uri": 7}), ANOTHER_HOST),
        (DOCUMENT, (200, {"jwks_uri": "https://[x"}), ANOTHER_HOST),
        (DOCUMENT, (200, []), f"Entra ID gave no JSON object for {DOCUMENT_PATH}."),
        (KEYS, (302, {"keys": [listed()]}), f"Entra ID answered 302 for {KEYS_PATH}."),
        (KEYS, (200, b"<html>"), f"Entra ID gave no JSON for {KEYS_PATH}."),
        (KEYS, (200, b"[" * 100_000), f"Entra ID gave no JSON for {KEYS_PATH}."),
        (KEYS, (200, [listed()]), f"Entra ID gave no JSON object for {KEYS_PATH}."),
        (KEYS, (200, {}), EMPTY),
        (KEYS, (200, {"keys": []}), EMPTY),
        (KEYS, (200, {"keys": 7}), EMPTY),
        (KEYS, (200, {"keys": [listed(use="enc")]}), EMPTY),
        (KEYS, (429, {}), "Entra ID asks to wait 6 s."),  # longer than a request may take
    ],
)
async def test_log_says_why_there_are_no_keys(
    keys: SigningKeys,
    wire: Wire,
    caplog: pytest.LogCaptureFixture,
    at: str,
    answer: tuple[int, Any],
    reason: str,
) -> None:
    wire.answers[at] = answer
    wire.headers = {"Retry-After": "6"}
    with pytest.raises(Unavailable) as refused:
        await keys.find("k")
    assert refused.value.message == NO_KEYS
    assert reasons(caplog) == [reason]


def reasons(caplog: pytest.LogCaptureFixture) -> list[str]:
    told = [vars(one) for one in caplog.records if one.name == "tenancy.signing_keys"]
    assert {(one["levelname"], one["message"]) for one in told} <= {
        ("WARNING", "signing keys could not be read")
    }
    return [one["reason"] for one in told]


async def test_host_that_says_nothing_is_not_waited_for(
    keys: SigningKeys,
    wire: Wire,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "BUDGET", 0.05)
    wire.hangs = True
    async with asyncio.timeout(20):
        with pytest.raises(Unavailable):
            await keys.find("k")
    assert reasons(caplog) == ["it took too long"]


async def test_list_is_read_again_in_time_and_not_before(
    keys: SigningKeys, wire: Wire, time: Time
) -> None:
    async def reads(name: str) -> int:
        """How often looking for a key has the list read."""
        wire.asked.clear()
        await keys.find(name)
        return len(wire.asked) // 2

    assert await reads("k") == 1
    time.now += UNKNOWN_KEY_SECONDS - 0.5
    assert await reads("absent") == 0
    time.now += 0.5
    assert (await reads("k"), await reads("absent")) == (0, 1)
    time.now += FRESH_SECONDS - 0.5
    assert await reads("k") == 0
    time.now += 0.5
    assert await reads("k") == 1


async def test_reading_that_failed_is_tried_again_in_time_and_not_before(
    keys: SigningKeys, wire: Wire, time: Time
) -> None:
    await keys.find("k")
    wire.answers[KEYS] = (404, {})
    time.now += FRESH_SECONDS
    wire.asked.clear()
    for wait, asked in ((0.0, 2), (FAILURE_SECONDS - 0.5, 2), (0.5, 4)):
        time.now += wait
        assert await keys.find("k") is not None  # the one at hand
        assert len(wire.asked) == asked


async def test_list_counts_a_day_and_not_longer(keys: SigningKeys, wire: Wire, time: Time) -> None:
    await keys.find("k")
    wire.answers[KEYS] = (404, {})
    time.now += LONGEST_USE
    assert await keys.find("k") is not None
    time.now += 0.5
    with pytest.raises(Unavailable):
        await keys.find("k")
