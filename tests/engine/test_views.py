"""Between two views of a resource only what both show can disagree."""

from __future__ import annotations

import pytest

from drift.engine.model import Change, ChangeKind
from tests.engine.views import find_disagreements


@pytest.mark.parametrize("kind", [ChangeKind.ADDED, ChangeKind.REMOVED])
def test_member_that_one_view_lacks_is_no_disagreement(kind: ChangeKind) -> None:
    assert find_disagreements([Change("/properties/sku", kind, "a", None)]) == ()


@pytest.mark.parametrize(
    "change",
    [
        Change("/properties/sku", ChangeKind.MODIFIED, "a", "b"),
        Change("/properties/rules/[name=ssh]", ChangeKind.ADDED, None, {"name": "ssh"}),
        Change("/properties/rules/[name=a~1b]", ChangeKind.REMOVED, {"name": "a/b"}, None),
    ],
)
def test_other_values_and_items_are_disagreements(change: Change) -> None:
    assert find_disagreements([change]) == (change,)
