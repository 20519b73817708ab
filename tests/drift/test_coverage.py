"""What cannot be read: the scan says so, concludes nothing from it, and the next one is as if nothing had happened.

I01 I02 I17 I20, faults 18 to 25.
"""

from __future__ import annotations

import email.utils
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

LOCKS = "/providers/Microsoft.Authorization/locks\\?"
AT_ONCE = {"Retry-After": "86400"}  # no test waits for a back-off: that is beyond a scan's deadline
SETTLED = ("finding", "pack", "configuration", "configurationhistory", "notice")
LOGIN_PAGE = "<!DOCTYPE html><html><title>Sign in to your account</title></html>"
ROW = {"id": "/subscriptions/x/resourceGroups/y", "type": "a/b", "properties": {}}


def page(**members: Any) -> dict[str, Any]:
    return {"data": [ROW], "totalRecords": 1, "count": 1, "resultTruncated": "false"} | members


async def drift(tenant):
    """One resource edited, one deleted, one added."""
    edit = {"/properties/minimumTlsVersion": "TLS1_0"}
    await tenant.azure.edit(tenant.account("alpha")["id"], set=edit)
    await tenant.azure.edit(tenant.network("net")["id"], delete=True)
    await tenant.azure.edit(create=tenant.account("beta"))


async def summary(tenant):
    return sorted(
        (item["resourceId"].rsplit("/", 1)[1], item["change"], item["status"], item["evidence"])
        for item in await tenant.findings()
    )


DRIFT = [
    ("alpha", "modified", "open", "confirmed"),
    ("beta", "added", "open", "confirmed"),
    ("net", "removed", "open", "confirmed"),
]


async def expect_nothing_concluded(tenant, written, source: str, words: str) -> dict[str, Any]:
    """Scans with the fault that was ordered, and takes the fault away."""
    before = await tenant.etags(*SETTLED)
    part = await tenant.part()
    assert part["status"] == "incomplete", words
    assert words in part["reason"]
    missed = [one for one in part["coverage"] if not one["read"]]
    assert [one["source"] for one in missed] == [source], words
    assert words in missed[0]["reason"]
    assert written(before, await tenant.etags(*SETTLED)) == [], words
    await tenant.azure.clear_faults()
    return missed[0]


async def expect_convergence(tenant):
    """I20: without the faults, a scan is as if they had never been."""
    part = await tenant.part()
    assert (part["status"], part["reason"]) == ("complete", "")
    assert await summary(tenant) == DRIFT


FAULTS = {
    "500": ({"status": 500, "headers": AT_ONCE}, "does not answer (500)"),
    "502": ({"status": 502, "headers": AT_ONCE}, "does not answer (502)"),
    "429": ({"status": 429, "headers": AT_ONCE}, "asks to wait 86400 s"),
    "400": ({"status": 400, "body": {"error": {"code": "BadRequest"}}}, "400 BadRequest"),
    "403": (
        {"status": 403, "body": {"error": {"code": "AuthorizationFailed", "message": "not you"}}},
        "not you",
    ),
    "404": ({"status": 404, "body": {"error": {"code": "NotFound", "message": "no"}}}, "NotFound"),
    "login page": (
        {"status": 200, "headers": {"Content-Type": "text/html"}, "body": LOGIN_PAGE},
        "something else than a page of rows",
    ),
    "empty body": ({"status": 200}, "something else than a page of rows"),
    "no data": ({"status": 200, "body": {"totalRecords": 0}}, "something else than a page"),
    "truncated JSON": (
        {"status": 200, "body": '{"totalRecords":1,"data":[{"id":"/subscr'},
        "something else than a page of rows",
    ),
    "cut off without token": (
        {"status": 200, "body": page(resultTruncated="true")},
        "cut the answer off",
    ),
    "repeated token": ({"status": 200, "body": page(**{"$skipToken": "t"})}, "repeated a page"),
    "count is greater": ({"status": 200, "body": page(totalRecords=3)}, "counted 3 rows and"),
    "count is smaller": ({"status": 200, "body": page(totalRecords=0)}, "counted 0 rows and"),
}


