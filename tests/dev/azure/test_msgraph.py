"""Microsoft Graph as far as it is simulated: it refuses what the real one refuses."""

from __future__ import annotations

import uuid
from typing import Any

import httpx2 as httpx
import pytest

from dev.azure.admin import AzureAdmin

ROLE = {"id": str(uuid.uuid4()), "value": "Reader", "isEnabled": True}


@pytest.fixture
async def graph(azure: Any, admin: AzureAdmin, http: httpx.AsyncClient) -> httpx.AsyncClient:
    token = await admin.mint_token(azure.contoso, "https://graph.microsoft.com", {"oid": "x"})
    http.headers["Authorization"] = f"Bearer {token}"
    return http


async def register(graph: httpx.AsyncClient) -> dict[str, Any]:
    body = {"displayName": "Test", "appRoles": [ROLE]}
    answer = await graph.post("/v1.0/applications", json=body)
    assert answer.status_code == 201
    made: dict[str, Any] = answer.json()
    return made


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


async def test_what_was_just_made_is_not_seen_yet(
    graph: httpx.AsyncClient, admin: AzureAdmin
) -> None:
    await admin.settings(directoryLagSeconds=3600)
    made = await register(graph)
    path = f"/v1.0/applications/{made['id']}"
    listed = await graph.get(f"/v1.0/applications?$filter=appId eq '{made['appId']}'")
    refused = [
        code_of(await graph.get(path)),
        code_of(await graph.patch(path, json={})),
        code_of(await graph.post(f"{path}/federatedIdentityCredentials", json={})),
        code_of(await graph.post("/v1.0/servicePrincipals", json={"appId": made["appId"]})),
    ]
    await admin.settings(directoryLagSeconds=0)
    assert listed.json()["value"] == []
    assert refused == [(404, "Request_ResourceNotFound")] * 3 + [
        (400, "NoBackingApplicationObject")
    ]
    assert (await graph.get(path)).json()["displayName"] == "Test"


async def test_second_of_the_same_is_a_conflict(graph: httpx.AsyncClient) -> None:
    made = await register(graph)
    principal = {"appId": made["appId"]}
    assert (await graph.post("/v1.0/servicePrincipals", json=principal)).status_code == 201
    conflict = (409, "Request_MultipleObjectsWithSameKeyValue")
    assert code_of(await graph.post("/v1.0/servicePrincipals", json=principal)) == conflict
    path = f"/v1.0/applications/{made['id']}/federatedIdentityCredentials"
    first = {"name": "a", "issuer": "https://i", "subject": "s", "audiences": ["api://x"]}
    assert (await graph.post(path, json=first)).status_code == 201
    assert code_of(await graph.post(path, json={**first, "subject": "other"})) == conflict
    assert code_of(await graph.post(path, json={**first, "name": "b"})) == conflict


async def test_enabled_role_cannot_be_taken_away(graph: httpx.AsyncClient) -> None:
    path = f"/v1.0/applications/{(await register(graph))['id']}"
    answer = await graph.patch(path, json={"appRoles": []})
    assert code_of(answer) == (400, "CannotDeleteOrUpdateEnabledEntitlement")
    assert (await graph.get(path)).json()["appRoles"] == [ROLE]


async def test_filters_it_does_not_know_and_other_tokens_are_refused(
    graph: httpx.AsyncClient, token: str
) -> None:
    answer = await graph.get("/v1.0/applications?$filter=startswith(displayName,'T')")
    assert code_of(answer) == (400, "Request_UnsupportedQuery")
    graph.headers["Authorization"] = f"Bearer {token}"
    assert code_of(await graph.get("/v1.0/applications")) == (401, "InvalidAuthenticationToken")


async def test_other_directories_have_their_own(
    azure: Any, graph: httpx.AsyncClient, admin: AzureAdmin
) -> None:
    made = await register(graph)
    other = await admin.mint_token(azure.fabrikam, "https://graph.microsoft.com", {"oid": "x"})
    graph.headers["Authorization"] = f"Bearer {other}"
    answer = await graph.get(f"/v1.0/applications/{made['id']}")
    assert code_of(answer) == (404, "Request_ResourceNotFound")
