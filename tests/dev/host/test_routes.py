from __future__ import annotations

import pytest

from dev.host.configuration import HostError
from dev.host.routes import RouteTable, parse_route


def find(templates: list[str], path: str) -> object:
    table = RouteTable(parse_route(template, template, ()) for template in templates)
    return table.find("GET", path)


@pytest.mark.parametrize("path", ["/api/a/b", "/API/A/B", "api/a/b/"])
def test_literal_route_wins_over_parameter_and_catch_all(path: str) -> None:
    assert find(["{*all}", "api/{x}/b", "api/a/{*rest}", "api/a/b"], path) == ("api/a/b", {})


def test_parameter_wins_over_catch_all() -> None:
    assert find(["api/{*rest}", "api/{x}/b"], "/api/1/b") == ("api/{x}/b", {"x": "1"})


def test_leftmost_difference_decides() -> None:
    assert find(["{x}/b", "a/{y}"], "/a/b") == ("a/{y}", {"y": "b"})


def test_encoded_slash_stays_in_its_segment() -> None:
    assert find(["api/{id}"], "/api/a%2Fb%20c") == ("api/{id}", {"id": "a%2Fb c"})


def test_longer_path_does_not_match() -> None:
    assert find(["api/{id}"], "/api/1/2") is None


def test_method_decides_between_routes() -> None:
    table = RouteTable(
        [parse_route("read", "api/x", ["get"]), parse_route("write", "api/x", ["PUT"])]
    )
    assert table.find("PUT", "/api/x") == ("write", {})
    assert table.find("PATCH", "/api/x") is None


@pytest.mark.parametrize("template", ["api/{id:int}", "api/{id?}", "api/pre{id}", "{*rest}/api"])
def test_template_that_is_not_served_stops_the_start(template: str) -> None:
    with pytest.raises(HostError, match="things: "):
        parse_route("things", template, ())
