"""Made-up worlds: the same for the same arguments, and such that the simulation can serve them."""

from __future__ import annotations

from collections import Counter

from dev.azure.arm_ids import parse_arm_id
from dev.azure.document import encode
from dev.azure.inventory import read_resource
from dev.azure.world import RESOURCES_PER_WORKLOAD, build_world

SUBSCRIPTION = "00000000-0000-0000-0000-00000000000a"


def test_a_world_is_the_same_for_the_same_arguments():
    first = encode(list(build_world("contoso", SUBSCRIPTION, 1)))
    assert first == encode(list(build_world("contoso", SUBSCRIPTION, 1)))
    assert first != encode(list(build_world("contoso", SUBSCRIPTION, 2)))
    assert first != encode(list(build_world("fabrikam", SUBSCRIPTION, 1)))


def test_scale_adds_workloads_and_ids_stay_unique():
    resources = [read_resource(encode(one), 0) for one in build_world("c", SUBSCRIPTION, scale=20)]
    assert sum(one.is_tracked for one in resources) == 20 * RESOURCES_PER_WORKLOAD
    assert len({one.key for one in resources}) == len(resources)


def test_a_larger_world_begins_with_the_smaller_one():
    small, large = build_world("c", SUBSCRIPTION), build_world("c", SUBSCRIPTION, scale=2)
    assert [encode(one) for one in small] == [
        encode(one) for one, _ in zip(large, range(67), strict=False)
    ]


def test_a_world_has_the_types_that_matter():
    types = Counter(str(one["type"]).lower() for one in build_world("c", SUBSCRIPTION))
    assert len(types) >= 45
    for wanted in (
        "microsoft.network/networksecuritygroups",
        "microsoft.storage/storageaccounts",
        "microsoft.keyvault/vaults",
        "microsoft.sql/servers/firewallrules",
        "microsoft.containerservice/managedclusters",
        "microsoft.authorization/roleassignments",
        "microsoft.authorization/locks",
        "microsoft.authorization/policyassignments",
    ):
        assert types[wanted]


def test_types_agree_with_ids_and_every_document_is_in_the_subscription():
    for document in build_world("c", SUBSCRIPTION):
        arm_id = parse_arm_id(str(document["id"]))
        assert arm_id is not None
        assert arm_id.subscription_id == SUBSCRIPTION
        if arm_id.namespace:
            assert arm_id.resource_type.lower() == str(document["type"]).lower()


def test_volatile_properties_are_there_to_be_ignored():
    text = encode(list(build_world("c", SUBSCRIPTION))).decode()
    for name in (
        "etag",
        "provisioningState",
        "resourceGuid",
        "lastModifiedAt",
        "earliestRestoreDate",
        "vmId",
    ):
        assert f'"{name}"' in text
