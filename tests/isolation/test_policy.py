"""The policy is about the app's own routes, all of them, and says something of every role."""

from __future__ import annotations

from types import SimpleNamespace

from fastapi import APIRouter

from api.access import Viewer
from api.app import create_app
from tests.isolation.policy import IN, LINES, ROLES, routes_of

REFUSALS = {401, 403, 404, 422}
# Routes that change something, or are sent like a change, and are open below operators.
OPEN_CHANGES = {
    "POST /api/invitations/accept": "whoever has a code becomes a user by it",
    "POST /invitations/accept": "the same from a page",
    "POST /t/{tenant_id}/findings/views": "to whoever saves it, and to nobody else",
    "POST /t/{tenant_id}/findings/views/remove": "the same",
    "POST /development/sign-in": "not there in Azure",
    "POST /development/sign-out": "not there in Azure",
}


def test_b21_every_route_has_a_line_in_the_policy() -> None:
    routes = routes_of(create_app(lambda: None))  # type: ignore[arg-type, return-value]
    assert sorted(routes - set(LINES)) == [], "say in policy.toml for whom these routes are"
    assert sorted(set(LINES) - routes) == [], "these routes are gone: take their lines away"


def test_b21_route_is_seen_however_it_was_added() -> None:
    app = create_app(lambda: None)  # type: ignore[arg-type, return-value]
    inner = APIRouter(prefix="/inner")
    outer = APIRouter(prefix="/outer")

    @inner.delete("/{thing_id}", include_in_schema=False)
    async def delete_thing(thing_id: str, tenant: Viewer) -> None: ...

    outer.include_router(inner)
    app.include_router(outer)
    app.add_route("/plain", lambda request: None, methods=["POST"])  # type: ignore[arg-type]
    added = routes_of(app) - set(LINES)
    assert added == {"DELETE /outer/inner/{thing_id}", "POST /plain"}


def test_openapi_names_no_route_that_the_policy_does_not() -> None:
    told = SimpleNamespace(settings=SimpleNamespace(development_sign_in=False))
    paths = create_app(lambda: told).openapi()["paths"]  # type: ignore[arg-type, return-value]
    named = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    assert named <= set(LINES)
    assert len(named) > 50


def test_every_answer_is_a_refusal_or_in() -> None:
    for line in LINES.values():
        for role in ROLES:
            assert line.answers[role] in {IN} | REFUSALS, (line.name, role)


def test_policy_is_closed_to_outsiders_and_grows_with_the_role() -> None:
    """The rules that hold whatever lines are added: a typing error in an audience must not open a door."""
    outsiders = ("stranger", "daemon", "impostor", "neighbour", "deleted")
    for line in LINES.values():
        open_to_all = line.audience in {"anybody", "signed-in"}
        assert open_to_all or not any(line.lets_in(role) for role in outsiders), line.name
        assert line.lets_in("nobody") == (line.audience == "anybody"), line.name
        assert line.lets_in("inside"), line.name
        for lower, higher in (("viewer", "operator"), ("operator", "admin")):
            assert line.lets_in(higher) or not line.lets_in(lower), line.name
        assert line.lets_in("application") == line.lets_in("operator"), line.name
        open_change = line.changes and line.lets_in("viewer")
        assert open_change == (line.name in OPEN_CHANGES), line.name
