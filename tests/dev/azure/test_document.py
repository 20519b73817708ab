from __future__ import annotations

import pytest

from dev.azure.document import PointerError, remove_value, set_value


def test_a_value_is_set_by_pointer_through_objects_and_arrays():
    document = {"a": [{"name": "x", "b": 1}], "c~/d": 1}
    set_value(document, "/a/0/b", 2)
    set_value(document, "/a/[name=x]/e", 3)
    set_value(document, "/c~0~1d", 4)
    assert document == {"a": [{"name": "x", "b": 2, "e": 3}], "c~/d": 4}


def test_objects_on_the_way_are_made_but_not_array_elements():
    document = {"a": []}
    set_value(document, "/b/c/d", 1)
    assert document["b"] == {"c": {"d": 1}}
    with pytest.raises(PointerError, match="no element '0'"):
        set_value(document, "/a/0/x", 1)


def test_an_identity_may_hold_slashes_and_equals_signs():
    document = {"a": [{"id": "/x/y=z", "v": 1}]}
    set_value(document, "/a/[id=~1x~1y=z]/v", 2)
    assert document["a"][0]["v"] == 2


@pytest.mark.parametrize("pointer", ["a", "/b", "/a/b/c", "/list/1", "/list/x", "/list/[name=no]"])
def test_what_is_not_there_cannot_be_removed(pointer: str):
    with pytest.raises(PointerError):
        remove_value({"a": {"b": 1}, "list": [1]}, pointer)


def test_members_and_elements_are_removed():
    document = {"a": {"b": 1}, "list": [1, 2, 3]}
    remove_value(document, "/a/b")
    remove_value(document, "/list/1")
    assert document == {"a": {}, "list": [1, 3]}