async def test_faults_of_one_source_conclude_nothing(tenant, written):
    await drift(tenant)
    for name, (members, words) in FAULTS.items():
        # Requests go out in the order of the sources; a repeated token needs two answers.
        await tenant.graph_fault(nth=1, **members)
        if name == "repeated token":
            await tenant.graph_fault(nth=1, **members)
        await expect_nothing_concluded(tenant, written, "resources", words)
    await expect_convergence(tenant)


async def test_fault_of_a_later_source_is_named(tenant, written):
    await drift(tenant)
    sources = ("resourcecontainers", "authorizationresources", "policyresources")
    for nth, source in enumerate(sources, start=2):
        await tenant.graph_fault(nth=nth, status=503, headers=AT_ONCE)
        await expect_nothing_concluded(tenant, written, source, "does not answer (503)")
    await tenant.fault(path=LOCKS, status=500, headers=AT_ONCE)
    await expect_nothing_concluded(tenant, written, "locks", "does not answer (500)")
    await expect_convergence(tenant)


async def test_fault_of_the_second_page_concludes_nothing(new_tenant, written):
    """Fault 22."""
    tenant = await new_tenant()
    await tenant.add(*(tenant.account(f"account{number:04d}") for number in range(1100)))
    await tenant.scan()
    await tenant.capture()
    await tenant.graph_fault(nth=2, status=500, headers=AT_ONCE)
    missed = await expect_nothing_concluded(tenant, written, "resources", "does not answer (500)")
    assert missed["rows"] == 1000
    assert (await tenant.part())["resources"] == 1101
    assert await summary(tenant) == []


async def test_answer_that_breaks_off_is_read_again(tenant):
    """Fault 20: a connection that is closed half-way is as transient as a reset."""
    await drift(tenant)
    await tenant.graph_fault(nth=1, abort=True, body='{"data":[')
    assert (await tenant.part())["status"] == "complete"
    assert await summary(tenant) == DRIFT


async def test_odd_list_of_locks_concludes_nothing(tenant, written, settings):
    await drift(tenant)
    own = f"{settings.arm_endpoint}/subscriptions/{tenant.subscription_id}"
    path = "/providers/Microsoft.Authorization/locks?a=1"
    loop = f"{own}{path}"
    foreign = f"https://management.evil.example/subscriptions/{tenant.subscription_id}{path}"
    astray = f"{settings.arm_endpoint}/subscriptions/{uuid.uuid4()}{path}"
    for body, words in (
        ({"value": [], "nextLink": foreign}, "pointed to another host"),
        ({"value": [], "nextLink": astray}, "pointed to another scope"),
        ({"value": [], "nextLink": loop}, "repeated a nextLink"),
        ({"nextLink": None}, "something else than a page of rows"),
        (LOGIN_PAGE, "something else than a page of rows"),
    ):
        await tenant.fault(path=LOCKS, status=200, body=body)
        await expect_nothing_concluded(tenant, written, "locks", words)
    await expect_convergence(tenant)


async def test_missing_permission_of_a_source_is_named(tenant, written):
    await drift(tenant)
    action = "Microsoft.Authorization/locks/read"
    message = f"The client does not have authorization to perform action '{action}' over scope"
    error = {"error": {"code": "AuthorizationFailed", "message": message}}
    await tenant.fault(path=LOCKS, status=403, body=error)
    missed = await expect_nothing_concluded(tenant, written, "locks", message)
    assert missed["permission"] == action
    await expect_convergence(tenant)


async def test_lost_reader_role_is_no_deletion(tenant, written):
    """Fault 25. Resource Graph gives no hint of it, so the subscription itself is asked first."""
    await drift(tenant)
    before = await tenant.etags(*SETTLED)
    await tenant.put_subscription(readers=[])
    part = await tenant.part()
    assert part["status"] == "incomplete"
    assert part["permission"] == "Microsoft.Resources/subscriptions/read"
    assert "does not have authorization" in part["reason"]
    assert part["coverage"] == []
    assert written(before, await tenant.etags(*SETTLED)) == []
    await tenant.put_subscription()
    await expect_convergence(tenant)


