"""A tenant's credential is in the vault and nowhere else: no row, message, log line, answer or error holds it.

D14, I14."""

from __future__ import annotations

import logging
import uuid

import pytest

from tests.drift.host import CONSUMERS


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What an operator would see who turned every logger to its loudest."""
    caplog.set_level(logging.DEBUG)
    for name in ("azure", "azure.core", "azure.identity", "msal", "drift", "tenancy", "api"):
        caplog.set_level(logging.DEBUG, logger=name)
    return caplog


async def stored_text(tenant) -> str:
    """Every row of every tenant, and every message that waits."""
    found = []
    for table in await tenant.table_names():
        async for row in tenant.tables.get_table_client(table).list_entities():
            found.append(str(dict(row)))
    for queue in CONSUMERS:
        found += [body.decode() for body in await tenant.host.take(queue)]
    return "\n".join(found)


async def test_secret_is_in_the_vault_alone(new_tenant, everything_logged):
    tenant = await new_tenant()
    made = tenant.organisation
    secret, wrong = f"canary-{uuid.uuid4()}", f"canary-{uuid.uuid4()}"
    application = {"clientId": made.client_id, "objectId": made.object_id, "secrets": [secret]}
    await tenant.azure.put_directory(made.directory_id, name="test", applications=[application])
    answers = [
        await tenant.put_connection(secret=secret),
        await tenant.http.get("/api/connection"),
        await tenant.put_connection(secret=wrong),
        await tenant.put_connection(secret=[wrong]),
        await tenant.put_connection(secret=wrong * 1000),
        await tenant.put_connection(kind="certificate", secret=wrong),
        await tenant.put_connection(kind=wrong, secret=wrong),
        await tenant.http.post("/api/connection/test"),
        await tenant.http.post("/api/subscriptions/refresh"),
        await tenant.http.get("/api/settings"),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, *[422] * 5, 200, 200, 200]
    scan_id, messages = await tenant.fan_out()
    assert secret not in str(messages)
    for message in messages:
        await tenant.host.run("scan-subscription", message)
    assert (await tenant.read_scan(scan_id))["status"] == "complete"
    seen = {
        "answers": "\n".join(answer.text + str(answer.headers) for answer in answers),
        "stored": await stored_text(tenant),
        "logged": everything_logged.text
        + str([record.__dict__ for record in everything_logged.records]),
    }
    for place, text in seen.items():
        assert len(text) > 500, place  # something was looked through
        assert secret not in text, place
    # The caller's own value comes back nowhere either, but `kind` is an enumeration, whose text is no secret.
    assert wrong not in seen["stored"] + seen["logged"]
    assert [wrong in answer.text for answer in answers] == [False] * len(answers)
