"""The admin's client, for tests, the demo and benches."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Self

import httpx2 as httpx

from dev.azure.document import Json, JsonObject, encode


class AdminRefusedError(Exception):
    """The admin did not do it; the message is its own and names the field."""


class AzureAdmin:
    """Names in bodies are the API's own (camelCase): what is sent here is what the API documents."""

    def __init__(self, admin_url: str) -> None:
        # Plain HTTP: a context that trusts nothing spares reading the system's certificates.
        nothing = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._client = httpx.AsyncClient(base_url=admin_url, verify=nothing, timeout=60)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._client.aclose()

    async def put_directory(
        self, directory_id: str, *, name: str, applications: Iterable[Mapping[str, Any]] = ()
    ) -> None:
        body = {"name": name, "applications": [dict(one) for one in applications]}
        await self._send("PUT", f"/directories/{directory_id}", body)

    async def delete_directory(self, directory_id: str) -> None:
        await self._send("DELETE", f"/directories/{directory_id}")

    async def put_subscription(
        self, subscription_id: str, *, directory_id: str, **members: Json
    ) -> None:
        """`members`: displayName, state, readers, writers, denied, delegatedTo."""
        body: JsonObject = {"directoryId": directory_id, **members}
        await self._send("PUT", f"/subscriptions/{subscription_id}", body)

    async def add_resources(self, documents: Iterable[JsonObject]) -> int:
        """Adds or replaces, without change records."""
        lines = b"\n".join(encode(document) for document in documents)
        answer = await self._send("POST", "/resources", lines)
        added = answer["added"]
        assert isinstance(added, int)
        return added

    async def resources(self, subscription_id: str) -> list[JsonObject]:
        answer = await self._send("GET", f"/resources?subscription={subscription_id}")
        value = answer["value"]
        assert isinstance(value, list)
        return [one for one in value if isinstance(one, dict)]

    async def edit(self, resource_id: str = "", **members: Json) -> str:
        """`members`: set, remove, create, delete, actor, operation, correlationId, silent. The touched id."""
        answer = await self._send("POST", "/edits", {"resourceId": resource_id, **members})
        return str(answer["resourceId"])

    async def stir(self, subscription_id: str, *, seed: int = 0) -> int:
        """Changes what Azure changes by itself, everywhere in the subscription: a scan must find no drift."""
        body: JsonObject = {"subscriptionId": subscription_id, "seed": seed}
        stirred = (await self._send("POST", "/stirs", body))["stirred"]
        assert isinstance(stirred, int)
        return stirred

    async def add_fault(self, **members: Json) -> int:
        """`members`: match, status, headers, body, delaySeconds, times, abort, replace. The fault's id."""
        answer = await self._send("POST", "/faults", members)
        identity = answer["id"]
        assert isinstance(identity, int)
        return identity

    async def faults(self) -> list[JsonObject]:
        """As they were ordered, and how many requests each has met: `used` counts one as soon as it has come."""
        value = (await self._send("GET", "/faults"))["value"]
        assert isinstance(value, list)
        return [one for one in value if isinstance(one, dict)]

    async def clear_faults(self) -> None:
        await self._send("DELETE", "/faults")

    async def settings(self, **members: Json) -> JsonObject:
        """`members`: quota, graphLagSeconds, directoryLagSeconds, pageSize, emptyPages, throttle, tokenLifetimeSeconds,
        vaultPrincipals.

        All settings as they are now."""
        return await self._send("PUT", "/settings", members)

    async def requests(self) -> JsonObject:
        """`counts` by kind, and `log`, the last requests."""
        return await self._send("GET", "/requests")

    async def clear_requests(self) -> None:
        await self._send("DELETE", "/requests")

    async def mint_token(self, directory_id: str, audience: str, claims: JsonObject) -> str:
        body: JsonObject = {"directoryId": directory_id, "audience": audience, "claims": claims}
        return str((await self._send("POST", "/tokens", body))["token"])

    async def rotate_keys(self, *, publish: bool = True, withdraw: bool = False) -> None:
        """Entra ID signs with a new key, published or not; with `withdraw` the earlier ones are published no more."""
        await self._send("POST", "/signing-keys", {"publish": publish, "withdraw": withdraw})

    async def _send(
        self, method: str, path: str, body: Mapping[str, Any] | bytes | None = None
    ) -> JsonObject:
        content = body if isinstance(body, bytes) else encode(body) if body is not None else None
        response = await self._client.request(method, path, content=content)
        if response.status_code == 204:
            return {}
        answer = response.json()
        if response.status_code >= 400:
            raise AdminRefusedError(f"{answer.get('field')}: {answer.get('message')}")
        assert isinstance(answer, dict)
        return answer
