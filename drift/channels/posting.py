"""One HTTP request to a foreign host: to a checked address, with its name in TLS, once, and without redirects.

Nothing of the answer is read but its status and Retry-After, so its size and content do not matter. aiohttp is imported
with the first notice: nothing else needs it here.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from drift.channels.addresses import AddressRefused, Guard, Place
from drift.channels.answers import Answer, Request
from tenancy.retry import read_retry_after

if TYPE_CHECKING:
    from aiohttp.abc import AbstractResolver

SECONDS = 20.0  # for all of it
CONNECTING_SECONDS = 10.0
AGENT = "Azure-Drift-Detector/1"
GONE = 410


@cache
def trust() -> ssl.SSLContext:
    """The system's certificates, or those of SSL_CERT_FILE. One context: loading them takes longer than sending."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


async def post(request: Request, place: Place, guard: Guard) -> Answer:
    """Sends it once and says how that ended. Raises nothing that the other side can cause."""
    import aiohttp

    try:
        return await _post(request, place, await guard.addresses(place))
    except AddressRefused as error:
        return Answer(False, reason=str(error), final=True)
    except (TimeoutError, OSError, ValueError, aiohttp.ClientError) as error:
        return Answer(False, reason=_why(error))


async def _post(request: Request, place: Place, addresses: Sequence[str]) -> Answer:
    import aiohttp
    from yarl import URL

    url = URL(request.url, encoded=True)
    if (url.host, url.port) != (place.host, place.port):
        raise AddressRefused("The address is not one that notices may go to. Set another one.")
    timeout = aiohttp.ClientTimeout(total=SECONDS, sock_connect=CONNECTING_SECONDS)
    async with (
        aiohttp.TCPConnector(
            resolver=_fixed(addresses), use_dns_cache=False, force_close=True, ssl=trust()
        ) as connector,
        aiohttp.ClientSession(
            connector=connector,
            timeout=timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        ) as session,
        session.post(
            url,
            data=request.body,
            headers={"User-Agent": AGENT, "Accept-Encoding": "identity", **request.headers},
            allow_redirects=False,
        ) as response,
    ):
        return _read(response.status, response.headers.get("Retry-After", ""))


def _read(status: int, retry_after: str) -> Answer:
    if 200 <= status < 300:
        return Answer(True, status)
    reason = f"It answered {status}."
    if 300 <= status < 400:
        reason = f"It answered {status}, which leads elsewhere. Redirects are not followed."
    wait = read_retry_after(retry_after) if retry_after else 0.0
    return Answer(False, status, reason, retry_after=wait, gone=status == GONE)


def _why(error: Exception) -> str:
    """What went wrong on the way, without what the error says: it may name addresses."""
    import aiohttp

    if isinstance(error, TimeoutError):
        return "It did not answer in time."
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        return "Its certificate is not to be trusted, or TLS failed."
    if isinstance(error, socket.gaierror):
        return "Its name could not be resolved."
    if isinstance(error, aiohttp.ClientConnectorError):
        return "It could not be reached."
    return "The connection broke off, or what it answered is not HTTP."


def _fixed(addresses: Sequence[str]) -> AbstractResolver:
    """A resolver that knows the addresses that were looked at and asks nobody."""
    from aiohttp.abc import AbstractResolver, ResolveResult

    class Fixed(AbstractResolver):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
            return [
                ResolveResult(
                    hostname=host,
                    host=address,
                    port=port,
                    family=_family(address),
                    proto=0,
                    flags=socket.AI_NUMERICHOST,
                )
                for address in addresses
            ]

        async def close(self) -> None:
            """It holds nothing."""

    return Fixed()


def _family(address: str) -> int:
    six = ipaddress.ip_address(address).version == 6
    return socket.AF_INET6 if six else socket.AF_INET
