"""A path is read-only when the answer's model says so and no request takes it."""

from __future__ import annotations

from dev.facts.models import Models, read_models
from dev.facts.overrides import Override, Overrides
from dev.facts.readonly import READ_ONLY, REFERENCE, Derivation, Paths

SOURCE = """
class Thing(_Model):
    id: str = rest_field(visibility=["read"])
    properties: Optional["_models.ThingProperties"] = rest_field(visibility=["read", "create"])

class ThingProperties(_Model):
    state: str = rest_field(visibility=["read"])
    tier: str = rest_field(visibility=["read"])
    size: int = rest_field(visibility=["read", "create"])
    parts: list["_models.Part"] = rest_field(visibility=["read", "create"])
    parent: Optional["_models.Thing"] = rest_field(visibility=["read", "create"])
    network: Optional["_models.Network"] = rest_field(visibility=["read", "create"])

class Part(_Model):
    health: str = rest_field(visibility=["read"])
    label: str = rest_field(visibility=["read", "create"])
    inner: list["_models.Part"] = rest_field(visibility=["read", "create"])

class Network(_Model):
    id: str = rest_field(visibility=["read", "create"])
    prefix: str = rest_field(visibility=["read"])

class ThingCreate(_Model):
    properties: Optional["_models.CreateProperties"] = rest_field(visibility=["read", "create"])

class CreateProperties(_Model):
    tier: str = rest_field(visibility=["read", "create"])
"""


def derive(*, bodies: tuple[str, ...], overrides: Overrides | None = None) -> Paths:
    owners = {
        "Network": frozenset({"microsoft.x/networks"}),
        "Thing": frozenset({"microsoft.x/things"}),
    }
    models = Models(read_models(SOURCE))
    rules = overrides or Overrides(())
    return Derivation(models, "microsoft.x/things", owners, rules).derive({"Thing"}, bodies)


def properties_of(paths: Paths) -> Paths:
    found = paths["properties"]
    assert isinstance(found, dict)
    return found


def test_read_only_members_are_found_in_nested_models_and_items() -> None:
    properties = properties_of(derive(bodies=("Thing",)))
    assert properties["state"] == READ_ONLY
    assert properties["parts"] == {"*": {"health": READ_ONLY}}
    assert "size" not in properties


def test_member_that_a_request_takes_is_configuration() -> None:
    assert properties_of(derive(bodies=("Thing",)))["tier"] == READ_ONLY
    assert "tier" not in properties_of(derive(bodies=("Thing", "ThingCreate")))


def test_resource_of_its_own_is_a_reference() -> None:
    assert properties_of(derive(bodies=("Thing",)))["network"] == REFERENCE


def test_override_keeps_a_path_compared() -> None:
    kept = Overrides((Override("microsoft.x/*", ("**", "state"), "a person sets it elsewhere"),))
    assert "state" not in properties_of(derive(bodies=("Thing",), overrides=kept))


def test_override_of_another_type_changes_nothing() -> None:
    kept = Overrides((Override("microsoft.y/*", ("**", "state"), "a person sets it elsewhere"),))
    assert derive(bodies=("Thing",), overrides=kept) == derive(bodies=("Thing",))


def test_override_with_a_star_matches_one_name() -> None:
    kept = Override("*", ("properties", "*", "state"), "a person sets it elsewhere")
    assert kept.matches("microsoft.x/things", ("properties", "part", "state"))
    assert not kept.matches("microsoft.x/things", ("properties", "state"))
