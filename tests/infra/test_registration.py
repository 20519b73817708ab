"""The app registration, made through `az rest` against a Microsoft Graph that lags and refuses as the real one does."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import httpx2 as httpx
import pytest

from dev.azure.admin import AzureAdmin
from dev.cloud import LocalCloud
from tests.infra.conftest import Directory, Machine

REGISTRATION = "infra.hooks.registration"
ROLES = ["Platform.Operator", "Drift.Viewer", "Drift.Operator", "Drift.Admin"]
EXCHANGE = "api://AzureADTokenExchange"
# Graph is many servers: one knows the new object, and the next that is asked does not.
ABSENT = (404, "Request_ResourceNotFound")
LAGGING = [
    ("PATCH", "applications/[^/]+", *ABSENT),
    ("POST", "servicePrincipals", 400, "NoBackingApplicationObject"),
    ("GET", "applications/[^/]+/federatedIdentityCredentials", *ABSENT),
    ("POST", "applications/[^/]+/federatedIdentityCredentials", *ABSENT),
    ("GET", "servicePrincipals/[^/]+/appRoleAssignedTo", *ABSENT),
    ("POST", "servicePrincipals/[^/]+/appRoleAssignedTo", *ABSENT),
]


def provisioned(machine: Machine, cloud: LocalCloud) -> None:
    """What the outputs of the infrastructure add to the azd environment."""
    machine.values |= {
        "DRIFT_URL": "https://func-drift-test.azurewebsites.net",
        "DRIFT_SIGN_IN_PRINCIPAL_ID": str(uuid.uuid4()),
        "DRIFT_IDENTITY_PRINCIPAL_ID": str(uuid.uuid4()),
    }


def run(machine: Machine, step: str) -> str:
    ended = machine.run(REGISTRATION, step)
    assert ended.returncode == 0, ended.stderr
    return ended.stderr


async def registered(machine: Machine, directory: Directory) -> dict[str, Any]:
    found = await directory.applications(f"appId eq '{machine.values['DRIFT_APP_CLIENT_ID']}'")
    assert len(found) == 1
    return found[0]


async def test_everything_is_registered_in_a_directory_that_lags(
    machine: Machine, directory: Directory, azure_admin: AzureAdmin, cloud: LocalCloud
) -> None:
    await azure_admin.settings(directoryLagSeconds=0.8)
    for method, path, status, code in LAGGING:
        body = f'{{"error":{{"code":"{code}","message":"not there yet"}}}}'
        match = {"method": method, "path": f"^/v1.0/{path}$"}
        await azure_admin.add_fault(match=match, status=status, body=body, times=1)
    run(machine, "prepare")
    provisioned(machine, cloud)
    said = run(machine, "finish")
    await azure_admin.settings(directoryLagSeconds=0)
    application = await registered(machine, directory)
    client_id = application["appId"]
    assert application["signInAudience"] == "AzureADMultipleOrgs"
    assert [role["value"] for role in application["appRoles"]] == ROLES
    assert [scope["value"] for scope in application["api"]["oauth2PermissionScopes"]] == [
        "user_impersonation"
    ]
    assert application["api"]["requestedAccessTokenVersion"] == 2
    (trusted,) = application["api"]["preAuthorizedApplications"]
    assert trusted["appId"] == "04b07795-8ddb-461a-bbee-02f9e1bf7b46"  # the Azure CLI
    assert trusted["delegatedPermissionIds"] == [
        application["api"]["oauth2PermissionScopes"][0]["id"]
    ]
    assert application["identifierUris"] == [f"api://{client_id}"]
    assert application["web"] == {
        "redirectUris": ["https://func-drift-test.azurewebsites.net/.auth/login/aad/callback"],
        "implicitGrantSettings": {"enableIdTokenIssuance": True},
    }
    path = f"/applications/{application['id']}/federatedIdentityCredentials"
    credentials = (await directory.get(path))["value"]
    issuer = f"{cloud.simulator.url}/{cloud.simulator.directory_id}/v2.0"
    assert [
        (one["name"], one["issuer"], one["subject"], one["audiences"]) for one in credentials
    ] == [
        ("drift-sign-in", issuer, machine.values["DRIFT_SIGN_IN_PRINCIPAL_ID"], [EXCHANGE]),
        ("drift-app", issuer, machine.values["DRIFT_IDENTITY_PRINCIPAL_ID"], [EXCHANGE]),
    ]
    principals = await directory.get("/servicePrincipals", **{"$filter": f"appId eq '{client_id}'"})
    (principal,) = principals["value"]
    (assigned,) = (await directory.get(f"/servicePrincipals/{principal['id']}/appRoleAssignedTo"))[
        "value"
    ]
    assert assigned["principalId"] == machine.values["AZURE_PRINCIPAL_ID"]
    assert assigned["appRoleId"] == application["appRoles"][0]["id"]
    assert f"adminconsent?client_id={client_id}" in said
    assert machine.values["DRIFT_IDENTIFIER_URI"] == f"api://{client_id}"
    assert machine.values["DRIFT_BUDGET_START"] == datetime.now(UTC).strftime("%Y-%m-01")


async def test_second_run_changes_nothing(
    machine: Machine, azure_admin: AzureAdmin, cloud: LocalCloud
) -> None:
    run(machine, "prepare")
    provisioned(machine, cloud)
    run(machine, "finish")
    remembered = dict(machine.values)
    await azure_admin.clear_requests()
    run(machine, "prepare")
    run(machine, "finish")
    log: Any = (await azure_admin.requests())["log"]
    sent = [one["method"] for one in log if one["path"].startswith("/v1.0/")]
    assert sent
    assert set(sent) == {"GET"}
    assert machine.values == remembered


async def test_another_clone_finds_the_registration_of_its_environment_and_no_other(
    machine: Machine,
) -> None:
    run(machine, "prepare")
    first = machine.values.pop("DRIFT_APP_CLIENT_ID")
    machine.values.pop("DRIFT_IDENTIFIER_URI")
    run(machine, "prepare")
    assert machine.values["DRIFT_APP_CLIENT_ID"] == first
    machine.values |= {"AZURE_ENV_NAME": "other", "DRIFT_APP_CLIENT_ID": ""}
    machine.values.pop("DRIFT_IDENTIFIER_URI")
    run(machine, "prepare")
    assert machine.values["DRIFT_APP_CLIENT_ID"] != first


async def test_what_others_added_stays_and_what_they_took_away_comes_back(
    machine: Machine, directory: Directory, cloud: LocalCloud
) -> None:
    run(machine, "prepare")
    application = await registered(machine, directory)
    custom = {**application["appRoles"][1], "id": str(uuid.uuid4()), "value": "Their.Own"}
    change = {
        "appRoles": [*application["appRoles"], custom],
        "web": {"redirectUris": ["https://drift.example.com/.auth/login/aad/callback"]},
        "signInAudience": "AzureADMyOrg",
    }
    answer = await directory.send("PATCH", f"/applications/{application['id']}", change)
    assert answer.status_code == 204
    run(machine, "prepare")
    provisioned(machine, cloud)
    run(machine, "finish")
    application = await registered(machine, directory)
    assert [role["value"] for role in application["appRoles"]] == [*ROLES, "Their.Own"]
    assert application["web"]["redirectUris"] == [
        "https://drift.example.com/.auth/login/aad/callback",
        "https://func-drift-test.azurewebsites.net/.auth/login/aad/callback",
    ]
    assert application["signInAudience"] == "AzureADMultipleOrgs"


async def test_new_identities_replace_the_old_ones(
    machine: Machine, directory: Directory, cloud: LocalCloud
) -> None:
    """After azd down and up again: the names are the same, the identities are not."""
    run(machine, "prepare")
    provisioned(machine, cloud)
    run(machine, "finish")
    provisioned(machine, cloud)
    run(machine, "finish")
    application = await registered(machine, directory)
    path = f"/applications/{application['id']}/federatedIdentityCredentials"
    subjects = {one["name"]: one["subject"] for one in (await directory.get(path))["value"]}
    assert subjects == {
        "drift-sign-in": machine.values["DRIFT_SIGN_IN_PRINCIPAL_ID"],
        "drift-app": machine.values["DRIFT_IDENTITY_PRINCIPAL_ID"],
    }


async def test_identity_then_gets_tokens_as_the_application(
    machine: Machine, cloud: LocalCloud, trusting: httpx.AsyncClient
) -> None:
    """The point of it all: the managed identity's token is taken in place of a secret."""
    run(machine, "prepare")
    provisioned(machine, cloud)
    claims = await identity_claims(trusting, cloud)
    machine.values["DRIFT_IDENTITY_PRINCIPAL_ID"] = claims["object_id"]
    run(machine, "finish")
    form = {
        "grant_type": "client_credentials",
        "client_id": machine.values["DRIFT_APP_CLIENT_ID"],
        "scope": "https://management.azure.com/.default",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": claims["token"],
    }
    answer = await trusting.post(f"/{cloud.simulator.directory_id}/oauth2/v2.0/token", data=form)
    assert answer.status_code == 200, answer.text
    assert answer.json()["access_token"]


