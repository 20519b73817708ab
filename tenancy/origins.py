"""Where requests with a token may go. Clients of Azure follow what an answer names: a `nextLink`, a Location."""

from __future__ import annotations

from collections.abc import Collection
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
        self._origins = {origin_of(endpoint)}

    def on_request(self, request: PipelineRequest[Any]) -> None:
        if not has_origin(request.http_request.url, self._origins):
            raise Unavailable("Azure pointed to another host. The request was not sent.")


def has_origin(url: str, allowed: Collection[tuple[str, str]]) -> bool:
    """Whether an address that somebody else named leads to one of these origins. What is no address leads nowhere."""
    try:
        return origin_of(url) in allowed
    except ValueError:
        return False


def origin_of(url: str) -> tuple[str, str]:
    """Scheme and authority; the port that a scheme has anyway says nothing. Raises ValueError for what is no address,
    such as brackets of IPv6 that are not closed."""
    scheme, authority = urlsplit(url)[:2]
    default = {"https": ":443", "http": ":80"}.get(scheme, "")
    return scheme, authority.lower().removesuffix(default)
