"""The app's API as a program elsewhere reaches it, a pipeline say: with a token of Entra ID, and a limit on patience.

Whatever is not the answer that was asked for raises, in words for whoever reads the pipeline's log: a sign-in page, a
redirect to one and an answer that never comes look like nothing wrong to a program that does not look.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated, Unavailable

if TYPE_CHECKING:
    import aiohttp

TOKEN, PRINCIPAL = "DRIFT_TOKEN", "DRIFT_PRINCIPAL"  # environment variables
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
LARGEST_ANSWER = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Remote:
    """One tenant at one deployment."""

    url: str
    tenant_id: str
    headers: Mapping[str, str] = field(repr=False)  # how the caller signs in
    seconds: float  # that one request may take

    async def ask(self, path: str, method: str = "GET") -> dict[str, Any]:
        """The JSON object that is answered. Raises the error that fits whatever else comes back."""
        import aiohttp

        limit = aiohttp.ClientTimeout(total=self.seconds)
        headers = {**self.headers, "X-Tenant-Id": self.tenant_id, "Accept": "application/json"}
        try:
            async with (
                aiohttp.ClientSession(timeout=limit, trust_env=True) as session,
                session.request(
                    method, self.url + path, headers=headers, allow_redirects=False
                ) as answer,
            ):
                return _read(answer, await _body_of(answer))
        except TimeoutError:
            raise Unavailable(
                f"{self.url} did not answer within {self.seconds:g} seconds."
            ) from None
        except aiohttp.ClientError as error:
            raise Unavailable(f"{self.url} cannot be reached: {error}") from error


def check_url(url: str) -> str:
    """The address without a slash at its end. Raises Invalid for one that would send a token in the clear."""
    parts = urlsplit(url)
    secure = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
    if not secure or not parts.hostname or parts.query or parts.fragment:
        raise Invalid(
            f"--url must be like https://drift.example.com, not {url!r}: a token is never sent unencrypted.",
            field="url",
        )
    return url.rstrip("/")


async def sign_in(scope: str, seconds: float) -> dict[str, str]:
    """The headers of a sign-in: by a token of the environment, or by whatever identity azure-identity finds."""
    if token := os.environ.get(TOKEN):
        return {"Authorization": f"Bearer {token}"}
    if principal := os.environ.get(PRINCIPAL):  # an app that is not in Azure, on this machine
        return {"X-MS-CLIENT-PRINCIPAL": principal}
    if not scope:
        raise Invalid(
            f"Say for which app a token is wanted: --client-id or --scope. Or put a token into {TOKEN}.",
            field="scope",
        )
    return {"Authorization": f"Bearer {await _token(scope, seconds)}"}


async def _token(scope: str, seconds: float) -> str:
    from azure.core.exceptions import AzureError
    from azure.identity.aio import DefaultAzureCredential

    async with DefaultAzureCredential() as credential:
        try:
            found = await asyncio.wait_for(credential.get_token(scope), seconds)
        except TimeoutError:
            raise Unavailable(f"No identity answered within {seconds:g} seconds.") from None
        except AzureError as error:
            first = str(error).strip().partition("\n")[0]
            raise Unauthenticated(f"No token for {scope}: {first}") from error
    return found.token


async def _body_of(answer: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in answer.content.iter_chunked(64 * 1024):
        body += chunk
        if len(body) > LARGEST_ANSWER:
            raise Unavailable(f"The app's answer is over {LARGEST_ANSWER} bytes.")
    return bytes(body)


def _read(answer: aiohttp.ClientResponse, body: bytes) -> dict[str, Any]:
    status = answer.status
    if 300 <= status < 400:
        raise Unauthenticated(
            f"The app leads to another page ({status}) instead of answering: it does not take this sign-in. "
            "Is App Service authentication set to answer 401?"
        )
    document = _parse(body)
    if status >= 400:
        raise _refused(status, str((document or {}).get("detail", "")))
    if document is None:
        kind = answer.headers.get("Content-Type", "nothing").partition(";")[0]
        raise Unavailable(
            f"The app answered with {kind} instead of JSON: a sign-in page, or not this app at all."
        )
    return document


def _parse(body: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _refused(status: int, detail: str) -> Exception:
    said = f" {detail}" if detail else ""
    match status:
        case 401:
            return Unauthenticated(f"The app does not take this sign-in (401).{said}")
        case 403:
            return Forbidden(f"This identity may not do that (403).{said}")
        case 404:
            return NotFound(
                f"There is no such tenant here, or this identity is no member of it (404).{said}"
            )
        case 409:
            return Conflict(f"That does not go now (409).{said}")
        case _:
            return Unavailable(f"The app failed ({status}).{said}")
