"""Who gets in and who does not, as attackers try it (A01, A07 to A17, A19 to A22), at the wire.

What a header or a token is worth by itself is in tests/tenancy/test_principal.py and test_bearer.py.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx2 as httpx
import pytest

from dev.azure.admin import AzureAdmin
from dev.demo.client import Product, principal_header
from settings import Settings
from tenancy.deployment import Deployment
from tenancy.tenants import PLATFORM
from tests.api.instances import running
from tests.api.members import Sign, add, allow_roles, body, give, header_of, take_out

OPEN = {("GET", "/healthz")}
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
CLIENT_ID = str(uuid.uuid4())
FORWARDED = {
    "X-Forwarded-For": "127.0.0.1",
    "X-Forwarded-Host": "localhost",
    "X-Forwarded-Proto": "http",
    "X-Original-URL": "/healthz",
    "X-Original-Host": "localhost",
    "X-Rewrite-URL": "/healthz",
    "X-Client-IP": "127.0.0.1",
    "Forwarded": "for=127.0.0.1;host=localhost",
}


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
async def routes(url: str) -> list[tuple[str, str]]:
    """Every route, with ids of nothing in its path."""
    async with httpx.AsyncClient(base_url=url) as client:
        paths = (await client.get("/api/openapi.json")).json()["paths"]
    found = [(method.upper(), path) for path, methods in paths.items() for method in methods]
    assert len(found) > 40
    return [(method, path.replace("{", "").replace("}", "")) for method, path in found]


@pytest.fixture
async def unprotected(settings: Settings) -> AsyncIterator[str]:
    """An instance without App Service authentication and without the development sign-in."""
    async with running(replace(settings, development_sign_in=False), now) as url:
        yield url


@pytest.fixture
async def behind_easy_auth(settings: Settings) -> AsyncIterator[str]:
    """An instance that App Service authentication stands before, as in Azure."""
    audiences = frozenset({CLIENT_ID, f"api://{CLIENT_ID}"})
    azure = replace(settings, development_sign_in=False, auth_enabled=True, audiences=audiences)
    async with running(azure, now) as url:
        yield url


async def test_a01_forged_header_without_authentication_is_nobody_everywhere(
    unprotected: str, settings: Settings, routes: list[tuple[str, str]], tenant_id: str
) -> None:
    header = principal_header(
        settings.platform_directory_id, str(uuid.uuid4()), "Mallory", "Platform.Operator"
    )
    headers = {"X-MS-CLIENT-PRINCIPAL": header, "X-Tenant-Id": tenant_id}
    async with httpx.AsyncClient(base_url=unprotected, headers=headers) as client:
        for method, path in set(routes) - OPEN:
            answer = await client.request(method, path)
            assert (method, path, answer.status_code) == (method, path, 401)
            assert answer.json()["code"] == "unauthenticated"
            assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_a07_stranger_with_a_good_sign_in_gets_nothing_and_leaves_nothing(
    sign_in: Sign, tenant_id: str, deployment: Deployment
) -> None:
    directory, someone = str(uuid.uuid4()), str(uuid.uuid4())
    header = header_of(directory, someone, "Drift.Admin", "Platform.Operator")
    assert (await sign_in(header).get("/api/settings")).status_code == 403
    assert (await sign_in(header, tenant=tenant_id).get("/api/settings")).status_code == 404
    assert (await sign_in(header).get("/api/tenants")).status_code == 404
    me = (await sign_in(header).get("/api/me")).json()
    assert (me["tenants"], me["platformOperator"]) == ([], False)
    for table in ("tenant", "user", "audit", "usage", PLATFORM):
        client = await deployment.tables.client(table)
        rows = [row async for row in client.list_entities()]
        assert directory not in str(rows)
        assert someone not in str(rows)


async def test_a08_member_of_an_offboarded_tenant_is_out(
    admin: httpx.AsyncClient, operator: Product, sign_in: Sign, organisation: Any, tenant_id: str
) -> None:
    assert (await admin.get("/api/settings")).status_code == 200
    await operator.request("DELETE", f"/api/tenants/{tenant_id}")
    chosen = sign_in(organisation.admin_header, tenant=tenant_id)
    assert (await admin.get("/api/settings")).status_code == 403
    assert (await chosen.get("/api/settings")).status_code == 404
    assert (await admin.get("/api/me")).json()["tenants"] == []


async def test_a10_mail_address_of_an_admin_opens_no_door(
    admin: httpx.AsyncClient, sign_in: Sign, organisation: Any, tenant_id: str
) -> None:
    await add(admin, body(organisation, name="ada@contoso.com", role="admin"))
    mail = dict.fromkeys(("email", "upn", "preferred_username", "unique_name"), "ada@contoso.com")
    for directory in (str(uuid.uuid4()), organisation.directory_id):
        thief = sign_in(header_of(directory, str(uuid.uuid4()), **mail), tenant=tenant_id)
        assert (await thief.get("/api/settings")).status_code == 404


async def test_a11_account_made_again_under_the_same_name_inherits_nothing(
    admin: httpx.AsyncClient, sign_in: Sign, organisation: Any, tenant_id: str
) -> None:
    given = body(organisation, name="olga@contoso.com")
    await add(admin, given)
    upn = {"upn": "olga@contoso.com"}
    first = sign_in(header_of(given["directoryId"], given["objectId"], **upn), tenant=tenant_id)
    again = sign_in(header_of(given["directoryId"], str(uuid.uuid4()), **upn), tenant=tenant_id)
    assert (await first.get("/api/settings")).status_code == 200
    assert (await again.get("/api/settings")).status_code == 404


async def test_a12_guest_has_the_role_given_here_and_nothing_of_home(
    admin: httpx.AsyncClient, sign_in: Sign, organisation: Any, new_organisation: Any,
    operator: Product, tenant_id: str
) -> None:  # fmt: skip
    """A guest of A signs in with A's directory and an object id of A's; its home B knows it under another one."""
    home = await new_organisation()
    there = (await operator.request("POST", "/api/tenants", home.tenant_body()))["id"]
    given = body(organisation, name="guest", role="viewer")
    await add(admin, given)
    idp = f"https://sts.windows.net/{home.directory_id}/"
    header = header_of(given["directoryId"], given["objectId"], "Drift.Admin", idp=idp)
    assert (await sign_in(header, tenant=tenant_id).get("/api/settings")).status_code == 200
    assert (await sign_in(header, tenant=tenant_id).post("/api/scans")).status_code == 403
    assert (await sign_in(header, tenant=there).get("/api/settings")).status_code == 404
    own = header_of(home.directory_id, home.admin_object_id)
    assert (await sign_in(own, tenant=tenant_id).get("/api/settings")).status_code == 404


async def test_a13_guest_without_an_invitation_has_no_role(
    admin: httpx.AsyncClient, sign_in: Sign, organisation: Any, tenant_id: str
) -> None:
    await allow_roles(admin, True)
    for claims in ({"idp": "live.com"}, {"acct": "1"}, {"idp": "https://idp.evil.example"}):
        header = header_of(organisation.directory_id, str(uuid.uuid4()), "Drift.Admin", **claims)
        assert (await sign_in(header, tenant=tenant_id).get("/api/settings")).status_code == 404
        assert (await sign_in(header).get("/api/me")).json()["tenants"] == []
    member = sign_in(header_of(organisation.directory_id, str(uuid.uuid4()), "Drift.Viewer"))
    assert (await member.get("/api/settings")).status_code == 200


@pytest.mark.parametrize("marks", [{"idtyp": "app"}, {"sub": "own"}], ids=["idtyp", "sub"])
async def test_a14_application_without_an_app_role_or_a_row_is_nobody(
    admin: httpx.AsyncClient, sign_in: Sign, organisation: Any, tenant_id: str, marks: Any
) -> None:
    await allow_roles(admin, True)
    daemon = str(uuid.uuid4())
    claims = {name: daemon if value == "own" else value for name, value in marks.items()}
    for roles in ((), ("Other.Role",)):
        client = sign_in(
            header_of(organisation.directory_id, daemon, *roles, **claims), tenant=tenant_id
        )
        assert (await client.get("/api/settings")).status_code == 404
    assigned = sign_in(header_of(organisation.directory_id, daemon, "Drift.Viewer", **claims))
    assert (await assigned.get("/api/settings")).status_code == 200


@pytest.mark.parametrize("marks", [{"idtyp": "app"}, {"sub": "own"}], ids=["idtyp", "sub"])
async def test_a15_application_and_person_are_not_taken_for_each_other(
    admin: httpx.AsyncClient, sign_in: Sign, organisation: Any, tenant_id: str, marks: Any
) -> None:
    for kind in ("application", "person"):
        given = body(organisation, kind=kind)
        await add(admin, given)
        claims = {
            name: given["objectId"] if value == "own" else value for name, value in marks.items()
        }
        ids = given["directoryId"], given["objectId"]
        as_application = sign_in(header_of(*ids, **claims), tenant=tenant_id)
        as_person = sign_in(header_of(*ids, sub="pairwise"), tenant=tenant_id)
        right, wrong = (
            (as_application, as_person) if kind == "application" else (as_person, as_application)
        )
        assert (await right.get("/api/settings")).status_code == 200
        assert (await wrong.get("/api/settings")).status_code == 404


async def test_a16_groups_overage_gives_no_role(
    admin: httpx.AsyncClient, sign_in: Sign, organisation: Any, tenant_id: str
) -> None:
    await allow_roles(admin, True)
    claims = {"_claim_names": '{"groups":"src1"}', "groups": "Drift.Admin", "wids": "Drift.Admin"}
    header = header_of(organisation.directory_id, str(uuid.uuid4()), **claims)
    assert (await sign_in(header, tenant=tenant_id).get("/api/settings")).status_code == 404


async def test_a17_role_that_was_taken_away_is_gone_with_the_next_request(
    admin: httpx.AsyncClient, sign_in: Sign, organisation: Any
) -> None:
    given = body(organisation)
    user = await add(admin, given)
    olga = sign_in(header_of(given["directoryId"], given["objectId"]))
    assert (await olga.post("/api/scans")).status_code == 202
    user = (await give(admin, user, "viewer")).json()
    assert (await olga.post("/api/scans")).status_code == 403
    assert (await olga.get("/api/settings")).status_code == 200
    await take_out(admin, user)
    assert (await olga.get("/api/settings")).status_code == 403
    await allow_roles(admin, True)
    member = sign_in(header_of(organisation.directory_id, str(uuid.uuid4()), "Drift.Viewer"))
    assert (await member.get("/api/settings")).status_code == 200
    await allow_roles(admin, False)
    assert (await member.get("/api/settings")).status_code == 403


async def test_a17_another_instance_knows_at_once(
    admin: httpx.AsyncClient, settings: Settings, organisation: Any
) -> None:
    given = body(organisation)
    header = header_of(given["directoryId"], given["objectId"])
    async with running(settings, now) as elsewhere, httpx.AsyncClient(base_url=elsewhere) as olga:
        olga.headers["X-MS-CLIENT-PRINCIPAL"] = header
        assert (await olga.get("/api/settings")).status_code == 403
        user = await add(admin, given)
        assert (await olga.get("/api/settings")).status_code == 200
        await take_out(admin, user)
        assert (await olga.get("/api/settings")).status_code == 403


async def test_a18_bearer_token_at_the_wire(
    behind_easy_auth: str, azure: AzureAdmin, organisation: Any, tenant_id: str
) -> None:
    """One's own opens, somebody else's does not, nor does what is none."""
    ids = organisation.directory_id, organisation.admin_object_id
    own = await azure.mint_token(ids[0], CLIENT_ID, {"oid": ids[1]})
    other = await azure.mint_token(ids[0], CLIENT_ID, {"oid": str(uuid.uuid4())})
    elsewhere = await azure.mint_token(ids[0], "https://graph.microsoft.com", {"oid": ids[1]})
    headers = {"X-MS-CLIENT-PRINCIPAL": header_of(*ids)}
    async with httpx.AsyncClient(base_url=behind_easy_auth, headers=headers) as client:
        for token, status in ((own, 200), (other, 401), (elsewhere, 401), ("x", 401)):
            given = {"Authorization": f"Bearer {token}"}
            answer = await client.get("/api/settings", headers=given)
            assert (answer.status_code, token in answer.text) == (status, False)
        assert (await client.get("/api/settings")).status_code == 200  # a browser's session
        twice = [*client.headers.items(), *[("Authorization", f"Bearer {own}")] * 2]
        async with httpx.AsyncClient(base_url=behind_easy_auth, headers=twice) as doubled:
            assert (await doubled.get("/api/settings")).status_code == 401
    async with httpx.AsyncClient(base_url=behind_easy_auth) as client:  # a token is no sign-in
        answer = await client.get("/api/settings", headers={"Authorization": f"Bearer {own}"})
        assert answer.status_code == 401


async def test_a18_keys_that_cannot_be_read_are_a_503(
    behind_easy_auth: str, azure: AzureAdmin, organisation: Any, tenant_id: str
) -> None:
    ids = organisation.directory_id, organisation.admin_object_id
    token = await azure.mint_token(ids[0], CLIENT_ID, {"oid": ids[1]})
    headers = {"X-MS-CLIENT-PRINCIPAL": header_of(*ids), "Authorization": f"Bearer {token}"}
    await azure.add_fault(match={"path": "openid-configuration"}, status=400)
    try:
        async with httpx.AsyncClient(base_url=behind_easy_auth, headers=headers) as client:
            answer = await client.get("/api/settings")
    finally:
        await azure.clear_faults()
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert "signing keys" in answer.json()["detail"]


@pytest.mark.parametrize(
    "path",
    [
        "/api/settings",
        "/api/settings?code=anything",
        "/api/settings?code=anything&clientId=master",
        "/api/findings",
        "/API/settings",
        "//api/settings",
        "/admin/host/status",
        "/admin/host/keys",
        "/admin/functions/tick",
        "/runtime/webhooks/durabletask/instances",
        "/runtime/webhooks/blobs?functionName=x",
        "/.auth/me",
    ],
)
async def test_a19_way_around_the_sign_in_page_leads_nowhere(
    behind_easy_auth: str, tenant_id: str, path: str
) -> None:
    """Keys of the host, its administration, another host name: none of them is a principal."""
    headers = {
        "X-Tenant-Id": tenant_id,
        "x-functions-key": "anything",
        "Authorization": "Basic JGFwcDpwYXNz",
        "Host": "app-staging.scm.azurewebsites.net",
    }
    async with httpx.AsyncClient(base_url=behind_easy_auth, headers=headers) as client:
        for method in ("GET", "POST"):
            answer = await client.request(method, path)
            # 422: a query parameter that no route knows, whoever asks.
            assert answer.status_code in {401, 403, 404, 405, 422}
            assert tenant_id not in answer.text


async def test_a20_forwarded_headers_change_nothing(
    url: str, behind_easy_auth: str, operator: Product, organisation: Any, tenant_id: str
) -> None:
    own = {"X-MS-CLIENT-PRINCIPAL": organisation.admin_header}
    async with httpx.AsyncClient(base_url=url) as client:
        # Development sign-in asks for the host that was called, not for what somebody says of it.
        away = own | FORWARDED | {"Host": "drift.example"}
        assert (await client.get("/api/me", headers=away)).status_code == 401
        assert (await client.get("/api/settings", headers=FORWARDED)).status_code == 401
        home = own | {
            name: value.replace("localhost", "evil.example") for name, value in FORWARDED.items()
        }
        answer = await client.get("/api/audit?maxpagesize=1", headers=home)
        assert answer.json()["nextLink"].startswith("/api/audit?")
        assert "evil.example" not in answer.text + str(answer.headers)
    async with httpx.AsyncClient(base_url=behind_easy_auth, headers=FORWARDED) as client:
        assert (await client.get("/api/settings")).status_code == 401


async def test_a21_change_from_a_foreign_page_is_refused_on_every_route(
    behind_easy_auth: str, routes: list[tuple[str, str]], organisation: Any, tenant_id: str
) -> None:
    """With the session and without a header that only scripts of this site can send: no form is let in."""
    headers = {
        "X-MS-CLIENT-PRINCIPAL": organisation.admin_header,
        "Cookie": "AppServiceAuthSession=x",
        "Origin": "https://evil.example",
        "Content-Type": "text/plain",
    }
    unsafe = [one for one in routes if one[0] in UNSAFE]
    assert len(unsafe) > 20
    async with httpx.AsyncClient(base_url=behind_easy_auth, headers=headers) as client:
        for method, path in unsafe:
            answer = await client.request(method, path, content=b"{}")
            assert (method, path, answer.status_code) == (method, path, 403)
            assert "X-Requested-With" in answer.json()["detail"]
            assert "Access-Control-Allow-Origin" not in answer.headers
        preflight = {
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "x-requested-with",
        }
        for _, path in unsafe:
            answer = await client.options(path, headers=preflight)
            assert "Access-Control-Allow-Origin" not in answer.headers


async def test_a22_no_route_believes_a_callback_about_consent(url: str) -> None:
    """Whose directory a tenant is says the platform operator; consent is seen when a token can be had."""
    async with httpx.AsyncClient(base_url=url) as client:
        document = (await client.get("/api/openapi.json")).json()
    names = {
        parameter.get("name")  # those that routes share are headers
        for methods in document["paths"].values()
        for route in methods.values()
        for parameter in route.get("parameters", ())
    }
    assert not names & {"tenant", "state", "admin_consent", "code", "session_state", "id_token"}
    assert not [path for path in document["paths"] if "consent" in path or "callback" in path]


@pytest.mark.parametrize(
    "name", ["x-ms-request-id", "x-ms-client-request-id", "x-request-id", "traceparent"]
)
async def test_request_id_is_never_the_callers(url: str, name: str) -> None:
    given = str(uuid.uuid4())
    async with httpx.AsyncClient(base_url=url) as client:
        answers = [await client.get("/healthz", headers={name: given}) for _ in range(2)]
    found = [answer.headers["x-ms-request-id"] for answer in answers]
    assert all(str(uuid.UUID(one)) == one for one in found)
    assert len({*found, given}) == 3
    assert given not in str(answers[0].headers)
