from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.engine.patterns import compile_segments, like, split
from errors import Invalid


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("/tags/owner", "/tags/Owner", True),
        ("/tags/owner", "/tags/owner/x", False),
        ("/tags/owner", "/tags", False),
        ("/tags/*", "/tags/owner", True),
        ("/tags/*", "/tags", False),
        ("/tags/cost*", "/tags/costCentre", True),
        ("/tags/**", "/tags/a/b/c", True),
        ("/tags/**", "/tags", True),
        ("/**/etag", "/etag", True),
        ("/**/etag", "/properties/subnets/[name=a]/etag", True),
        ("/properties/*/[name=*]/x", "/properties/a/[name=b]/x", True),
        ("/properties/**/b/**/d", "/properties/a/b/c/d", True),
        ("/properties/**/b/**/d", "/properties/a/c/d", False),
        ("/**", "", True),
    ],
)
def test_path_pattern_matches(pattern: str, path: str, expected: bool) -> None:
    assert compile_segments(pattern, field="path").matches(path) is expected


@pytest.mark.parametrize(
    ("pattern", "resource_id", "expected"),
    [
        (
            "/subscriptions/1/resourceGroups/dev",
            "/subscriptions/1/resourcegroups/DEV/providers/x",
            True,
        ),
        ("/subscriptions/1/resourceGroups/dev", "/subscriptions/1/resourceGroups/dev", True),
        ("/subscriptions/1/resourceGroups/dev", "/subscriptions/1/resourceGroups/dev2", False),
        ("/subscriptions/*/resourceGroups/dev*", "/subscriptions/1/resourceGroups/dev2/a", True),
    ],
)
def test_id_pattern_covers_what_is_below(pattern: str, resource_id: str, expected: bool) -> None:
    assert compile_segments(pattern, field="resourceId").covers(resource_id) is expected


@pytest.mark.parametrize(
    "pattern",
    ["properties.x", "", "/", "/a**b", "/" + "x" * 600, "/*" * 13, "/a\x00b", "/a\nb"],
)
def test_pattern_that_cannot_be_meant_is_invalid(pattern: str) -> None:
    with pytest.raises(Invalid) as caught:
        compile_segments(pattern, field="path")
    assert caught.value.field == "path"


@given(
    st.text(alphabet="ab*", max_size=12),
    st.text(alphabet="ab", max_size=20),
)
def test_like_agrees_with_a_regular_expression(pattern: str, text: str) -> None:
    expression = ".*".join(map(re.escape, pattern.split("*")))
    assert like(pattern, text) is bool(re.fullmatch(expression, text))


def test_hostile_pattern_costs_little() -> None:
    pattern = compile_segments("/" + "*a" * 12 + "b", field="path")
    deep = compile_segments("/**/a" * 6 + "/b", field="path")
    start = time.process_time()
    assert not pattern.matches("/" + "a" * 20_000)
    assert not deep.matches("/a" * 5_000)
    assert time.process_time() - start < 2


def test_the_whole_resource_has_no_segments() -> None:
    assert split("") == ()
    assert split("/Properties/X/") == ("properties", "x")
