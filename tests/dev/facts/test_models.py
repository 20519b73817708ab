"""Both styles of Microsoft's packages are read from source text alone."""

from __future__ import annotations

from dev.facts.models import Member, Models, read_models

OLD = """
class Resource(_serialization.Model):
    _validation = {"id": {"readonly": True}}
    _attribute_map = {"id": {"key": "id", "type": "str"}}

class Zone(Resource):
    _subtype_map = {"kind": {"Private": "PrivateZone"}}
    _validation = {"count": {"readonly": True}, "location": {"required": True}}
    _attribute_map = {
        "location": {"key": "location", "type": "str"},
        "count": {"key": "properties.numberOfRecordSets", "type": "int"},
        "servers": {"key": "properties.servers", "type": "[Server]"},
        "odata": {"key": "odata\\\\.type", "type": "str"},
        "labels": {"key": "labels", "type": "{[Server]}"},
    }

class PrivateZone(Zone):
    _attribute_map = {"scope": {"key": "scope", "type": "str"}}
"""

NEW = """
class Resource(_Model):
    id: Optional[str] = rest_field(visibility=["read"])

class Account(Resource):
    properties: Optional["_models.AccountProperties"] = rest_field(
        visibility=["read", "create", "update", "delete", "query"]
    )
    __flattened_items = ["rules"]

class AccountProperties(_Model):
    rules: Optional[list["_models.Rule"]] = rest_field(name="ipRules", visibility=["read", "create"])
    kind: Union[str, "_models.Kind"] = rest_discriminator(name="kind")
    by_name: dict[str, list["_models.Rule"]] = rest_field(name="byName", visibility=["read"])

class SpecialProperties(AccountProperties, discriminator="Special"):
    extra: Optional[str] = rest_field(visibility=["read"])
"""


def members_of(source: str, name: str) -> set[Member]:
    return set(Models(read_models(source)).members(name))


def test_old_style_tells_read_only_flattened_and_nested_members() -> None:
    members = members_of(OLD, "Zone")
    assert Member(("properties", "numberOfRecordSets"), read_only=True) in members
    assert Member(("properties", "servers"), read_only=False, target="Server", depth=1) in members
    assert Member(("labels",), read_only=False, target="Server", depth=2) in members


def test_old_style_escaped_dot_is_part_of_the_name() -> None:
    assert Member(("odata.type",), read_only=False) in members_of(OLD, "Zone")


def test_members_include_those_of_bases_and_of_subtypes() -> None:
    members = members_of(OLD, "Zone")
    assert Member(("id",), read_only=True) in members
    assert Member(("scope",), read_only=False) in members


def test_new_style_is_read_only_when_only_reading_is_visible() -> None:
    members = members_of(NEW, "Account")
    assert Member(("id",), read_only=True) in members
    assert Member(("properties",), read_only=False, target="AccountProperties") in members


def test_new_style_takes_wire_names_and_containers() -> None:
    members = members_of(NEW, "AccountProperties")
    assert Member(("ipRules",), read_only=False, target="Rule", depth=1) in members
    assert Member(("byName",), read_only=True, target="Rule", depth=2) in members
    assert Member(("kind",), read_only=False, target="Kind") in members


def test_new_style_subtypes_are_known_by_their_discriminator() -> None:
    assert Member(("extra",), read_only=True) in members_of(NEW, "AccountProperties")


def test_class_named_like_its_base_does_not_recurse() -> None:
    source = "class Resource(_serialization.Resource):\n    _attribute_map = {}\n"
    assert members_of(source, "Resource") == set()
