"""The connection test: each line of what a scan needs, what is missing by name, and the command that grants it."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from drift.connection import NewConnection, read_identity, verify
from drift.remedies import REMEDIES, of_access, of_sign_in
from errors import Refused
from tenancy.connections import ConnectionKind
from tests.tenancy.test_connections_kinds import connection, make_pem

EXPIRED = "2020-01-01T00:00:00Z"
FUTURE = datetime.now(UTC).replace(microsecond=0) + timedelta(days=90)


def public(pem: str) -> str:
    return pem[pem.index("-----BEGIN CERTIFICATE") :]


async def try_it(tenant) -> list[dict[str, Any]]:
    """The test as the API answers it, in a process that has no token yet."""
    await tenant.host.deployment.credentials.close()
    return list((await tenant.api.request("POST", "/api/connection/test"))["value"])


async def failed(tenant) -> dict[str, Any]:
    (line,) = [line for line in await try_it(tenant) if not line["ok"]]
    return line


async def put_application(tenant, **members: Any) -> None:
    made = tenant.organisation
    application = {"clientId": made.client_id, "objectId": made.object_id, "name": "reader"}
    await tenant.azure.put_directory(
        made.directory_id, name="test", applications=[application | members]
    )


def grant(tenant, subscription_id: str = "") -> str:
    return (
        f"az role assignment create --assignee-object-id {tenant.organisation.object_id} "
        "--assignee-principal-type ServicePrincipal --role Reader "
        f"--scope /subscriptions/{subscription_id or tenant.subscription_id}"
    )


async def test_working_connection_has_a_line_for_each_step(tenant):
    lines = await try_it(tenant)
    assert [(line["step"], line["ok"], line["command"]) for line in lines] == [
        ("token", True, ""),
        ("directory", True, ""),
        ("subscriptions", True, ""),
        ("main: read", True, ""),
        ("main: resource graph", True, ""),
        ("main: change history", True, ""),
    ]
    assert tenant.organisation.directory_id in lines[1]["detail"]
    assert lines[4]["detail"] == "Resource Graph shows 2 resources."
    assert lines[5]["detail"] == "resourcechanges holds 0 changes of the last 14 days."
    await tenant.azure.edit(tenant.account("alpha")["id"], set={"/tags/a": "b"})
    assert "holds 1 changes" in (await try_it(tenant))[5]["detail"]


async def test_secret_that_ended_is_named_with_the_command_for_a_new_one(new_tenant):
    tenant = await new_tenant()
    secret = {"value": tenant.organisation.secret, "expires": EXPIRED}
    await put_application(tenant, secrets=[secret])
    line = await failed(tenant)
    assert (line["step"], "AADSTS7000222" in line["detail"]) == ("token", True)
    client = tenant.organisation.client_id
    assert line["command"] == f"az ad app credential reset --id {client} --append"
    assert "expired" in line["fix"]


async def test_application_that_left_the_directory(new_tenant):
    tenant = await new_tenant()
    await tenant.azure.put_directory(tenant.organisation.directory_id, name="test", applications=[])
    line = await failed(tenant)
    assert "AADSTS700016" in line["detail"]
    made = tenant.organisation
    assert line["command"] == (
        f"az login --tenant {made.directory_id} && az ad sp create --id {made.client_id}"
    )


async def test_lost_role_names_permission_and_command(new_tenant):
    """Azure's list leaves out what may not be read: what is monitored and gone is said by name."""
    tenant = await new_tenant()
    await tenant.scan()
    await tenant.put_subscription(readers=[])
    lines = await try_it(tenant)
    lost = [line for line in lines if not line["ok"]]
    assert [line["step"] for line in lost] == ["subscriptions", "main: read"]
    assert {line["permission"] for line in lost} == {"Microsoft.Resources/subscriptions/read"}
    assert lost[1]["command"] == grant(tenant)
    assert lost[0]["command"] == grant(tenant, "SUBSCRIPTION-ID")


@pytest.mark.parametrize(
    ("step", "path"),
    [("read", r"^/subscriptions/[0-9a-f-]{36}\?"), ("resource graph", "ResourceGraph")],
)
async def test_denied_step_names_what_azure_says_is_missing(tenant, step, path):
    message = (
        "The client does not have authorization to perform action 'Microsoft.X/y/read' over scope"
    )
    body = {"error": {"code": "AuthorizationFailed", "message": message}}
    await tenant.fault(path=path, nth=1, status=403, body=body)
    lines = await try_it(tenant)
    bad = next(line for line in lines if not line["ok"])
    assert (bad["step"], bad["permission"]) == (f"main: {step}", "Microsoft.X/y/read")
    assert bad["command"] == grant(tenant)
    after = [line["step"] for line in lines[lines.index(bad) + 1 :]]
    assert after == ([] if step == "read" else ["main: change history"])


async def test_change_history_that_fails_has_a_line_of_its_own(tenant):
    await tenant.graph_fault(nth=2, status=400, body={"error": {"code": "BadRequest"}})
    line = await failed(tenant)
    assert line["step"] == "main: change history"
    assert "400 BadRequest" in line["detail"]


