"""Why a path is compared or not, as a person asks it; and that the engine does as the explanation says."""

from __future__ import annotations

import json

import pytest

from drift.engine.canonical import canonicalise
from drift.engine.facts import FactKind, condition_of, explain
from errors import Invalid

KEY = b"k" * 32
VNET = "Microsoft.Network/virtualNetworks"


def test_read_only_path_names_the_package_that_says_so() -> None:
    explanation = explain("Microsoft.Compute/disks", "/properties/timeCreated")
    assert not explanation.compared
    assert explanation.facts[0].source.startswith("azure-mgmt-compute ")


def test_path_below_a_dropped_one_is_explained_by_it() -> None:
    explanation = explain(
        "Microsoft.Compute/virtualMachines", "/properties/instanceView/vmAgent/statuses/0"
    )
    assert not explanation.compared
    assert explanation.facts[0].path == "/properties/instanceview"


@pytest.mark.parametrize("item", ["[name=web]", "0", "*"])
def test_array_items_are_named_as_in_a_change(item: str) -> None:
    path = f"/properties/subnets/{item}/properties/provisioningState"
    assert not explain(VNET, path).compared


def test_reference_is_compared_by_its_id_alone() -> None:
    nic = "Microsoft.Network/networkInterfaces"
    assert explain(nic, "/properties/networkSecurityGroup/id").compared
    below = explain(nic, "/properties/networkSecurityGroup/properties/securityRules")
    assert not below.compared
    assert below.facts[0].kind is FactKind.REFERENCE


def test_compared_path_says_how_it_is_read() -> None:
    explanation = explain(VNET, "/properties/dhcpOptions/dnsServers")
    assert explanation.compared
    assert FactKind.ORDERED in {fact.kind for fact in explanation.facts}


def test_kept_path_says_why_a_wider_fact_does_not_hold() -> None:
    explanation = explain("contoso.made/up", "/tags/lastModified")
    assert explanation.compared
    assert explanation.facts[0].kind is FactKind.KEPT


def test_inside_what_a_person_wrote_nothing_is_noise() -> None:
    explanation = explain(
        "Microsoft.Logic/workflows", "/properties/definition/actions/a/provisioningState"
    )
    assert explanation.compared
    assert explanation.facts[0].kind is FactKind.CONTENT


def test_path_that_nothing_is_known_about_is_compared() -> None:
    explanation = explain("contoso.made/up", "/properties/colour")
    assert explanation.compared
    assert explanation.facts == ()


@pytest.mark.parametrize(
    ("resource_type", "path"),
    [
        ("Microsoft.Network/networkInterfaces", "/properties/macAddress"),
        ("Microsoft.Network/networkInterfaces", "/properties/enableIPForwarding"),
        ("Microsoft.Web/sites", "/properties/outboundIpAddresses"),
        ("Microsoft.Web/sites", "/properties/httpsOnly"),
        ("Microsoft.Logic/workflows", "/properties/definition/etag"),
        ("Microsoft.Logic/workflows", "/properties/version"),
        ("Contoso.Made/up", "/tags/createdBy"),
        ("Contoso.Made/up", "/properties/createdBy"),
    ],
)
def test_engine_keeps_what_the_explanation_calls_compared(resource_type: str, path: str) -> None:
    names = path.strip("/").split("/")
    value: object = "some text"
    for name in reversed(names):
        value = {name: value}
    assert isinstance(value, dict)
    document = {
        "id": f"/subscriptions/s/providers/{resource_type}/x",
        "type": resource_type,
        **value,
    }
    body = json.loads(canonicalise(document, secret_key=KEY).body)
    for name in names:
        body = body.get(name, {})
    assert bool(body) is explain(resource_type, path).compared


@pytest.mark.parametrize(
    ("resource_type", "path", "condition"),
    [
        (
            "Microsoft.Network/publicIPAddresses",
            "/properties/ipAddress",
            "while publicipallocationmethod beside it is dynamic",
        ),
        (
            "Microsoft.ContainerService/managedClusters",
            "/properties/agentPoolProfiles/[name=a]/count",
            "while it lies from mincount to maxcount beside it and enableautoscaling is on",
        ),
        ("contoso.made/up", "/properties/changedTime", "when it is an instant"),
    ],
)
def test_path_that_is_not_always_compared_says_when(
    resource_type: str, path: str, condition: str
) -> None:
    explanation = explain(resource_type, path)
    assert explanation.compared
    assert condition in [condition_of(fact) for fact in explanation.facts]


def test_nothing_known_about_a_type_is_said() -> None:
    assert "no declarations were read" in explain("contoso.made/up", "/properties/size").reason
    assert "no declarations" not in explain(VNET, "/properties/subnets").reason


@pytest.mark.parametrize(
    ("resource_type", "path", "field"), [("nonsense", "/a", "TYPE"), (VNET, "/", "PATH")]
)
def test_what_is_no_type_or_no_path_is_refused(resource_type: str, path: str, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        explain(resource_type, path)
    assert refused.value.field == field
