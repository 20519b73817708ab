"""The keys that Entra ID signs tokens with: read from the configured authority, never from anywhere a token names.

They are read again after an hour, so that a withdrawn key stops counting; while that fails, the ones at hand serve for
a day, and then nobody's token counts any more. A token with an unknown key may be the first one after a rotation, so it
has them read again too, but not more often than every five minutes: anybody can invent key ids.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec
from azure.core import AsyncPipelineClient
from azure.core.exceptions import HttpResponseError
from azure.core.rest import HttpRequest

from errors import DriftError, Unavailable
from settings import Settings
from tenancy.origins import has_origin, origin_of
from tenancy.retry import call_with_retry

if TYPE_CHECKING:
    from azure.core.rest import AsyncHttpResponse
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

logger = logging.getLogger(__name__)

SERVICE = "Entra ID"
DOCUMENT = "/organizations/v2.0/.well-known/openid-configuration"  # of no directory in particular
FRESH_SECONDS = 3600.0
LONGEST_USE = 24 * 3600.0
UNKNOWN_KEY_SECONDS = 300.0  # between two readings that only an unknown key asks for
FAILURE_SECONDS = (
    10.0  # after one that failed: nobody waits for a host that is down in every request
)
BUDGET = 5.0  # seconds of a request that reading may take


@dataclass(frozen=True, slots=True)
class SigningKey:
    key: RSAPublicKey
    issuer: str  # whose tokens it may sign, `{tenantid}` for any directory's; '' when Entra ID does not say


class SigningKeys:
    """The keys of one cloud, by id. Shared by all requests of the process."""

    def __init__(
        self,
        settings: Settings,
        transport: Callable[[], Any],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._authority = settings.authority_host
        self._origins = {origin_of(one) for one in settings.issuers if one.endswith("/v2.0")}
        self._transport = transport
        self._clock = clock
        self._keys: dict[str, SigningKey] = {}
        self._read_at = self._next_try = -math.inf
        self._turn = asyncio.Lock()

    async def find(self, key_id: str) -> SigningKey | None:
        """None for a key that is not on the list. Raises Unavailable when there is no list that may be used."""
        if self._is_fresh() and key_id in self._keys:
            return self._keys[key_id]
        async with self._turn:
            now = self._clock()
            if now >= self._next_try:  # nor did whoever had the turn before have it read
                await self._read_again(now)
            if now - self._read_at > LONGEST_USE:
                raise Unavailable(
                    "Bearer tokens cannot be checked: Entra ID does not give its signing keys. Try again later."
                )
            return self._keys.get(key_id)

    def _is_fresh(self) -> bool:
        return self._clock() - self._read_at < FRESH_SECONDS

    async def _read_again(self, now: float) -> None:
        try:
            async with asyncio.timeout(BUDGET):
                self._keys = await self._read()
        except (DriftError, TimeoutError) as error:
            reason = str(error) or "it took too long"
            logger.warning("signing keys could not be read", extra={"reason": reason})
            self._next_try = now + FAILURE_SECONDS
            return
        self._read_at = now
        self._next_try = now + UNKNOWN_KEY_SECONDS

    async def _read(self) -> dict[str, SigningKey]:
        document = await self._get(self._authority + DOCUMENT)
        url = document.get("jwks_uri")
        if not isinstance(url, str) or not has_origin(url, self._origins):
            raise Unavailable("Entra ID named another host for its keys. They were not read.")
        listed = (await self._get(url)).get("keys")
        keys = dict(filter(None, map(_read_key, listed if isinstance(listed, list) else ())))
        if not keys:
            raise Unavailable("Entra ID's list of signing keys is empty.")
        return keys

    async def _get(self, url: str) -> dict[str, Any]:
        client: AsyncPipelineClient[HttpRequest, AsyncHttpResponse] = AsyncPipelineClient(
            self._authority, policies=[], transport=self._transport()
        )

        async def attempt(_: int) -> bytes:
            response = await client.send_request(HttpRequest("GET", url))
            if response.status_code != 200:  # a redirect is no answer
                raise HttpResponseError(response=response)
            return response.content

        try:
            body = await call_with_retry(attempt, service=SERVICE, budget=BUDGET)
            document = msgspec.json.decode(body)
        except HttpResponseError as error:
            raise Unavailable(
                f"Entra ID answered {error.status_code} for {urlsplit(url).path}."
            ) from error
        except (msgspec.DecodeError, RecursionError) as error:
            raise Unavailable(f"Entra ID gave no JSON for {urlsplit(url).path}.") from error
        if not isinstance(document, dict):
            raise Unavailable(f"Entra ID gave no JSON object for {urlsplit(url).path}.")
        return document


def _read_key(listed: Any) -> tuple[str, SigningKey] | None:
    """A key of the list; None for one of another kind, which is not for tokens like ours."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from jwt import PyJWK, PyJWTError

    if not isinstance(listed, dict) or listed.get("use", "sig") != "sig":
        return None
    try:
        key = PyJWK(listed, algorithm="RS256")
    except PyJWTError:
        return None
    if not isinstance(key.key, RSAPublicKey) or not key.key_id:
        return None
    return str(key.key_id), SigningKey(key.key, str(listed.get("issuer", "")))