async def test_subscription_that_is_gone_resolves_nothing(tenant):
    await drift(tenant)
    await tenant.scan()
    for state, words in (("Disabled", "is Disabled in Azure"), ("Deleted", "could not be found")):
        await tenant.put_subscription(state=state)
        part = await tenant.part()
        assert part["status"] == "incomplete"
        assert words in part["reason"]
        assert await summary(tenant) == DRIFT
    await tenant.put_subscription()
    await expect_convergence(tenant)


async def test_subscription_that_does_not_answer_is_incomplete(tenant):
    await drift(tenant)
    path = f"^/subscriptions/{tenant.subscription_id}\\?"
    for status, words in ((401, "refused the tenant's token"), (500, "does not answer (500)")):
        await tenant.fault(path=path, status=status, headers=AT_ONCE)
        part = await tenant.part()
        assert (part["status"], part["resources"]) == ("incomplete", 0)
        assert words in part["reason"]
        assert await summary(tenant) == []
        await tenant.azure.clear_faults()
    await expect_convergence(tenant)


async def test_hidden_resource_type_is_not_removed(tenant):
    """Resource Graph leaves out what it may not show; the provider then answers 403, which is no 404."""
    denied = [
        {
            "objectId": tenant.organisation.object_id,
            "resourceType": "Microsoft.Storage/storageAccounts",
        }
    ]
    await tenant.put_subscription(denied=denied)
    part = await tenant.part()
    assert (part["status"], part["resources"], part["changed"]) == ("complete", 4, 0)
    assert await summary(tenant) == []


async def test_short_retry_after_is_obeyed(tenant, caplog):
    """Fault 18: in seconds, and as a date, which is cut to whole seconds."""
    await drift(tenant)
    started = time.monotonic()
    await tenant.graph_fault(nth=1, status=429, headers={"Retry-After": "1"})
    await expect_convergence(tenant)
    assert time.monotonic() - started >= 1
    assert [one.wait for one in caplog.records if one.message == "throttled"] == [1.0]  # an alert
    await tenant.azure.clear_faults()
    moment = (datetime.now(UTC) + timedelta(seconds=2)).replace(microsecond=0)
    header = email.utils.format_datetime(moment, usegmt=True)
    await tenant.graph_fault(nth=1, status=429, headers={"Retry-After": header})
    await expect_convergence(tenant)
    assert datetime.now(UTC) >= moment


async def test_absurd_retry_after_gives_up_quickly(tenant, written):
    """I19: a scan does not sleep through its lease, nor wait beyond its deadline."""
    await drift(tenant)
    await tenant.graph_fault(nth=1, status=429, headers=AT_ONCE)
    started = time.monotonic()
    await expect_nothing_concluded(tenant, written, "resources", "asks to wait 86400 s")
    assert time.monotonic() - started < 20
    assert await tenant.host.waiting("scan-subscription") == 0
    await expect_convergence(tenant)


async def test_long_retry_after_puts_the_message_back(tenant, written):
    """I19, fault 18: the wait costs no try and no function's time, and nothing is concluded meanwhile."""
    await drift(tenant)
    await tenant.graph_fault(nth=2, status=429, headers={"Retry-After": "3600"})
    scan_id, (body,) = await tenant.fan_out()
    before = await tenant.etags(*SETTLED)
    await tenant.host.run("scan-subscription", body)
    scan = await tenant.read_scan(scan_id)
    (part,) = scan["parts"]
    assert (scan["status"], part["status"], part["finishedAt"]) == ("running", "queued", None)
    assert part["reason"].startswith(
        "resourcecontainers: Azure Resource Manager asks to wait 3600 s."
    )
    assert "The scan goes on at " in part["reason"]
    assert [one["source"] for one in part["coverage"] if not one["read"]] == ["resourcecontainers"]
    assert written(before, await tenant.etags(*SETTLED)) == []
    assert await tenant.host.waiting("scan-subscription") == 1
    assert await tenant.host.take("scan-subscription") == []  # it is not visible yet
    await tenant.azure.clear_faults()
    await tenant.host.run("scan-subscription", body)
    scan = await tenant.read_scan(scan_id)
    assert (scan["status"], scan["parts"][0]["reason"]) == ("complete", "")
    assert await summary(tenant) == DRIFT
