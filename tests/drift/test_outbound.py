"""Where a tenant's token goes when Azure's answers are hostile: nowhere but to the host and the subscription asked for.

The real clients against the simulated Azure. F08, F09, F10, F11, E03.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest

from drift.arm import open_arm
from drift.attribution import quote
from drift.collect import GRAPH, GRAPH_API, SubscriptionReader
from errors import Invalid, Unavailable
from tenancy.access import serve
from tests.listener import Listener, listening

LOCKS = "/providers/Microsoft.Authorization/locks"
ARM_STEPS = {
    "probe": r"^/subscriptions/[0-9a-f-]{36}\?",
    "list": r"^/subscriptions\?",
    "graph": GRAPH,
    "locks": LOCKS,
}


@pytest.fixture
async def elsewhere() -> AsyncIterator[Listener]:
    async with listening() as listener:
        yield listener


@pytest.fixture
async def reach(tenant):
    """ARM as the tenant's scans use it."""
    context = await serve(tenant.host.deployment, tenant.tenant_id)
    return open_arm(context, await context.credential())


async def scan_with(tenant, path: str, **fault) -> str:
    """Scans with a fault that was ordered; nothing may be concluded. The reason that the scan gives."""
    before = await tenant.etags("finding", "configuration", "configurationhistory", "notice")
    await tenant.fault(path=path, **fault)
    scan = await tenant.scan()
    await tenant.azure.clear_faults()
    assert scan["status"] == "incomplete"
    assert (
        await tenant.etags("finding", "configuration", "configurationhistory", "notice") == before
    )
    return scan["reason"] or scan["parts"][0]["reason"]


async def asked(tenant) -> list[str]:
    return [one["path"] for one in (await tenant.azure.requests())["log"]]


@pytest.mark.parametrize("path", [LOCKS, r"^/subscriptions\?"])
async def test_next_link_to_another_host_is_not_followed(tenant, elsewhere, path):
    for base in (elsewhere.origin, f"https://localhost@localhost:{elsewhere.port}"):
        suffix = (
            f"/subscriptions/{tenant.subscription_id}{LOCKS}" if path == LOCKS else "/subscriptions"
        )
        body = {"value": [], "nextLink": f"{base}{suffix}?api-version=2020-05-01"}
        assert "pointed to another host" in await scan_with(tenant, path, status=200, body=body)
    assert elsewhere.calls == 0


@pytest.mark.parametrize(
    "path",
    [
        "/subscriptions/{other}/providers/Microsoft.Authorization/locks",
        "/subscriptions/{own}/../{other}/providers/Microsoft.Authorization/locks",
        "/subscriptions/{own}/providers/Microsoft.Authorization/locks/../../../../{other}",
        "/subscriptions/{own}/providers/Microsoft.Authorization/locks/%2e%2e/%2E%2e/x",
        "/subscriptions/{own}/providers/Microsoft.Authorization/locks\\..\\x",
        "/subscriptions/{own}0/providers/Microsoft.Authorization/locks",
        "/subscriptions",
        "/providers/Microsoft.ResourceGraph/resources",
    ],
)
async def test_next_link_to_another_subscription_is_not_followed(
    tenant, new_tenant, settings, path
):
    other = (await new_tenant()).subscription_id
    await tenant.azure.clear_requests()
    target = path.format(own=tenant.subscription_id, other=other)
    body = {"value": [], "nextLink": f"{settings.arm_endpoint}{target}?api-version=2020-05-01"}
    assert "pointed to another scope" in await scan_with(tenant, LOCKS, status=200, body=body)
    assert [one for one in await asked(tenant) if other in one or ".." in one] == []


@pytest.mark.parametrize("step", ARM_STEPS)
@pytest.mark.parametrize("status", [301, 307])
async def test_redirect_is_no_answer_and_is_not_followed(tenant, elsewhere, step, status):
    location = f"{elsewhere.origin}/subscriptions/{tenant.subscription_id}"
    headers = {"Location": location}
    fault = {"status": status, "headers": headers, "body": {"value": [], "data": []}}
    assert f"answered {status}" in await scan_with(tenant, ARM_STEPS[step], **fault)
    assert elsewhere.calls == 0


@pytest.mark.parametrize("step", ARM_STEPS)
async def test_accepted_operation_is_no_answer_and_is_not_polled(tenant, elsewhere, step):
    """An empty list with 202 would read as if everything had been deleted."""
    links = dict.fromkeys(("Location", "Azure-AsyncOperation"), f"{elsewhere.origin}/operations/1")
    fault = {"status": 202, "headers": links, "body": {"value": [], "data": []}}
    assert "answered 202" in await scan_with(tenant, ARM_STEPS[step], **fault)
    assert elsewhere.calls == 0


async def test_challenge_does_not_say_where_to_get_a_token(tenant, elsewhere):
    challenge = f'Bearer authorization_uri="{elsewhere.origin}/x", error="invalid_token"'
    headers = {"WWW-Authenticate": challenge}
    reason = await scan_with(tenant, r"^/subscriptions\?", status=401, headers=headers)
    assert "refused the tenant's token" in reason
    assert elsewhere.calls == 0


