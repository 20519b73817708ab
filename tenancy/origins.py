"""Where requests with a token may go. Clients of Azure follow what an answer names: a `nextLink`, a Location."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import SansIOHTTPPolicy

from errors import Unavailable


class OneHostPolicy(SansIOHTTPPolicy[Any, Any]):
    """Refuses requests to any other origin than the configured one, before authentication adds the token.

    It belongs behind a client's redirect and retry policies, so that every single request passes it.
    """

    def __init__(self, endpoint: str) -> None:
        super().__init__()
        self._origin = origin_of(endpoint)

    def on_request(self, request: PipelineRequest[Any]) -> None:
        if origin_of(request.http_request.url) != self._origin:
            raise Unavailable("Azure pointed to another host. The request was not sent.")


def origin_of(url: str) -> tuple[str, str]:
    """Scheme and authority; the port that a scheme has anyway says nothing. What is no address is no configured one."""
    try:
        scheme, authority = urlsplit(url)[:2]
    except ValueError:  # brackets of an IPv6 address that are not closed
        return "", ""
    default = {"https": ":443", "http": ":80"}.get(scheme, "")
    return scheme, authority.lower().removesuffix(default)