async def identity_claims(client: httpx.AsyncClient, cloud: LocalCloud) -> dict[str, str]:
    import jwt

    answer = await client.get(
        "/msi/token",
        params={"resource": EXCHANGE},
        headers={"x-identity-header": cloud.simulator.identity_header},
    )
    token = answer.json()["access_token"]
    return {
        "token": token,
        "object_id": jwt.decode(token, options={"verify_signature": False})["sub"],
    }


async def test_own_registration_is_not_touched(
    machine: Machine, azure_admin: AzureAdmin, cloud: LocalCloud
) -> None:
    own = str(uuid.uuid4())
    machine.values |= {"DRIFT_SKIP_REGISTRATION": "true", "DRIFT_APP_CLIENT_ID": own}
    await azure_admin.clear_requests()
    run(machine, "prepare")
    provisioned(machine, cloud)
    said = run(machine, "finish")
    counts: Any = (await azure_admin.requests())["counts"]
    assert "microsoft-graph" not in counts
    assert machine.values["DRIFT_APP_CLIENT_ID"] == own
    for needed in (
        machine.values["DRIFT_SIGN_IN_PRINCIPAL_ID"],
        "https://func-drift-test.azurewebsites.net/.auth/login/aad/callback",
        "Platform.Operator",
    ):
        assert needed in said


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (
            {"DRIFT_SKIP_REGISTRATION": "true"},
            "DRIFT_APP_CLIENT_ID must be the client id of your own",
        ),
        ({"DRIFT_SKIP_REGISTRATION": "yes"}, "DRIFT_SKIP_REGISTRATION must be true or false"),
        ({"DRIFT_APP_CLIENT_ID": str(uuid.uuid4())}, "There is no app registration"),
        ({"AZURE_SUBSCRIPTION_ID": ""}, "AZURE_SUBSCRIPTION_ID is missing"),
    ],
)
def test_wrong_settings_are_named(machine: Machine, values: dict[str, str], reason: str) -> None:
    machine.values |= values
    ended = machine.run(REGISTRATION, "prepare")
    assert ended.returncode == 1
    assert reason in ended.stderr
    assert "Traceback" not in ended.stderr