async def test_token_endpoint_that_redirects_gets_no_secret_carried_on(tenant, elsewhere):
    await tenant.host.deployment.credentials.close()
    headers = {"Location": f"{elsewhere.origin}/token"}
    await scan_with(tenant, "/oauth2/v2.0/token", status=307, headers=headers)
    assert elsewhere.calls == 0


async def test_rows_of_another_subscription_are_no_answer(tenant):
    other = str(uuid.uuid4())
    group = "/subscriptions/{}/resourceGroups/shop/providers"
    swap = {group.format(tenant.subscription_id): group.format(other)}
    reason = await scan_with(tenant, GRAPH, replace=swap)
    assert "resources of another subscription" in reason


async def test_query_is_about_the_one_subscription(tenant, reach):
    other = str(uuid.uuid4())
    body = {"subscriptions": [other], "query": "resources"}
    for arm in (reach, reach.only(tenant.subscription_id)):
        with pytest.raises(Invalid):
            await arm.post(GRAPH, GRAPH_API, body, scope="/")


async def test_lists_are_all_that_is_asked_without_a_subscription(tenant, reach):
    path = f"/subscriptions/{tenant.subscription_id}"
    with pytest.raises(Unavailable, match="another scope"):
        await reach.get(path, "2022-12-01", scope=path)


async def test_subscription_is_its_whole_id_and_not_the_beginning_of_another(tenant, reach):
    scope = f"/subscriptions/{tenant.subscription_id}"
    arm = reach.only(tenant.subscription_id)
    await arm.get(scope, "2022-12-01", scope=scope)
    for path in (f"{scope}0", f"{scope}0/providers/x", f"{scope}%2F..", "/subscriptions", "/"):
        with pytest.raises((Unavailable, Invalid)):
            await arm.get(path, "2022-12-01", scope=scope)
        with pytest.raises(Unavailable, match="another scope"):
            await arm.get_link(f"{tenant.host.deployment.settings.arm_endpoint}{path}", scope="/")


async def test_subscription_given_up_while_its_scan_waits_is_not_read(tenant):
    scan_id, (message,) = await tenant.fan_out()
    row = (await tenant.api.request("GET", "/api/subscriptions"))["value"][0]
    headers = {"If-Match": row["etag"]}
    url = f"/api/subscriptions/{tenant.subscription_id}"
    assert (await tenant.http.patch(url, json={"monitored": False}, headers=headers)).is_success
    await tenant.azure.clear_requests()
    await tenant.host.run("scan-subscription", message)
    assert await asked(tenant) == []
    (part,) = (await tenant.read_scan(scan_id))["parts"]
    assert (part["status"], part["reason"]) == (
        "cancelled",
        "The subscription is not monitored any more.",
    )


@pytest.mark.parametrize(
    "subscription_id",
    ["x/../../providers/Microsoft.Authorization", "..", "%2e%2e", "{other}/../{own}"],
)
async def test_subscription_id_is_a_guid_wherever_it_comes_from(
    tenant, reach, new_tenant, subscription_id
):
    other = (await new_tenant()).subscription_id
    wanted = subscription_id.format(own=tenant.subscription_id, other=other)
    headers = {"If-Match": "W/\"datetime'2026-11-24T12%3A00%3A00.0000000Z'\""}
    url = f"/api/subscriptions/{wanted.replace('/', '%2F')}"
    refused = await tenant.http.patch(url, json={"monitored": True}, headers=headers)
    assert refused.status_code in {404, 405, 422}
    body = {"subscriptionId": wanted, "name": "x"}
    assert (await tenant.http.post("/api/baselines", json=body)).status_code == 422
    message = {"tenant_id": tenant.tenant_id, "scan_id": "1", "subscription_id": wanted}
    await tenant.host.put("scan-subscription", message)
    assert {type(error) for error in await tenant.host.drain()} == {Invalid}
    await tenant.azure.clear_requests()
    with pytest.raises((Invalid, Unavailable)):
        await SubscriptionReader(reach, wanted).probe()
    assert await asked(tenant) == []


async def test_subscription_of_another_tenant_is_not_there(tenant, new_tenant):
    """E03: as a baseline's, as a message's, as one to monitor."""
    other = await new_tenant()
    await other.scan()
    await tenant.azure.clear_requests()
    body = {"subscriptionId": other.subscription_id, "name": "x"}
    assert (await tenant.http.post("/api/baselines", json=body)).status_code == 404
    scan_id, _ = await tenant.fan_out()
    await tenant.azure.clear_requests()
    message = {
        "tenant_id": tenant.tenant_id,
        "scan_id": scan_id,
        "subscription_id": other.subscription_id,
    }
    await tenant.host.put("scan-subscription", message)
    assert await tenant.host.drain() == []
    assert await asked(tenant) == []


@pytest.mark.parametrize(
    "name", ["x') or true or id in~ ('", "x\\') | union resources //", "x'\n| union resources"]
)
def test_resource_id_stays_a_literal_in_a_query(name: str) -> None:
    """F12: what closes the literal is always escaped, and no line ends inside it."""
    literal = quote(name)
    inside, escaped = literal[1:-1], False
    for character in inside:
        assert escaped or character != "'"
        escaped = character == "\\" and not escaped
    assert not escaped
    assert literal.isprintable()
