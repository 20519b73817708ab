"""The bench's work is what it says: so many documents changed, reordered, refreshed, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bench.contenders import Baseline, compare_all, scan
from bench.documents import LARGEST, SMALLEST, copy_document, make_documents
from bench.figures import Figure
from bench.workload import VOLATILE_MEMBERS, Work, make_work


@pytest.fixture(scope="module")
def work() -> Work:
    return make_work(make_documents(600, None))


def sort_arrays(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: sort_arrays(below)
            for name, below in value.items()
            if name not in VOLATILE_MEMBERS
        }
    if isinstance(value, list):
        return sorted(map(sort_arrays, value), key=json.dumps)
    return value


def test_documents_have_ids_of_their_own_and_the_right_size(work: Work) -> None:
    ids = {json.loads(document)["id"].lower() for document in work.before}
    assert len(ids) == 600
    bookkeeping = 200
    assert all(SMALLEST <= len(document) <= LARGEST + bookkeeping for document in work.before)


def test_work_is_the_same_each_time() -> None:
    assert make_documents(50, None) == make_documents(50, None)


def test_copy_is_another_resource_of_the_same_kind(work: Work) -> None:
    one, other = json.loads(work.before[0]), json.loads(copy_document(work.before[0], 7))
    assert other["id"] != one["id"]
    assert other["type"] == one["type"]
    assert copy_document(work.before[0], 0) == work.before[0]


def test_shares_are_those_of_a_day(work: Work) -> None:
    assert len(work.edits) == 6
    assert len(work.reordered) == 30
    assert len(work.refreshed) == 60
    assert not work.reordered & work.edits.keys()


def test_only_edits_differ_but_for_order_and_bookkeeping(work: Work) -> None:
    pairs = zip(work.before, work.after, strict=True)
    for number, (before, after) in enumerate(pairs):
        same = sort_arrays(json.loads(before)) == sort_arrays(json.loads(after))
        assert same is (number not in work.edits)
        touched = number in work.edits.keys() | work.reordered | work.refreshed
        assert (before != after) is touched


def test_scan_finds_the_edits_and_nothing_else(work: Work) -> None:
    found = scan(Baseline(work.before), work.after)
    paths = {item.resource_id: {change.path for change in item.changes} for item in found}
    expected = {json.loads(work.after[n])["id"]: set(edit) for n, edit in work.edits.items()}
    assert paths == expected


def test_peers_get_documents_without_bookkeeping() -> None:
    before = [b'{"etag":"1","properties":{"a":[1,{"etag":"1"}]}}']
    after = [b'{"etag":"2","properties":{"a":[1,{"etag":"2"}]}}']
    assert list(compare_all(lambda one, other: one != other, before, after)) == [False]


@pytest.mark.parametrize(
    ("value", "bar", "most", "ok"),
    [
        (2.0, 2.0, False, True),
        (1.9, 2.0, False, False),
        (251, 250, True, False),
        (1, None, True, True),
    ],
)
def test_figure_knows_its_bar(value: float, bar: float | None, most: bool, ok: bool) -> None:
    figure = Figure("speed", value, "x", bar, most)
    assert figure.as_json() == {
        "figure": "speed",
        "value": value,
        "unit": "x",
        "bar": bar,
        "ok": ok,
    }