async def test_refusal_says_which_role_is_missing(
    machine: Machine, azure_admin: AzureAdmin
) -> None:
    body = '{"error":{"code":"Authorization_RequestDenied","message":"Insufficient privileges."}}'
    await azure_admin.add_fault(
        match={"method": "POST", "path": "^/v1.0/applications$"}, status=403, body=body, times=1
    )
    ended = machine.run(REGISTRATION, "prepare")
    assert ended.returncode == 1
    assert "Insufficient privileges. You need the Entra role Application Developer" in ended.stderr


async def test_operator_who_may_not_be_assigned_stops_nothing(
    machine: Machine, azure_admin: AzureAdmin, cloud: LocalCloud
) -> None:
    run(machine, "prepare")
    provisioned(machine, cloud)
    body = '{"error":{"code":"Authorization_RequestDenied","message":"Insufficient privileges."}}'
    await azure_admin.add_fault(
        match={"method": "POST", "path": "appRoleAssignedTo$"}, status=403, body=body, times=1
    )
    said = run(machine, "finish")
    assert "Let an administrator do it" in said


def test_missing_program_is_named(machine: Machine) -> None:
    machine.programs["PATH"] = str(machine.folder)
    ended = machine.run(REGISTRATION, "prepare")
    assert ended.returncode == 1
    assert "azd is not installed" in ended.stderr
