from __future__ import annotations

import copy
import json
from typing import Any

import msgspec
import pytest

from drift.engine.canonical import DEEPEST, canonicalise, identify
from drift.engine.model import Document
from drift.engine.scalars import fold_location
from errors import Invalid
from tests.engine.documents import KEY, vnet

ID = "/subscriptions/1/resourceGroups/g/providers/Contoso.Things/things/t"
TYPE = "Contoso.Things/things"


def canonical(properties: Any, **members: Any) -> Document:
    return canonicalise(
        {"id": ID, "type": TYPE, "properties": properties, **members}, secret_key=KEY
    )


def properties_of(properties: Any, **members: Any) -> Any:
    return msgspec.json.decode(canonical(properties, **members).body).get("properties")


def test_canonicalise_leaves_the_document_as_it_was() -> None:
    document = vnet(1, subnets=[{"name": "b", "etag": "2"}, {"name": "a", "id": None}])
    before = copy.deepcopy(document)
    canonicalise(document, secret_key=KEY)
    assert document == before


@pytest.mark.parametrize("empty", [None, "", [], {}, [None], [""], {"a": None}, [{"a": [[]]}]])
def test_canonicalise_what_is_empty_as_what_is_missing(empty: Any) -> None:
    assert canonical({"x": 1, "y": empty}).digest == canonical({"x": 1}).digest
    assert (
        canonical({"x": 1, "list": [empty, "a"]}).digest
        == canonical({"x": 1, "list": ["a"]}).digest
    )


def test_canonicalise_keeps_false_and_zero() -> None:
    assert properties_of({"a": False, "b": 0, "c": 0.0}) == {"a": False, "b": 0, "c": 0}


def test_canonicalise_numbers_as_json_has_them() -> None:
    digests = {
        repr(value): canonical({"x": value}).digest
        for value in (True, 1, "1", 2, 1.5, 9223372036854775807, 9223372036854775808, 2**70)
    }
    assert len(set(digests.values())) == len(digests)
    assert canonical({"x": 1.0}).digest == canonical({"x": 1}).digest
    assert (
        canonical({"x": 100.0}).digest
        == canonicalise(
            json.loads(f'{{"id": "{ID}", "type": "{TYPE}", "properties": {{"x": 1e2}}}}'),
            secret_key=KEY,
        ).digest
    )


def test_canonicalise_what_json_cannot_hold_by_name() -> None:
    assert properties_of({"a": float("nan"), "b": float("-inf"), "c": "\ud800x"}) == {
        "a": "nan",
        "b": "-inf",
        "c": "?x",
    }


def test_canonicalise_ids_types_and_locations_without_letter_case() -> None:
    spellings = (
        (
            "/Subscriptions/1/resourcegroups/G/providers/X.Y/zs/z/",
            "West Europe",
            "Contoso.Things/Things",
        ),
        (
            "/subscriptions/1/resourceGroups/g/providers/x.y/ZS/Z",
            "westeurope",
            "contoso.things/things",
        ),
    )
    digests = {
        canonicalise(
            {
                "id": ID.upper() if number else ID,
                "type": kind,
                "location": location,
                "properties": {"ref": {"id": reference}, "path": "/Health"},
            },
            secret_key=KEY,
        ).digest
        for number, (reference, location, kind) in enumerate(spellings)
    }
    assert len(digests) == 1
    assert canonical({"path": "/Health"}).digest != canonical({"path": "/health"}).digest
    assert canonical({"mode": "On"}).digest != canonical({"mode": "on"}).digest


@pytest.mark.parametrize(
    ("one", "other"),
    [("West Europe", "westeurope"), ("North Central US (Stage)", "northcentralusstage")],
)
def test_canonicalise_one_region_in_its_forms(one: str, other: str) -> None:
    assert fold_location(one) == fold_location(other)
    assert fold_location(one) != fold_location("North Europe")


def test_canonicalise_one_instant_in_its_forms() -> None:
    forms = (
        "2026-03-01T10:00:00Z",
        "2026-03-01T10:00:00.1234567Z",
        "2026-03-01T10:00:00+00:00",
        "2026-03-01T10:00:00.0000000",
        "2026-03-01T12:00:00+02:00",
    )
    # expiresOn: a date that a person sets
    assert {properties_of({"expiresOn": form})["expiresOn"] for form in forms} == {forms[0]}
    impossible = "2026-02-31T10:00:00+02:00"
    assert properties_of({"expiresOn": impossible}) == {"expiresOn": impossible}


def test_canonicalise_arrays_in_any_order_but_not_tuples() -> None:
    one = {
        "set": ["b", "a"],
        "items": [{"name": "y"}, {"name": "x", "v": 1}],
        "mixed": [1, "a", {"k": 2}],
    }
    other = {
        "mixed": [{"k": 2}, 1, "a"],
        "items": [{"v": 1, "name": "x"}, {"name": "y"}],
        "set": ["a", "b"],
    }
    assert canonical(one).body == canonical(other).body
    assert canonical({"set": ["a", "a"]}).digest != canonical({"set": ["a"]}).digest
    assert (
        canonical({"box": [[1, 2], [3, 4]]}).digest == canonical({"box": [[3, 4], [1, 2]]}).digest
    )
    assert (
        canonical({"box": [[1, 2], [3, 4]]}).digest != canonical({"box": [[2, 1], [3, 4]]}).digest
    )


