"""Where a request with a token may go: to the configured origin and nowhere else."""

from __future__ import annotations

import pytest
from azure.core.pipeline import PipelineContext, PipelineRequest
from azure.core.rest import HttpRequest

from errors import Unavailable
from tenancy.origins import OneHostPolicy


def send(url: str, *, endpoint: str) -> None:
    request: PipelineRequest = PipelineRequest(HttpRequest("GET", url), PipelineContext(None))
    OneHostPolicy(endpoint).on_request(request)


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("https://vault.example", "https://vault.example/secrets/x?a=1"),
        ("https://vault.example", "https://VAULT.example:443/"),
        ("https://Vault.Example:443/", "https://vault.example"),
        ("http://vault.example", "http://vault.example:80/x"),
        ("https://127.0.0.1:8443", "https://127.0.0.1:8443/x"),
    ],
)
def test_request_to_the_endpoint_goes_out(endpoint: str, url: str) -> None:
    send(url, endpoint=endpoint)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/secrets/x",
        "https://vault.example.evil.example/",
        "https://vault.example@evil.example/",
        "https://evil.example/https://vault.example/",
        "https://xvault.example/",
        "http://vault.example/",
        "https://vault.example:8443/",
        "https://vault.example:80/",
        "http://vault.example:443/",
        "//vault.example/",
        "/secrets/x",
        "https://[x",
        "https://vault.example]/",
    ],
)
def test_request_elsewhere_is_not_sent(url: str) -> None:
    with pytest.raises(Unavailable) as refused:
        send(url, endpoint="https://vault.example")
    assert refused.value.message == "Azure pointed to another host. The request was not sent."
