"""A written fact that hides what a request takes is found."""

from __future__ import annotations

from dev.facts.audit import find_hidden
from dev.facts.models import Models, read_models
from dev.facts.operations import Usage
from dev.facts.packages import Declarations

SOURCE = """
class Account(_Model):
    etag: str = rest_field(visibility=["read", "create"])
    size: int = rest_field(visibility=["read", "create"])
    properties: "_models.Properties" = rest_field(visibility=["read", "create"])

class Properties(_Model):
    health: str = rest_field(visibility=["read", "create"])
    status: str = rest_field(visibility=["read"])
    parts: list["_models.Properties"] = rest_field(visibility=["read", "create"])
"""


def hidden_in(*, bodies: set[str]) -> list[tuple[str, str]]:
    usages = {"microsoft.x/accounts": Usage(results={"Account"}, bodies=bodies)}
    declarations = Declarations("x 1", Models(read_models(SOURCE)), usages)
    found = find_hidden(declarations, "microsoft.x/accounts")
    return sorted((path, fact.path) for fact, path in found)


def test_settable_path_that_a_global_fact_drops_is_found() -> None:
    assert hidden_in(bodies={"Account"}) == [
        ("/etag", "/**/etag"),
        ("/properties/health", "/**/health"),
    ]


def test_type_that_no_request_writes_hides_nothing() -> None:
    assert hidden_in(bodies=set()) == []