def test_canonicalise_ordered_arrays_in_their_order() -> None:
    servers = {"dhcpOptions": {"dnsServers": ["10.0.0.4", "10.0.0.5"]}}
    swapped = {"dhcpOptions": {"dnsServers": ["10.0.0.5", "10.0.0.4"]}}
    digests = {
        canonicalise(vnet(1, **options), secret_key=KEY).digest for options in (servers, swapped)
    }
    assert len(digests) == 2


def test_canonicalise_drops_what_azure_does_by_itself() -> None:
    quiet = canonicalise(vnet(1), secret_key=KEY)
    noisy = vnet(1, provisioningState="Updating", resourceGuid="7")
    noisy |= {
        "etag": "9",
        "systemData": {"lastModifiedAt": "2026-01-01T00:00:00Z"},
        "managedBy": None,
    }
    assert canonicalise(noisy, secret_key=KEY) == quiet


@pytest.mark.parametrize(
    "secret",
    [
        {"administratorLoginPassword": "hunter2"},
        {"connectionString": "Server=x"},
        {"settings": [{"name": "DB_PASSWORD", "value": "hunter2"}]},
        {"settings": [{"Value": "hunter2", "Name": "DB_PASSWORD"}]},
        {"text": "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=aGVsbG8=;"},
        {"text": "https://a.blob.core.windows.net/c?sv=1&sig=abcdefghijklmnop1234%3D"},
        {"text": "https://joe:hunter2@example.com/x"},
        {"text": "-----BEGIN RSA PRIVATE KEY-----\nMIIE"},
        {"text": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl"},
    ],
)
def test_canonicalise_secrets_as_keyed_hashes(secret: dict[str, Any]) -> None:
    body = canonical(secret).body
    assert b"hmac:" in body
    assert b"hunter2" not in body
    assert b"aGVsbG8=" not in body
    assert b"PRIVATE" not in body
    other = canonicalise({"id": ID, "type": TYPE, "properties": secret}, secret_key=b"another")
    assert other.body != body


@pytest.mark.parametrize(
    "plain",
    [
        {"secretName": "db"},
        {"keyUri": "https://v.vault.azure.net/keys/k"},
        {"disablePasswordAuthentication": True},
        {"publicKey": "ssh-rsa AAAA"},
        {"name": "key=value is how a query starts"},
    ],
)
def test_canonicalise_what_only_speaks_of_secrets_in_plain(plain: dict[str, Any]) -> None:
    assert b"hmac:" not in canonical(plain).body


def test_canonicalise_masks_as_one_mask() -> None:
    masks = ("*****", "<redacted>", "[hidden]", "[key hidden]", "<REDACTED>", "********")
    assert {canonical({"adminPassword": mask}).body for mask in masks} == {
        canonical({"adminPassword": "***"}).body
    }
    assert properties_of({"note": "*", "filter": "[a]"}) == {"note": "*", "filter": "[a]"}


def test_canonicalise_again_changes_nothing() -> None:
    first = canonical(
        {"password": "x", "ids": [ID, ID.upper()], "at": "2026-03-01T10:00:00.1+01:00"}
    )
    assert canonicalise(msgspec.json.decode(first.body), secret_key=KEY).body == first.body


@pytest.mark.parametrize(
    "bad", [{}, {"id": ""}, {"id": 7}, {"id": " / "}, {"id": None, "type": TYPE}]
)
def test_canonicalise_without_id_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused:
        canonicalise(bad, secret_key=KEY)
    assert refused.value.field == "id"


def test_canonicalise_without_any_type_is_refused() -> None:
    with pytest.raises(Invalid) as refused:
        canonicalise({"id": "/x/y", "type": 3}, secret_key=KEY)
    assert refused.value.field == "type"


@pytest.mark.parametrize(
    ("resource_id", "given", "expected"),
    [
        (ID, "Contoso.Things/Things", "contoso.things/things"),
        (ID, None, "contoso.things/things"),
        (ID, "things", "contoso.things/things"),
        (ID + "/parts/p", "things/parts", "contoso.things/things/parts"),
        (ID + "/providers/Microsoft.Authorization/locks/l", None, "microsoft.authorization/locks"),
        (ID + "/parts/p/", None, "contoso.things/things/parts"),
        (
            "/subscriptions/1/resourceGroups/g",
            None,
            "microsoft.resources/subscriptions/resourcegroups",
        ),
        (
            "/subscriptions/1/resourceGroups/g",
            "Microsoft.Resources/resourceGroups",
            "microsoft.resources/subscriptions/resourcegroups",
        ),
        ("/subscriptions/1", None, "microsoft.resources/subscriptions"),
    ],
)
def test_identify_reads_a_missing_type_from_the_id(
    resource_id: str, given: str | None, expected: str
) -> None:
    assert identify({"id": resource_id, "type": given}).resource_type == expected


def test_canonicalise_too_deep_a_document_is_refused() -> None:
    deep: Any = "leaf"
    for _ in range(DEEPEST + 2):
        deep = {"a": deep}
    with pytest.raises(Invalid, match="nested deeper"):
        canonical(deep)
