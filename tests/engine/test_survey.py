from __future__ import annotations

import random
import tracemalloc
from typing import Any

import msgspec
import pytest

from drift.engine.canonical import NORMALISER_VERSION
from drift.engine.facts import facts_for
from drift.engine.index import SnapshotIndex, Stamp
from drift.engine.repacking import plan_packs
from drift.engine.survey import MOST_EXAMPLES, Collected, Survey, split_graph_page, split_list_page
from errors import Invalid
from tests.engine.documents import KEY, raw, vnet


def collect(previous: SnapshotIndex | None, rows: list[bytes]) -> Collected:
    survey = Survey(previous, secret_key=KEY)
    survey.add_page(rows)
    return survey.finish()


def digests(collected: Collected) -> list[bytes]:
    return [entry.digest for entry in collected.entries()]


def index_of(rows: list[bytes]) -> SnapshotIndex:
    return plan_packs(None, collect(None, rows), source="test").build({}).index


@pytest.fixture(scope="module")
def rows() -> list[bytes]:
    return [raw(vnet(number)) for number in range(100)]


@pytest.fixture(scope="module")
def index(rows: list[bytes]) -> SnapshotIndex:
    return index_of(rows)


def test_survey_parses_nothing_whose_bytes_came_before(
    rows: list[bytes], index: SnapshotIndex
) -> None:
    collected = collect(index, random.Random(1).sample(rows, len(rows)))
    assert (collected.total, collected.parsed, collected.changed, collected.missing) == (
        100,
        0,
        (),
        (),
    )
    assert list(collected.entries()) == list(index.entries())


def test_survey_of_rows_as_views_and_raw_messages(rows: list[bytes], index: SnapshotIndex) -> None:
    page = split_list_page(b'{"value":[' + b",".join(rows) + b"]}")
    assert collect(index, page.rows).parsed == 0  # type: ignore[arg-type]
    assert collect(index, [memoryview(row) for row in rows]).parsed == 0  # type: ignore[misc]
    assert len(collect(None, page.rows).changed) == 100  # type: ignore[arg-type]


def test_survey_of_refreshed_bookkeeping_parses_nothing(
    rows: list[bytes], index: SnapshotIndex
) -> None:
    refreshed = [raw(vnet(number) | {"etag": 'W/"2"'}) for number in range(100)]
    collected = collect(index, refreshed)
    assert (collected.parsed, collected.changed, collected.missing) == (0, (), ())
    assert digests(collected) == [entry.digest for entry in index.entries()]
    assert {entry.raw for entry in collected.entries()}.isdisjoint(e.raw for e in index.entries())
    later = plan_packs(index, collected, source="test").build({}).index
    assert collect(later, refreshed).fresh == {}
    views = [memoryview(row) for row in refreshed]
    assert collect(index, views).parsed == 0  # type: ignore[arg-type]
    page = split_list_page(b'{"value":[' + b",".join(refreshed) + b"]}")
    assert collect(index, page.rows).parsed == 0  # type: ignore[arg-type]


def test_survey_of_other_bytes_finds_no_change(rows: list[bytes], index: SnapshotIndex) -> None:
    respelled = [row.replace(b":", b": ") for row in rows]
    collected = collect(index, respelled)
    assert (collected.parsed, collected.changed, collected.missing) == (100, (), ())
    assert digests(collected) == [entry.digest for entry in index.entries()]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"etag": "1"}, {"etag": 2, "flag": True}),
        ({"definition": {"etag": "1"}}, {"definition": {"etag": "2"}}),
        ({"definition": {"provisioningState": "a"}}, {"definition": {"provisioningState": "b"}}),
        ({"definition": {"provisioningState": ""}}, {"definition": {"provisioningState": "b"}}),
        ({"definition": {"lastModifiedAt": "x"}}, {"definition": {"lastModifiedAt": "y"}}),
        ({"note": '"etag":"1"'}, {"note": '"etag":"2"'}),
        ({"note": 'x\\"etag":"1"'}, {"note": 'x\\"etag":"2"'}),
    ],
)
def test_survey_of_bookkeeping_that_is_configuration_finds_the_change(
    before: Any, after: Any
) -> None:
    """A workflow's definition is written by a person as a whole, whatever its members are called."""

    def workflow(properties: Any) -> bytes:
        name = "/subscriptions/1/resourceGroups/g/providers/Microsoft.Logic/workflows/w"
        return raw({"id": name, "type": "Microsoft.Logic/workflows", "properties": properties})

    assert len(collect(index_of([workflow(before)]), [workflow(after)]).changed) == 1


def test_bookkeeping_is_dropped_whatever_its_value() -> None:
    """What the survey relies on when it takes these members for noise without looking at the rest."""
    for name in ("etag", "provisioningstate"):
        about = [
            fact for fact in facts_for("contoso.things/things").facts if fact.segments[-1] == name
        ]
        assert about
        assert all(fact.kind.is_dropping for fact in about)


def test_survey_names_what_is_new_changed_and_missing(
    rows: list[bytes], index: SnapshotIndex
) -> None:
    changed, new = vnet(7, subnets=[{"name": "web"}]), vnet(500)
    collected = collect(index, [*rows[:7], raw(changed), *rows[9:], raw(new)])
    assert sorted(document.resource_id for document in collected.changed) == sorted(
        [changed["id"], new["id"]]
    )
    gone = collect(None, [rows[8]]).changed[0].key
    assert collected.missing == (bytes.fromhex(gone),)
    assert len(list(collected.entries())) == 100


