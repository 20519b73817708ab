"""Entra ID's signing keys: cached, rotated, withdrawn, and when they cannot be read."""

from __future__ import annotations

import time as clock
import uuid
from dataclasses import replace
from typing import Any

import pytest

from dev.azure.admin import AzureAdmin
from errors import Unavailable
from settings import Settings
from tenancy.bearer import BearerTokens
from tenancy.deployment import Deployment
from tenancy.principal import Principal
from tenancy.signing_keys import (
    FAILURE_SECONDS,
    FRESH_SECONDS,
    LONGEST_USE,
    UNKNOWN_KEY_SECONDS,
    SigningKeys,
)
from tests.listener import listening
from tests.tenancy.tokens import (
    STRANGER,
    UNLISTED,
    Time,
    confirm,
    forge,
    key_requests,
    mint,
    refuse,
)


async def test_keys_are_read_once_for_many_tokens(
    tokens: BearerTokens, azure: AzureAdmin, principal: Principal
) -> None:
    await azure.clear_requests()
    for _ in range(5):
        await confirm(tokens, principal, await mint(azure, principal))
    assert await key_requests(azure) == 2  # the document and the list


async def test_rotated_key_is_learned_and_a_withdrawn_one_forgotten(
    tokens: BearerTokens, azure: AzureAdmin, principal: Principal, time: Time
) -> None:
    old = await mint(azure, principal)
    await confirm(tokens, principal, old)
    await azure.rotate_keys(withdraw=True)
    new = await mint(azure, principal)
    time.now += UNKNOWN_KEY_SECONDS
    assert await confirm(tokens, principal, new) == principal
    await refuse(tokens, principal, old, UNLISTED)


async def test_withdrawn_key_counts_an_hour_at_most(
    tokens: BearerTokens, azure: AzureAdmin, principal: Principal, time: Time
) -> None:
    old = await mint(azure, principal)
    await confirm(tokens, principal, old)
    await azure.rotate_keys(withdraw=True)
    time.now += FRESH_SECONDS - 1
    assert await confirm(tokens, principal, old) == principal
    time.now += 1
    await refuse(tokens, principal, old, UNLISTED)


async def test_unknown_keys_have_the_list_read_once_an_interval(
    tokens: BearerTokens, azure: AzureAdmin, principal: Principal, time: Time
) -> None:
    good = await mint(azure, principal)
    await confirm(tokens, principal, good)
    await azure.clear_requests()
    for requests in (0, 2):
        for _ in range(20):
            forged = forge(good, STRANGER, "RS256", kid=uuid.uuid4().hex)
            await refuse(tokens, principal, forged, UNLISTED)
        assert await key_requests(azure) == requests
        time.now += UNKNOWN_KEY_SECONDS


@pytest.mark.parametrize(
    "fault",
    [
        {"match": {"path": "openid-configuration"}, "status": 400},
        {"match": {"path": "discovery/v2.0/keys"}, "status": 404},
        {"match": {"path": "discovery/v2.0/keys"}, "status": 302,
         "headers": {"Location": "https://evil.example/"}},
        {"match": {"path": "discovery/v2.0/keys"}, "status": 200, "body": "<html>"},
        {"match": {"path": "discovery/v2.0/keys"}, "status": 200, "body": {"keys": []}},
        {"match": {"path": "discovery/v2.0/keys"}, "status": 200, "body": {"keys": [1, {}]}},
    ],
    ids=["no document", "no list", "redirect", "a page", "empty list", "odd list"],
)  # fmt: skip
async def test_keys_that_cannot_be_read_let_nobody_through(
    tokens: BearerTokens, faults: AzureAdmin, principal: Principal, time: Time, fault: Any
) -> None:
    token = await mint(faults, principal)
    await faults.add_fault(**fault)
    with pytest.raises(Unavailable, match="signing keys"):
        await confirm(tokens, principal, token)
    await faults.clear_faults()
    with pytest.raises(Unavailable):  # nobody waits for a host that is down in every request
        await confirm(tokens, principal, token)
    time.now += FAILURE_SECONDS
    assert await confirm(tokens, principal, token) == principal


@pytest.mark.parametrize("status", [201, 302, 404, 500])
async def test_only_a_200_is_an_answer(
    tokens: BearerTokens, faults: AzureAdmin, principal: Principal, app: Settings, status: int
) -> None:
    """Whatever its body says, and be it what a good one would."""
    body: Any = {"jwks_uri": f"{app.authority_host}/common/discovery/v2.0/keys"}
    await faults.add_fault(match={"path": "openid-configuration"}, status=status, body=body)
    with pytest.raises(Unavailable, match="signing keys"):
        await confirm(tokens, principal, await mint(faults, principal))


async def test_keys_at_hand_serve_for_a_day_while_no_others_can_be_read(
    tokens: BearerTokens, faults: AzureAdmin, principal: Principal, time: Time
) -> None:
    token = await mint(faults, principal)
    await confirm(tokens, principal, token)
    await faults.add_fault(match={"path": "openid-configuration"}, status=400)
    time.now += LONGEST_USE
    assert await confirm(tokens, principal, token) == principal
    time.now += FAILURE_SECONDS
    with pytest.raises(Unavailable, match="signing keys"):
        await confirm(tokens, principal, token)


async def test_unreachable_key_host_lets_nobody_through(
    app: Settings, deployment: Deployment, azure: AzureAdmin, principal: Principal
) -> None:
    async with listening() as listener:  # it hangs up
        away = replace(app, authority_host=listener.origin)
        tokens = BearerTokens(away, SigningKeys(away, lambda: deployment.transport))
        started = clock.monotonic()
        with pytest.raises(Unavailable, match="signing keys"):
            await confirm(tokens, principal, await mint(azure, principal))
        assert listener.calls
        assert clock.monotonic() - started < 8


async def test_keys_of_another_host_are_not_read(
    tokens: BearerTokens, faults: AzureAdmin, principal: Principal, app: Settings
) -> None:
    async with listening() as listener:
        moved = {f'"jwks_uri":"{app.authority_host}': f'"jwks_uri":"{listener.origin}'}
        await faults.add_fault(match={"path": "openid-configuration"}, replace=moved)
        with pytest.raises(Unavailable, match="signing keys"):
            await confirm(tokens, principal, await mint(faults, principal))
        assert listener.calls == 0
