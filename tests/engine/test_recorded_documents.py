"""The engine on real ARM documents: none is too odd for it, and what it makes of them can be relied on."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from drift.engine.canonical import canonicalise
from drift.engine.model import Document
from drift.engine.packing import cut, unpack
from drift.engine.repacking import plan_packs
from drift.engine.survey import Survey
from tests.engine.documents import KEY

RECORDED = Path(__file__).parents[3] / "shared/data/arm-resources.jsonl.gz"


@pytest.fixture(scope="module")
def recorded() -> list[dict[str, Any]]:
    if not RECORDED.exists():
        pytest.skip(f"{RECORDED.name} with recorded documents is not beside the project")
    with gzip.open(RECORDED) as lines:
        documents = [msgspec.json.decode(line) for line in lines]
    for document in documents:
        del document["_source"]
    return documents


@pytest.fixture(scope="module")
def documents(recorded: list[dict[str, Any]]) -> list[Document]:
    return [canonicalise(document, secret_key=KEY) for document in recorded]


def test_every_recorded_document_has_a_stable_canonical_form(documents: list[Document]) -> None:
    unstable = [
        document.resource_id
        for document in documents
        if canonicalise(msgspec.json.decode(document.body), secret_key=KEY).body != document.body
    ]
    assert unstable == []
    assert len(documents) > 20_000


def test_recorded_documents_survive_packing_at_seven_to_one(documents: list[Document]) -> None:
    newest = list({document.key: document for document in documents}.values())
    packs = list(cut(newest))
    unpacked = [document for pack in packs for document in unpack(pack.data)]
    assert sorted(unpacked, key=lambda d: d.key) == sorted(newest, key=lambda d: d.key)
    size = sum(len(document.body) for document in newest)
    assert size / sum(len(pack.data) for pack in packs) >= 7


def test_recorded_documents_read_again_are_not_parsed(recorded: list[dict[str, Any]]) -> None:
    rows = [msgspec.json.encode(document) for document in recorded[:5000]]
    first = Survey(None, secret_key=KEY)
    first.add_page(rows)
    collected = first.finish()
    index = plan_packs(None, collected, source="test").build({}).index
    again = Survey(index, secret_key=KEY)
    again.add_page(rows)
    seen = again.finish()
    assert (seen.changed, seen.missing, seen.skipped) == ((), (), Counter())
    # An id that was recorded with several contents keeps one; the others are read each time and lose again.
    assert seen.parsed <= collected.duplicates
