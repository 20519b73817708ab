"""The facts as data: well formed, each with its reason, and silent about what a person configures."""

from __future__ import annotations

import json
import shutil
from importlib.resources import files
from pathlib import Path

import pytest

from drift.engine.canonical import NORMALISER_VERSION
from drift.engine.facts import Fact, FactKind, catalogue, explain, facts_for, fingerprint

FOLDER = files("drift.engine.facts")
WRITTEN = ("global.jsonl", "types.jsonl")


def lines(name: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in (FOLDER / name).read_text().splitlines()]


def generated() -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = {}
    for path in (FOLDER / "readonly").iterdir():
        found |= json.loads(path.read_text())["types"]
    return found


def test_other_facts_make_another_normaliser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Baselines that were made with other facts are made anew: their canonical forms must not be compared raw."""
    assert fingerprint() == NORMALISER_VERSION & 0xFFFFFFFF
    copied = tmp_path / "facts"
    shutil.copytree(catalogue.HERE, copied)
    monkeypatch.setattr(catalogue, "HERE", copied)
    assert fingerprint.__wrapped__() == fingerprint()
    for name in (*WRITTEN, "readonly/microsoft.web.json"):
        before = fingerprint.__wrapped__()
        (copied / name).write_text((copied / name).read_text().replace("e", "E", 1))
        assert fingerprint.__wrapped__() != before


@pytest.mark.parametrize("name", WRITTEN)
def test_every_written_fact_has_a_reason_and_a_source(name: str) -> None:
    for line in lines(name):
        assert line["reason"], line
        assert line["source"], line
        assert line["paths"], line
        FactKind(str(line["kind"]))


@pytest.mark.parametrize("name", WRITTEN)
def test_every_written_path_is_lower_case_and_rooted_once(name: str) -> None:
    for line in lines(name):
        for path in line["paths"]:  # type: ignore[attr-defined]
            assert path == path.lower(), path
            assert not path.startswith("/"), path
            assert "**" not in path.removeprefix("**/"), path
            assert "" not in path.split("/"), path


def test_every_generated_type_names_the_package_it_comes_from() -> None:
    for resource_type, entry in generated().items():
        assert resource_type == resource_type.lower()
        assert str(entry["source"]).startswith("azure-mgmt-"), resource_type
        assert entry["paths"], resource_type


def test_generated_facts_cover_the_types_that_estates_are_made_of() -> None:
    types = set(generated())
    assert len(types) >= 1000
    assert {
        "microsoft.compute/virtualmachines", "microsoft.network/virtualnetworks", "microsoft.storage/storageaccounts",
        "microsoft.keyvault/vaults", "microsoft.web/sites", "microsoft.sql/servers/databases",
        "microsoft.containerservice/managedclusters", "microsoft.documentdb/databaseaccounts",
        "microsoft.operationalinsights/workspaces", "microsoft.eventhub/namespaces", "microsoft.cache/redis",
        "microsoft.dbforpostgresql/flexibleservers", "microsoft.apimanagement/service", "microsoft.cdn/profiles",
        "microsoft.recoveryservices/vaults", "microsoft.logic/workflows", "microsoft.app/containerapps",
    } <= types  # fmt: skip


def test_files_are_small_enough_to_ship() -> None:
    paths = [*(FOLDER / "readonly").iterdir(), *(FOLDER / name for name in WRITTEN)]
    assert sum(len(path.read_bytes()) for path in paths) < 1_500_000


def test_letter_case_of_the_type_does_not_matter() -> None:
    assert facts_for("Microsoft.Storage/storageAccounts") is facts_for(
        "microsoft.storage/storageaccounts"
    )


def test_type_that_nobody_knows_has_the_global_facts() -> None:
    known = facts_for("contoso.made/up")
    assert known.generated_from == ""
    assert any(fact.segments == ("**", "etag") for fact in known.facts)


def test_facts_of_a_type_come_after_the_global_ones() -> None:
    facts = facts_for("microsoft.web/sites/config").facts
    kept = facts.index(
        next(f for f in facts if f.path == "/properties/*" and f.kind is FactKind.KEPT)
    )
    assert kept > max(i for i, fact in enumerate(facts) if fact.segments[0] == "**" and i < kept)


def find(resource_type: str, path: str, kind: FactKind) -> Fact:
    return next(f for f in facts_for(resource_type).facts if f.path == path and f.kind is kind)


def test_autoscaled_count_names_its_band() -> None:
    count = find(
        "microsoft.containerservice/managedclusters",
        "/properties/agentpoolprofiles/*/count",
        FactKind.AUTOSCALED,
    )
    assert count.keys == ("mincount", "maxcount", "enableautoscaling")


@pytest.mark.parametrize(
    ("resource_type", "path"),
    [
        ("microsoft.network/virtualnetworks", "/properties/dhcpOptions/dnsServers"),
        (
            "microsoft.network/applicationgatewaywebapplicationfirewallpolicies",
            "/properties/customRules",
        ),
        (
            "microsoft.network/applicationgateways",
            "/properties/rewriteRuleSets/*/properties/rewriteRules",
        ),
        (
            "microsoft.containerinstance/containergroups",
            "/properties/containers/*/properties/command",
        ),
        ("microsoft.app/jobs", "/properties/template/containers/*/args"),
        ("contoso.made/up", "/properties/dnsServers"),
    ],
)
def test_order_counts_where_it_is_configuration(resource_type: str, path: str) -> None:
    assert FactKind.ORDERED in {fact.kind for fact in explain(resource_type, path).facts}


def test_access_policy_is_named_by_directory_object_and_application() -> None:
    policies = find("microsoft.keyvault/vaults", "/properties/accesspolicies", FactKind.IDENTITY)
    assert policies.keys == ("tenantid", "objectid", "applicationid")


CONFIGURED = """
microsoft.network/networksecuritygroups      /properties/securityRules/*/properties/sourceAddressPrefix
microsoft.network/networksecuritygroups      /properties/securityRules/*/properties/access
microsoft.network/virtualnetworks            /properties/subnets/*/properties/networkSecurityGroup/id
microsoft.network/virtualnetworks            /properties/addressSpace/addressPrefixes/*
microsoft.network/virtualnetworks            /properties/virtualNetworkPeerings/*/properties/allowForwardedTraffic
microsoft.network/networkinterfaces          /properties/networkSecurityGroup/id
microsoft.network/networkinterfaces          /properties/ipConfigurations/*/properties/publicIPAddress/id
microsoft.network/routetables                /properties/routes/*/properties/nextHopIpAddress
microsoft.network/applicationgateways        /properties/sslPolicy/minProtocolVersion
microsoft.network/firewallpolicies           /properties/threatIntelMode
microsoft.network/loadbalancers              /properties/loadBalancingRules/*/properties/frontendPort
microsoft.network/publicipaddresses          /properties/ddosSettings/protectionMode
microsoft.storage/storageaccounts            /properties/allowBlobPublicAccess
microsoft.storage/storageaccounts            /properties/minimumTlsVersion
microsoft.storage/storageaccounts            /properties/supportsHttpsTrafficOnly
microsoft.storage/storageaccounts            /properties/networkAcls/defaultAction
microsoft.storage/storageaccounts            /properties/encryption/keySource
microsoft.storage/storageaccounts            /properties/privateEndpointConnections/*/id
microsoft.storage/storageaccounts            /properties/accessTier
microsoft.storage/storageaccounts            /sku/name
microsoft.storage/storageaccounts            /kind
microsoft.storage/storageaccounts/blobservices /properties/deleteRetentionPolicy/days
microsoft.storage/storageaccounts/blobservices/containers /properties/publicAccess
microsoft.storage/storageaccounts/blobservices/containers /properties/hasLegalHold
microsoft.keyvault/vaults                    /properties/enablePurgeProtection
microsoft.keyvault/vaults                    /properties/accessPolicies/*/permissions/secrets/*
microsoft.keyvault/vaults                    /properties/publicNetworkAccess
microsoft.keyvault/vaults/secrets            /properties/attributes/exp
microsoft.web/sites                          /properties/httpsOnly
microsoft.web/sites                          /properties/siteConfig/minTlsVersion
microsoft.web/sites                          /properties/clientCertEnabled
microsoft.web/sites                          /properties/virtualNetworkSubnetId
microsoft.web/sites                          /properties/hostNames/*
microsoft.web/sites                          /identity/type
microsoft.web/sites/config                   /properties/LAST_UPDATED
microsoft.web/serverfarms                    /sku/capacity
microsoft.sql/servers                        /properties/publicNetworkAccess
microsoft.sql/servers                        /properties/minimalTlsVersion
microsoft.sql/servers                        /properties/administrators/login
microsoft.sql/servers/firewallrules          /properties/startIpAddress
microsoft.sql/servers/auditingsettings       /properties/state
microsoft.sql/servers/databases              /properties/requestedServiceObjectiveName
microsoft.compute/virtualmachines            /properties/hardwareProfile/vmSize
microsoft.compute/virtualmachines            /properties/storageProfile/dataDisks/*/caching
microsoft.compute/virtualmachines            /properties/securityProfile/uefiSettings/secureBootEnabled
microsoft.compute/virtualmachines            /identity/userAssignedIdentities/*
microsoft.compute/disks                      /properties/networkAccessPolicy
microsoft.containerservice/managedclusters   /properties/enableRBAC
microsoft.containerservice/managedclusters   /properties/apiServerAccessProfile/authorizedIPRanges/*
microsoft.containerservice/managedclusters   /properties/agentPoolProfiles/*/maxCount
microsoft.containerservice/managedclusters   /properties/kubernetesVersion
microsoft.containerregistry/registries       /properties/adminUserEnabled
microsoft.documentdb/databaseaccounts        /properties/locations/*/failoverPriority
microsoft.documentdb/databaseaccounts        /properties/ipRules/*/ipAddressOrRange
microsoft.cache/redis                        /properties/enableNonSslPort
microsoft.cache/redis                        /properties/linkedServers/*/id
microsoft.eventhub/namespaces                /properties/minimumTlsVersion
microsoft.servicebus/namespaces/queues       /properties/status
microsoft.operationalinsights/workspaces     /properties/retentionInDays
microsoft.insights/diagnosticsettings        /properties/logs/*/enabled
microsoft.insights/scheduledqueryrules       /properties/enabled
microsoft.automation/automationaccounts/schedules /properties/startTime
microsoft.automation/automationaccounts/runbooks  /properties/state
microsoft.consumption/budgets                /properties/timePeriod/endDate
microsoft.authorization/roleassignments      /properties/principalId
microsoft.authorization/roleassignments      /properties/scope
microsoft.authorization/roledefinitions      /properties/permissions/*/actions/*
microsoft.authorization/locks                /properties/level
microsoft.authorization/policyassignments    /properties/enforcementMode
microsoft.recoveryservices/vaults            /properties/securitySettings/softDeleteSettings/softDeleteState
microsoft.logic/workflows                    /properties/state
microsoft.logic/workflows                    /properties/definition/actions/Send/inputs/body/etag
microsoft.cdn/profiles/customdomains         /properties/hostName
microsoft.apimanagement/service              /properties/publicNetworkAccess
microsoft.network/privateendpoints           /properties/privateLinkServiceConnections/*/properties/groupIds/*
microsoft.appconfiguration/configurationstores/replicas /properties/regionEndpointEnabled
microsoft.recoveryservices/vaults/backupfabrics/protectioncontainers/protecteditems /properties/protectionState
microsoft.dataprotection/backupvaults/backupinstances /properties/currentProtectionState
microsoft.containerservice/managedclusters/agentpools /properties/powerState/code
microsoft.logic/integrationaccounts/batchconfigurations /properties/releaseCriteria/messageCount
microsoft.storage/storageaccounts/objectreplicationpolicies /properties/rules/*/filters/minCreationTime
microsoft.security/assessments/governanceassignments /properties/owner
microsoft.hybridcompute/machines             /properties/agentUpgrade/desiredVersion
contoso.made/up                              /tags/createdBy
contoso.made/up                              /tags/lastModified
contoso.made/up                              /properties/expirationDate
contoso.made/up                              /properties/status
contoso.made/up                              /properties/state
contoso.made/up                              /properties/enabled
"""


@pytest.mark.parametrize("line", CONFIGURED.strip().splitlines())
def test_configuration_is_compared(line: str) -> None:
    resource_type, path = line.split()
    explanation = explain(resource_type, path)
    assert explanation.compared, explanation.reason


NOISE = """
contoso.made/up                              /etag
contoso.made/up                              /properties/parts/*/properties/provisioningState
contoso.made/up                              /systemData/lastModifiedAt
contoso.made/up                              /properties/lastModifiedBy
contoso.made/up                              /identity/principalId
contoso.made/up                              /tags/hidden-link:x
contoso.made/up                              /tenantId
contoso.made/up                              /properties/properties/azureAsyncOperationUri
microsoft.network/networkinterfaces          /properties/bareMetalServer
microsoft.network/virtualnetworks            /properties/subnets/*/properties/ipConfigurations
microsoft.network/virtualnetworks            /properties/resourceGuid
microsoft.network/networksecuritygroups      /properties/networkInterfaces
microsoft.network/networkinterfaces          /properties/ipConfigurations/*/properties/subnet/properties/x
microsoft.network/routetables                /properties/subnets
microsoft.network/publicipaddresses          /properties/ipConfiguration
microsoft.storage/storageaccounts            /properties/statusOfPrimary
microsoft.storage/storageaccounts            /properties/primaryEndpoints/blob
microsoft.web/sites                          /properties/outboundIpAddresses
microsoft.web/sites                          /properties/lastModifiedTimeUtc
microsoft.sql/servers/databases              /properties/earliestRestoreDate
microsoft.compute/virtualmachines            /properties/instanceView/statuses
microsoft.compute/disks                      /managedBy
microsoft.containerservice/managedclusters   /properties/agentPoolProfiles/*/nodeImageVersion
microsoft.containerservice/managedclusters   /properties/powerState/code
microsoft.documentdb/databaseaccounts/sqldatabases/containers /properties/resource/_ts
microsoft.app/containerapps                  /properties/latestRevisionName
microsoft.recoveryservices/vaults/backupjobs /properties/duration
microsoft.compute/virtualmachines/extensions /properties/forceUpdateTag
"""


@pytest.mark.parametrize("line", NOISE.strip().splitlines())
def test_what_azure_changes_by_itself_is_not_compared(line: str) -> None:
    resource_type, path = line.split()
    explanation = explain(resource_type, path)
    assert not explanation.compared
    assert explanation.reason
    assert explanation.facts[0].source