async def test_token_of_another_directory_is_said(tenant):
    body = {"value": [{"id": "/tenants/x", "tenantId": "00000000-0000-4000-8000-000000000000"}]}
    await tenant.fault(path=r"^/tenants\?", status=200, body=body)
    line = await failed(tenant)
    assert line["step"] == "directory"
    assert tenant.organisation.directory_id in line["detail"]


async def test_certificate_that_is_not_registered(new_tenant):
    tenant = await new_tenant()
    registered, other = make_pem(FUTURE), make_pem(FUTURE)
    await put_application(
        tenant, secrets=[tenant.organisation.secret], certificates=[public(registered)]
    )
    refused = await tenant.put_connection(kind="certificate", secret=other)
    assert refused.status_code == 422
    assert "AADSTS700027" in refused.json()["detail"]
    assert "az ad app credential reset" in refused.json()["detail"]
    assert other not in refused.text
    kept = await tenant.put_connection(kind="certificate", secret=registered)
    assert kept.status_code == 200
    assert kept.json()["secretExpiresAt"] == FUTURE.isoformat().replace("+00:00", "Z")
    assert {line["ok"] for line in await try_it(tenant)} == {True}
    await put_application(tenant, certificates=[public(other)])
    line = await failed(tenant)
    assert "AADSTS700027" in line["detail"]
    assert line["command"].endswith("--cert @certificate.pem")


@pytest.mark.parametrize(
    ("kind", "code", "words"),
    [
        (ConnectionKind.FEDERATED, 700213, "federated-credential create --id {app}"),
        (ConnectionKind.FEDERATED, 700016, "az ad sp create --id {app}"),
        (ConnectionKind.CLIENT_SECRET, 7000215, "credential reset --id {client}"),
        (ConnectionKind.CLIENT_SECRET, 99999, ""),
    ],
)
def test_refusal_leads_to_its_remedy(settings, kind, code, words):
    app = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
    made = connection(kind)
    message = f"AADSTS{code}: No matching record for presented assertion subject 'sub-1'. x"
    remedy = of_sign_in(message, made, replace(settings, app_client_id=app))
    assert words.format(app=app, client=made.client_id) in remedy.command
    assert bool(remedy.command) == bool(words)
    if code == 700213:
        assert '"subject": "sub-1"' in remedy.command
        assert f'{settings.platform_directory_id}/v2.0"' in remedy.command


@pytest.mark.parametrize("code", REMEDIES)
def test_no_command_carries_what_somebody_else_wrote(settings, code):
    message = f"AADSTS{code}: subject 'x;rm${{IFS}}-rf' issuer '$(id)'"
    command = of_sign_in(message, connection(ConnectionKind.FEDERATED), settings).command
    assert not {"$", ";", "`"} & set(command)


def test_delegation_is_what_a_lighthouse_connection_lacks(settings):
    made = connection(ConnectionKind.LIGHTHOUSE)
    remedy = of_access(made, settings, subscription_id="sub", object_id="oid")
    assert f"--tenant-id {settings.platform_directory_id} --principal-id oid" in remedy.command
    assert "az managedservices assignment create --subscription sub" in remedy.command


@pytest.mark.parametrize("token", ["", "opaque", "a.b.c", "a.W10.c", "a.eyJvaWQiOiJ4In0.c"])
def test_token_that_cannot_be_read_says_nothing(token):
    assert read_identity(token).object_id == ""


@pytest.fixture
async def federation(azure, settings, new_organisation):
    """The multitenant app without any secret; what the customer and the app trust is each test's."""
    organisation = await new_organisation()
    app, publisher = str(uuid.uuid4()), str(uuid.uuid4())
    identity = read_identity((await exchange_token(settings)).token).object_id
    issuer = f"{settings.authority_host}/{settings.platform_directory_id}/v2.0"

    async def trust(*, subject: str = identity, consented: bool = True):
        trusted = {"issuer": issuer, "subject": subject}
        registered = {
            "clientId": app,
            "objectId": str(uuid.uuid4()),
            "federatedCredentials": [trusted],
        }
        await azure.put_directory(publisher, name="publisher", applications=[registered])
        principal = {"clientId": app, "objectId": organisation.object_id}
        installed = [principal] if consented else []
        await azure.put_directory(
            organisation.directory_id, name="customer", applications=installed
        )

    made = replace(settings, app_client_id=app)
    new = NewConnection(ConnectionKind.FEDERATED, organisation.directory_id)
    return trust, lambda: verify(new, made, home=organisation.directory_id, now=FUTURE)


async def exchange_token(settings):
    from azure.identity.aio import ManagedIdentityCredential

    async with ManagedIdentityCredential(client_id=settings.client_id or None) as identity:
        return await identity.get_token("api://AzureADTokenExchange/.default")


async def test_federation_without_any_secret_signs_in(federation):
    trust, prove = federation
    await trust()
    await prove()


async def test_federation_says_which_credential_or_consent_is_missing(federation):
    trust, prove = federation
    await trust(subject="somebody else")
    with pytest.raises(Refused, match=r"AADSTS700213.*federated-credential create") as refused:
        await prove()
    assert "OBJECT-ID" not in refused.value.message  # the subject that Entra was shown
    await trust(consented=False)
    with pytest.raises(Refused, match=r"AADSTS700016.*az ad sp create"):
        await prove()
