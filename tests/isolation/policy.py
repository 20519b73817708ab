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

from web.assets import published

POLICY = Path(__file__).with_name("policy.toml")
IN = "in"
REACHED = frozenset({200, 201, 202, 204, 409, 412})  # let in: done, or not possible as things are
SAFE = frozenset({"GET", "HEAD"})
ANY_ETAG = "W/\"datetime'2026-11-24T12%3A00%3A00.0000000Z'\""  # well-formed, and of nothing
FORM = "application/x-www-form-urlencoded"
# What a placeholder stands for that is nobody's.
CONSTANTS = {"etag": ANY_ETAG, "suffix": "csv", "name": next(iter(published()))}
# What a placeholder stands for; an id that another tenant has as well is tried as that one's.
CHILD_IDS = (
    "subscription_id",
    "baseline_id",
    "scan_id",
    "finding_id",
    "key",
    "approval_id",
    "change_id",
    "channel_id",
    "delivery_id",
    "window_id",
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
    form: Mapping[str, str | list[str]] | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    also: frozenset[int] = frozenset()

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def is_page(self) -> bool:
        """What browsers open and our own script sends, and not a program."""
        return not self.path.startswith(("/api/", "/healthz"))

    @property
    def changes(self) -> bool:
        return self.method not in SAFE

    def lets_in(self, role: str) -> bool:
        return self.answers[role] == IN

    def spots(self) -> Iterator[tuple[str, str]]:
        """Where the request names an id that is a tenant's own: (place, name)."""
        places = {"path": self.path, "query": self.query, "body": self.body, "form": self.form}
        for place, value in places.items():
            for name in CHILD_IDS:
                if "{" + name + "}" in str(value):
                    yield place, name

    def request(self, ids: Ids, foreign: tuple[str, str, str] | None = None) -> dict[str, Any]:
        """Arguments of an HTTP client. `foreign` puts another value in one spot: (place, name, value)."""
        place, name, value = foreign or ("", "", "")

        def ids_for(there: str) -> Ids:
            return {**CONSTANTS, **ids, **({name: value} if there == place else {})}

        made: dict[str, Any] = {
            "method": self.method,
            "url": fill(self.path, ids_for("path")),
            "params": fill(self.query, ids_for("query")),
            "headers": {"If-Match": ANY_ETAG, "X-Requested-With": "test"},
        }
        if self.body is not None:
            made["json"] = fill(self.body, ids_for("body"))
        if self.form is not None:
            made["data"] = fill(self.form, ids_for("form"))
        if self.is_page:
            made["headers"]["Accept"] = "text/html"
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
        unknown = set(said) - {"for", "body", "form", "query", "also"}
        assert not unknown, f"{name}: {unknown}"
        lines[name] = Line(
            method,
            path,
            said["for"],
            audiences[said["for"]],
            said.get("body"),
            said.get("form"),
            said.get("query", {}),
            frozenset(said.get("also", ())),
        )
    return roles, lines


def routes_of(app: FastAPI) -> set[str]:
    """The app's own routes, those outside the OpenAPI document and those of pages too, as the policy names them."""
    found = set()
    for context in iter_route_contexts(app.routes):
        assert context.path, f"{context.route} is of a kind that no test tries"
        assert context.methods, f"{context.path} takes every method: name those it needs"
        found |= {f"{method} {context.path}" for method in context.methods - {"HEAD"}}
    return found


ROLES, LINES = read_policy()
