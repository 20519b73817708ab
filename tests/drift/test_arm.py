"""Where the token of a tenant goes: to the configured host and to the scope that is being read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from azure.core.credentials import AccessToken

from errors import Unavailable

ENDPOINT = "https://localhost:1"
LOCKS = (
    "/subscriptions/1b4e28ba-2fa1-4d21-883f-0016d3cca427/providers/Microsoft.Authorization/locks"
)


class CountingCredential:
    """Gives out a token and says how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def get_token(self, *_: Any, **__: Any) -> AccessToken:
        self.asked += 1
        return AccessToken("token", 2**40)

    async def close(self) -> None:
        pass

    async def __aexit__(self, *_: object) -> None:
        pass


@pytest.fixture
async def sent() -> AsyncIterator[tuple[Any, CountingCredential]]:
    from azure.core.pipeline.transport import AioHttpTransport

    from drift.arm import Arm
    from tenancy.connections import TenantCredential

    credential = CountingCredential()
    async with AioHttpTransport() as transport:
        yield (
            Arm(
                ENDPOINT,
                "https://localhost:1/.default",
                TenantCredential(credential, ""),
                transport,
            ),
            credential,
        )


@pytest.mark.parametrize(
    "link",
    [
        f"https://evil.example{LOCKS}?page=2",
        f"http://localhost:1{LOCKS}?page=2",
        f"https://localhost:2{LOCKS}?page=2",
        f"https://localhost:1@evil.example{LOCKS}?page=2",
        f"https://user@localhost:1{LOCKS}?page=2",
        "https://localhost:1/subscriptions/00000000-0000-0000-0000-000000000001"
        "/providers/Microsoft.Authorization/locks?page=2",
        "https://localhost:1/?page=2",
    ],
)
async def test_link_to_elsewhere_is_not_followed_and_gets_no_token(
    sent: tuple[Any, CountingCredential], link: str
) -> None:
    arm, credential = sent
    with pytest.raises(Unavailable, match="pointed to another"):
        await arm.get_link(link, scope=LOCKS)
    assert credential.asked == 0


@pytest.mark.parametrize("port", ["", ":443"])
async def test_default_port_is_the_same_host(port: str) -> None:
    from azure.core.pipeline import PipelineContext, PipelineRequest
    from azure.core.rest import HttpRequest

    from tenancy.origins import OneHostPolicy

    request = HttpRequest("GET", f"https://management.azure.com{port}{LOCKS}")
    OneHostPolicy("https://management.azure.com").on_request(
        PipelineRequest(request, PipelineContext(None))
    )
