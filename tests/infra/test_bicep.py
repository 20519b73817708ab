"""The infrastructure says what the code needs, and nothing that would open it. What a compiler would find is
bicep_check's affair, where it is at hand."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tenancy.queues import Queue
from tenancy.store import Table
from tenancy.tenants import PLATFORM
from tests.infra.bicep import (
    CUSTOMER,
    DEPLOYMENT,
    FILES,
    INFRA,
    PROJECT,
    block_of,
    declarations,
    names_in,
    read,
)

CHECKER = PROJECT.parent / "shared" / "tools" / "bicep_check.py"
# Built-in roles: who gets which, and nothing else. The operator's are for dev.py doctor.
ROLES = {
    "Storage Blob Data Owner": "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
    "Storage Queue Data Contributor": "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
    "Storage Table Data Contributor": "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
    "Storage Queue Data Reader": "19e7f393-937e-4f77-808e-94535e297925",
    "Storage Table Data Reader": "76199698-9eea-4c19-bc75-cec21354c6b6",
    "Key Vault Secrets Officer": "b86a8fe4-44ce-4948-aee5-eccb2c155cd7",
    "Monitoring Metrics Publisher": "3913510d-42f4-4e42-8a64-420c390055eb",
}
GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NEVER_IN_AZURE = {
    "DRIFT_STORAGE_CONNECTION_STRING",
    "DRIFT_DEVELOPMENT_SIGN_IN",
    "DRIFT_DEVELOPMENT_PEOPLE",
    "DRIFT_DEVELOPMENT_CHANNELS",
}
SECRET_WORDS = re.compile(r"secret|password|listKeys|\bkeys?\b|connectionString|sas\b|token", re.I)


@pytest.mark.parametrize("options", [(), ("--strict",)])
def test_checker_finds_no_fault(options: tuple[str, ...]) -> None:
    if not CHECKER.exists():
        pytest.skip("bicep_check.py is not beside the project: the Bicep files were not checked")
    command = [sys.executable, str(CHECKER), *options, str(INFRA / "main.bicep"), str(CUSTOMER)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stdout.splitlines()[-1].rpartition(", ")[2]) == (
        0,
        "0 faults",
    ), answer.stdout


def test_checker_reads_every_file() -> None:
    """A module that main does not lead to would be checked by nobody."""
    modules = re.findall(r"^module \w+ '([^']+)'", read("main.bicep"), re.MULTILINE)
    assert {INFRA / name for name in modules} | {INFRA / "main.bicep"} == set(DEPLOYMENT)


def test_every_parameter_and_output_is_described() -> None:
    assert [one.place for one in declarations() if len(one.description) < 10] == []


def test_every_parameter_of_main_has_a_default_but_what_nobody_can_guess() -> None:
    required = {
        one.name
        for one in declarations()
        if (one.file, one.kind, one.value) == ("main.bicep", "param", "")
    }
    assert required == {"environmentName", "location", "appClientId"}


def test_parameter_file_gives_parameters_that_exist() -> None:
    given = json.loads(read("main.parameters.json"))["parameters"]
    known = {one.name for one in declarations() if (one.file, one.kind) == ("main.bicep", "param")}
    assert set(given) <= known
    # A variable without default would be asked for at every run of a pipeline.
    asked = {name for name, value in given.items() if "=" not in value["value"]}
    assert asked == {"environmentName", "location", "appClientId"}


def test_defaults_of_the_parameter_file_are_those_of_main() -> None:
    defaults = {
        one.name: one.value.strip("'") for one in declarations() if one.file == "main.bicep"
    }
    for name, value in json.loads(read("main.parameters.json"))["parameters"].items():
        _, equals, default = value["value"].strip("${}").partition("=")
        if equals:
            assert (name, defaults[name]) == (name, default)


def test_nothing_secret_goes_in_or_out() -> None:
    named = [
        one.place
        for one in declarations()
        if SECRET_WORDS.search(one.name)
        or (one.kind == "output" and SECRET_WORDS.search(one.value))
    ]
    assert named == []
    text = "".join(file.read_text() for file in FILES)
    assert "listKeys(" not in text
    assert "@secure" not in text  # there is none to pass


def test_storage_has_no_keys_no_public_blobs_and_can_bring_back_what_was_deleted() -> None:
    storage = read("app/storage.bicep")
    for line in (
        "allowBlobPublicAccess: false",
        "allowSharedKeyAccess: false",
        "minimumTlsVersion: 'TLS1_2'",
        "supportsHttpsTrafficOnly: true",
        "properties: { publicAccess: 'None' }",
        "deleteRetentionPolicy: { enabled: true, days: softDeleteDays }",
        "containerDeleteRetentionPolicy: { enabled: true, days: softDeleteDays }",
    ):
        assert line in storage


def test_vault_has_roles_and_purge_protection() -> None:
    vault = read("app/vault.bicep")
    for line in ("enablePurgeProtection: true", "enableRbacAuthorization: true"):
        assert line in vault
    assert "accessPolicies" not in vault


def test_telemetry_takes_identities_only() -> None:
    monitoring = read("app/monitoring.bicep")
    assert "DisableLocalAuth: true" in monitoring
    assert "disableLocalAuth: true" in monitoring


def test_one_parameter_takes_storage_and_vault_off_the_internet() -> None:
    main, network = read("main.bicep"), read("app/network.bicep")
    assert "module network 'app/network.bicep' = if (privateNetwork) {" in main
    assert "subnetId: privateNetwork ? network!.outputs.appSubnetId : ''" in main
    for name in ("storage", "vault"):
        module = read(f"app/{name}.bicep")
        assert "publicNetworkAccess: privateNetwork ? 'Disabled' : 'Enabled'" in module
        assert "defaultAction: privateNetwork ? 'Deny' : 'Allow'" in module
    endpoints = re.findall(r"^  \{ name: '(\w+)'", network, re.MULTILINE)
    assert sorted(endpoints) == ["blob", "queue", "table", "vault"]
    assert "groupIds: [endpoint.name]" in network


def test_budget_tells_the_same_people_as_the_alerts() -> None:
    assert "module budget 'app/budget.bicep' = if (monthlyBudget > 0) {" in read("main.bicep")
    budget = read("app/budget.bicep")
    assert budget.count("contactGroups: [actionGroupId]") == budget.count("enabled: true") == 2
    assert "timeGrain: 'Monthly'" in budget


def test_queues_are_those_of_the_code_and_their_poison() -> None:
    wanted = {name for one in Queue for name in (one.value, f"{one.value}-poison")}
    assert set(names_in(read("app/storage.bicep"), "queueNames")) == wanted


def test_tables_are_those_of_the_code() -> None:
    names = names_in(read("app/storage.bicep"), "tableNames")
    assert sorted(names) == sorted([*(one.value for one in Table), PLATFORM])


def test_roles_are_the_least_and_reach_one_resource_each() -> None:
    access = read("app/access.bicep")
    assert set(GUID.findall(access)) == set(ROLES.values())
    for name, guid in ROLES.items():
        assert name in access
        assert access.count(guid) == 1
    app = block_of(access, "var storageRoles = {")
    assert [name for name in ROLES if name in app] == list(ROLES)[:3]
    assignments = re.findall(r"^resource (\w+) 'Microsoft.Authorization/roleAssign", access, re.M)
    scopes = re.findall(r"^  scope: (\w+)$", access, re.MULTILINE)
    assert len(assignments) == len(scopes) == 5
    assert set(scopes) == {"storage", "vault", "component"}
    others = [file.name for file in FILES if "roleAssignments" in file.read_text()]
    assert others == ["access.bicep"]


def test_app_settings_are_exactly_those_that_the_app_reads() -> None:
    """What is missing stops the start in Azure; what nobody reads misleads."""
    settings = block_of(read("app/site.bicep"), "resource settings 'config' = {")
    given = set(re.findall(r"^ +(\w+): ", settings, re.MULTILINE)) - {"name", "properties"}
    read_by_app = set(
        re.findall(r"\b(?:DRIFT|AZURE)_[A-Z_]+\b", (PROJECT / "settings.py").read_text())
    )
    assert {name for name in given if name.startswith(("DRIFT_", "AZURE_"))} == (
        read_by_app - NEVER_IN_AZURE
    )
    host = {name for name in given if not name.startswith(("DRIFT_", "AZURE_"))}
    assert host == {
        "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
        "APPLICATIONINSIGHTS_CONNECTION_STRING",
        "AzureWebJobsDisableHomepage",
        "AzureWebJobsStorage__blobServiceUri",
        "AzureWebJobsStorage__clientId",
        "AzureWebJobsStorage__credential",
        "AzureWebJobsStorage__queueServiceUri",
        "AzureWebJobsStorage__tableServiceUri",
        "OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID",
        "PYTHON_ENABLE_OPENTELEMETRY",
    }


def test_easy_auth_lets_nobody_in_without_signing_in_but_to_healthz() -> None:
    auth = block_of(read("app/site.bicep"), "resource authentication 'config' = {")
    for line in (
        "platform: { enabled: true }",
        "requireAuthentication: true",
        "excludedPaths: ['/healthz']",
        "unauthenticatedClientAction: unauthenticatedAction",
        "clientSecretSettingName: 'OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID'",
        "openIdIssuer: '${environment().authentication.loginEndpoint}common/v2.0'",
        "validation: { allowedAudiences: [appClientId, identifierUri] }",
        "httpSettings: { requireHttps: true }",
        "tokenStore: { enabled: true }",
    ):
        assert line in auth
    actions = re.findall(r"@allowed\((\[.*\])\)\nparam unauthenticatedAction", read("main.bicep"))
    assert actions == ["['RedirectToLoginPage', 'Return401']"]  # never AllowAnonymous


def test_app_runs_the_python_that_the_package_is_made_for() -> None:
    site = read("app/site.bicep")
    assert "runtime: { name: 'python', version: '3.13' }" in site
    assert "allow: true" not in site  # no publishing passwords


def test_azd_finds_the_service() -> None:
    text = (PROJECT / "azure.yaml").read_text()
    service = re.search(r"^services:\n  (\w+):", text, re.MULTILINE)
    assert service
    assert f"serviceName: '{service[1]}'" in read("main.bicep")
    for module in re.findall(r"run: python3? -m (\S+)", text):
        assert Path(PROJECT, *module.split(".")).with_suffix(".py").exists()


def test_customers_delegate_reading_and_no_more() -> None:
    text = CUSTOMER.read_text()
    roles = {"acdd72a7-3385-48ef-bd42-f606fba81ae7", "91c1777a-f3dc-4fae-b103-61d183457e46"}
    assert set(GUID.findall(text)) == roles  # Reader; and to be able to leave
    assert "eligibleAuthorizations" not in text
