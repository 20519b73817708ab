"""Reads policy.toml, and makes the requests that it describes."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from web.pages import PAGES

POLICY = Path(__file__).with_name("policy.toml")
IN = "in"
REACHED = frozenset({200, 201, 202, 204, 409, 412})  # let in: done, or not possible as things are
SAFE = frozenset({"GET", "HEAD"})
ANY_ETAG = "W/\"datetime'2026-11-24T12%3A00%3A00.0000000Z'\""  # well-formed, and of nothing
# What a placeholder stands for; an id that another tenant has as well is tried as that one's.
CHILD_IDS = (
    "subscription_id",
    "baseline_id",
    "scan_id",
    "finding_id",
    "key",
    "approval_id",
    "change_id",
    "rule_id",
    "user_id",
    "invitation_id",
    "backup_id",
    "export_id",
)
ALIKE = {"part": "1"}  # placeholders that stand for the same in every tenant
_PLACEHOLDER = re.compile(r"\{(\w+)\}")

Ids = Mapping[str, str]


@dataclass(frozen=True)
class Line:
    """One route: for whom it is, and a good request of it."""

    method: str
    path: str
    audience: str
    answers: Mapping[str, int | str]  # role -> status, or IN
    body: Any = None
    query: Mapping[str, str] = field(default_factory=dict)
    also: frozenset[int] = frozenset()

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    def lets_in(self, role: str) -> bool:
        return self.answers[role] == IN

    def spots(self) -> Iterator[tuple[str, str]]:
        """Where the request names an id that is a tenant's own: (place, name)."""
        for place, value in (("path", self.path), ("query", self.query), ("body", self.body)):
            for name in CHILD_IDS:
                if "{" + name + "}" in str(value):
                    yield place, name

    def request(self, ids: Ids, foreign: tuple[str, str, str] | None = None) -> dict[str, Any]:
        """Arguments of an HTTP client. `foreign` puts another value in one spot: (place, name, value)."""
        place, name, value = foreign or ("", "", "")

        def ids_for(there: str) -> Ids:
            return {**ids, name: value} if there == place else ids

        made: dict[str, Any] = {
            "method": self.method,
            "url": fill(self.path, ids_for("path")),
            "params": fill(self.query, ids_for("query")),
            "headers": {"If-Match": ANY_ETAG, "X-Requested-With": "test"},
        }
        if self.body is not None:
            made["json"] = fill(self.body, ids_for("body"))
        return made


def fill(value: Any, ids: Ids) -> Any:
    """The same with ids for placeholders. A name that nobody has an id for is a KeyError."""
    if isinstance(value, str):
        return _PLACEHOLDER.sub(lambda found: ALIKE.get(found[1]) or ids[found[1]], value)
    if isinstance(value, Mapping):
        return {key: fill(item, ids) for key, item in value.items()}
    return [fill(item, ids) for item in value] if isinstance(value, list) else value


def read_policy() -> tuple[tuple[str, ...], dict[str, Line]]:
    """The roles, and the lines by name in the file's order."""
    document = tomllib.loads(POLICY.read_text(encoding="utf-8"))
    roles, audiences = tuple(document["roles"]), document["audiences"]
    for audience, answers in audiences.items():
        assert set(answers) == set(roles), f"audience {audience} must answer every role"
    lines = {}
    for name, said in document["routes"].items():
        method, path = name.split(" ")
        unknown = set(said) - {"for", "body", "query", "also"}
        assert not unknown, f"{name}: {unknown}"
        lines[name] = Line(
            method,
            path,
            said["for"],
            audiences[said["for"]],
            said.get("body"),
            said.get("query", {}),
            frozenset(said.get("also", ())),
        )
    return roles, lines


def routes_of(app: FastAPI) -> set[str]:
    """The API's own routes, those outside the OpenAPI document too, as the policy names them."""
    found = set()
    for context in iter_route_contexts(app.routes):
        assert context.path, f"{context.route} is of a kind that no test tries"
        assert context.methods, f"{context.path} takes every method: name those it needs"
        found |= {f"{method} {context.path}" for method in context.methods - {"HEAD"}}
    return found - _pages()


def _pages() -> set[str]:
    """Routes of pages, each of which is tried as every role by tests/web/test_access.py."""
    routes = [route for area in PAGES for route in area.router.routes]
    return {f"{method} {one.path}" for one in routes for method in getattr(one, "methods", ())}


ROLES, LINES = read_policy()
