from __future__ import annotations

from dev.azure.changes import KEPT_SECONDS, MAX_VALUE, Actor, ChangeFeed, moved_values


def test_values_that_were_there_before_are_told_by_path():
    before = {
        "tags": {"a": "1"},
        "properties": {"x": True, "list": [{"y": 1}, {"y": 2}], "gone": "g"},
    }
    after = {"tags": {"a": "2"}, "properties": {"x": False, "list": [{"y": 1}, {"y": 3}], "new": 1}}
    found = moved_values(before, after)
    assert {path: (one["previousValue"], one["newValue"]) for path, one in found.items()} == {
        "tags.a": ("1", "2"),
        "properties.x": ("true", "false"),
        "properties.list[1].y": ("2", "3"),
        "properties.gone": ("g", ""),
    }
    assert found["properties.gone"]["propertyChangeType"] == "Remove"


def test_bookkeeping_is_no_change():
    before = {"id": "a", "etag": "1", "systemData": {"x": 1}, "properties": {"sub": {"etag": "1"}}}
    after = {"id": "A", "etag": "2", "systemData": {"x": 2}, "properties": {"sub": {"etag": "2"}}}
    assert moved_values(before, after) == {}


def test_long_values_are_cut_and_say_so():
    (found,) = moved_values({"a": "x" * (MAX_VALUE + 1)}, {"a": "y"}).values()
    assert len(found["previousValue"]) == MAX_VALUE
    assert found["isTruncated"] == "true"


def test_changes_are_shown_from_the_lag_until_they_are_forgotten():
    now = 1000.0
    feed = ChangeFeed(lambda: now)
    feed.record(
        before=None,
        after={"id": "/subscriptions/s/resourceGroups/g"},
        subscription_id="s",
        resource_group="g",
        resource_type="t",
        directory_id="d",
        actor=Actor("ann"),
        operation="t/write",
    )
    assert list(feed.of_subscription("S", until=999)) == []
    assert len(list(feed.of_subscription("S", until=1000))) == 1
    assert list(feed.of_subscription("other", until=1000)) == []
    now += KEPT_SECONDS
    assert list(feed.of_subscription("s", until=now)) == []