def test_survey_of_another_normaliser_version_parses_everything(
    rows: list[bytes], index: SnapshotIndex
) -> None:
    older = SnapshotIndex(
        Stamp("test", NORMALISER_VERSION - 1),
        index.packs,
        index.keys,
        index.digests,
        index.raws,
        index.numbers,
        index.trims,
        index.collated,
        index.arranged,
    )
    assert collect(older, rows).parsed == 100


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"", "no JSON object"),
        (b"null", "no JSON object"),
        (b"[]", "no JSON object"),
        (b"<html>", "no JSON object"),
        (b'{"id": "/x', "no JSON object"),
        (b"[" * 100_000, "no JSON object"),
        (b"\xff\xfe", "no JSON object"),
        (b"{}", "The document has no id."),
        (b'{"name": "n", "type": "a/b"}', "The document has no id."),
        (b'{"id": "/x"}', "The document has no type and its id names none."),
    ],
)
def test_survey_skips_what_is_no_document_and_counts_it(
    row: bytes, reason: str, rows: list[bytes]
) -> None:
    collected = collect(None, [row, rows[0]])
    assert collected.skipped == {reason: 1}
    assert len(collected.examples[reason]) == 1
    assert len(collected.changed) == 1


def test_survey_keeps_a_few_examples_by_name_and_no_values() -> None:
    nameless = [
        raw({"name": f"n{number}", "properties": {"adminPassword": "x"}}) for number in range(50)
    ]
    collected = collect(None, nameless)
    assert collected.skipped.total() == 50
    assert collected.examples["The document has no id."] == tuple(
        f"n{n}" for n in range(MOST_EXAMPLES)
    )


def test_survey_reads_what_only_a_lenient_parser_reads() -> None:
    document = raw(vnet(1)).decode()
    odd = [
        b"\xef\xbb\xbf" + document.encode(),
        document.replace('"etag":"1"', '"etag":NaN').encode(),
        document.replace('"etag":"1"', '"etag":1e999').encode(),
        document.replace('"etag":"1"', '"etag":"\\ud800"').encode(),
        document.replace('"etag":"1"', '"etag":"1","etag":"2"').encode(),
    ]
    digests = {collect(None, [row]).changed[0].digest for row in (document.encode(), *odd)}
    assert len(digests) == 1


def test_survey_of_a_resource_that_comes_twice_is_the_same_in_any_order(
    rows: list[bytes], index: SnapshotIndex
) -> None:
    upper = vnet(3, subnets=[{"name": "x"}])
    upper["id"] = upper["id"].upper()
    twice = [*rows, rows[5], raw(upper)]
    for previous in (None, index):
        seen = []
        for order in (twice, twice[::-1]):
            collected = collect(previous, order)
            assert (collected.duplicates, collected.missing) == (2, ())
            entries = sorted(entry[:2] for entry in collected.entries())
            assert len(entries) == 100
            seen.append(entries)
        assert seen[0] == seen[1]
    settled = index_of(twice)
    assert collect(settled, twice).changed == ()


def test_survey_of_a_document_too_large_to_store_skips_it_by_name(rows: list[bytes]) -> None:
    huge = vnet(1, blob=random.Random(1).randbytes(1_500_000).hex())
    collected = collect(None, [raw(huge), rows[2]])
    assert collected.skipped == {"The document is too large to be stored.": 1}
    assert len(collected.changed) == 1


def test_page_of_a_graph_page() -> None:
    page = split_graph_page(
        b'\xef\xbb\xbf{"totalRecords":7,"count":2,"data":[{"id":"a"}, {"id":"b"}],"facets":[],'
        b'"resultTruncated":"true","$skipToken":"t"}'
    )
    assert [bytes(row) for row in page.rows] == [b'{"id":"a"}', b'{"id":"b"}']
    assert page[1:] == ("t", 7, True)


def test_page_of_an_arm_list() -> None:
    page = split_list_page(b'{"value":[],"nextLink":"https://management.azure.com/x"}')
    assert page == ([], "https://management.azure.com/x", None, False)


@pytest.mark.parametrize(
    "bad", [b"", b"null", b"{}", b"[]", b'{"data":{}}', b'{"value":null}', b"<html>"]
)
def test_page_of_anything_else_is_refused(bad: bytes) -> None:
    for split in (split_graph_page, split_list_page):
        with pytest.raises(Invalid):
            split(bad)


def test_survey_memory_does_not_grow_with_unchanged_documents() -> None:
    def page(number: int) -> list[bytes]:
        padding = {"note": "x" * 3000}
        return [raw(vnet(n, **padding)) for n in range(number * 500, number * 500 + 500)]

    index = index_of([row for number in range(4) for row in page(number)])
    survey = Survey(index, secret_key=KEY)
    tracemalloc.start()
    for number in range(4):
        survey.add_page(page(number))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert survey.finish().parsed == 0
    assert held < 200_000  # 2,000 documents of 3 kB


def test_survey_secret_key_decides_the_digest_of_secrets() -> None:
    row: Any = msgspec.json.encode(vnet(1, adminPassword="x"))
    one, other = Survey(None, secret_key=b"a"), Survey(None, secret_key=b"b")
    one.add_page([row])
    other.add_page([row])
    assert one.finish().changed[0].digest != other.finish().changed[0].digest
