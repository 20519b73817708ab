"""HTTP routes as the Functions host matches them (ASP.NET Core's route templates). Pure.

Literals are matched whatever their letter case, and win over parameters, which win over a catch-all; the comparison
goes segment by segment from the left (RoutePrecedence.ComputeInbound). A method that no route allows is a 404, not
a 405.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from dev.host.configuration import HostError

LITERAL, PARAMETER, CATCH_ALL = 1, 3, 5


@dataclass(frozen=True, slots=True)
class Segment:
    kind: int
    text: str  # the literal, or the parameter's name


@dataclass(frozen=True, slots=True)
class Route:
    function: str
    methods: frozenset[str]  # empty: every method
    segments: tuple[Segment, ...]

    def match(self, method: str, path: Sequence[str]) -> dict[str, str] | None:
        """The route's parameters, if it takes this request."""
        if self.methods and method not in self.methods:
            return None
        values: dict[str, str] = {}
        for position, segment in enumerate(self.segments):
            if segment.kind == CATCH_ALL:
                return {**values, segment.text: "/".join(path[position:])}
            if position >= len(path):
                return None
            if segment.kind == PARAMETER:
                values[segment.text] = path[position]
            elif segment.text.lower() != path[position].lower():
                return None
        return values if len(path) == len(self.segments) else None


class RouteTable:
    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes = sorted(
            routes, key=lambda route: [segment.kind for segment in route.segments]
        )

    def find(self, method: str, path: str) -> tuple[str, Mapping[str, str]] | None:
        """The function for a request and its route parameters; `path` as it came, percent-encoded."""
        segments = split_path(path)
        for route in self._routes:
            values = route.match(method, segments)
            if values is not None:
                return route.function, values
        return None


def parse_route(function: str, template: str, methods: Iterable[str]) -> Route:
    segments = tuple(_parse_segment(function, part) for part in template.split("/") if part)
    if any(segment.kind == CATCH_ALL for segment in segments[:-1]):
        raise HostError(f"{function}: a catch-all must be the last segment of the route {template}")
    return Route(function, frozenset(method.upper() for method in methods), segments)


def split_path(path: str) -> list[str]:
    """Decoded segments; an encoded slash stays encoded, as in ASP.NET Core's paths."""
    parts = [part for part in path.split("/") if part]
    return [
        "%2F".join(unquote(piece) for piece in re.split("%2f", part, flags=re.I)) for part in parts
    ]


def _parse_segment(function: str, part: str) -> Segment:
    if "{" not in part:
        return Segment(LITERAL, part)
    found = re.fullmatch(r"\{(\*{0,2})(\w+)\}", part)
    if not found:
        raise HostError(f"{function}: the local host does not serve the route segment {part}")
    return Segment(CATCH_ALL if found[1] else PARAMETER, found[2])
