"""Who is measured: our scan of a subscription, the bound that no parser beats, and other libraries' comparisons."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import orjson

from drift.engine.canonical import NORMALISER_VERSION
from drift.engine.compare import differ
from drift.engine.index import SnapshotIndex, Stamp
from drift.engine.model import Difference
from drift.engine.survey import Survey

PAGE = 1_000  # documents, as Resource Graph sends them
SECRET = b"bench"
# Taken from both sides before a library compares; ours knows by itself what is bookkeeping.
VOLATILE = {
    "etag",
    "systemData",
    "provisioningState",
    "resourceGuid",
    "createdTime",
    "creationTime",
    "createdAt",
    "lastModified",
    "lastModifiedTime",
    "changedTime",
    "updatedAt",
    "updatedOn",
    "timestamp",
}
Compare = Callable[[Any, Any], bool]


class Baseline:
    """The state before: the index of its snapshot, and its canonical documents."""

    def __init__(self, documents: Sequence[bytes]) -> None:
        survey = Survey(None, secret_key=SECRET)
        survey.add_page(documents)
        collected = survey.finish()
        stamp = Stamp("bench", NORMALISER_VERSION)
        entries = (entry._replace(pack=0) for entry in collected.entries())
        self.index = SnapshotIndex.build(stamp, [], entries)
        self.documents = {document.key: document for document in collected.changed}


def scan(baseline: Baseline, after: Sequence[bytes]) -> list[Difference]:
    """What a scan computes, from the raw bytes of all documents to the paths that changed."""
    survey = Survey(baseline.index, secret_key=SECRET)
    for start in range(0, len(after), PAGE):
        survey.add_page(after[start : start + PAGE])
    changed = survey.finish().changed
    found = (differ(baseline.documents.get(document.key), document) for document in changed)
    return [difference for difference in found if difference is not None]


def run_bound(after: Sequence[bytes]) -> None:
    """Every document once: parsed, written with sorted keys, hashed."""
    for document in after:
        content = orjson.dumps(orjson.loads(document), option=orjson.OPT_SORT_KEYS)
        hashlib.blake2b(content, digest_size=16).digest()


def compare_all(
    compare: Compare, before: Sequence[bytes], after: Sequence[bytes]
) -> Iterator[bool]:
    """Whether each document differs, end to end: parse both, strip both, compare."""
    for one, other in zip(before, after, strict=True):
        yield compare(_strip(orjson.loads(one)), _strip(orjson.loads(other)))


def peers() -> dict[str, tuple[Compare, int]]:
    """Each library's comparison, and how many documents of it can be waited for."""
    deepdiff = importlib.import_module("deepdiff")
    jsonpatch = importlib.import_module("jsonpatch")
    dictdiffer = importlib.import_module("dictdiffer")
    deepdiff_rs = importlib.import_module("deepdiff_rs")
    turbodiff = importlib.import_module("turbodiff")
    return {
        "deepdiff": (lambda a, b: bool(deepdiff.DeepDiff(a, b, ignore_order=True)), 300),
        "jsonpatch": (lambda a, b: bool(jsonpatch.make_patch(a, b).patch), 1_000),
        "dictdiffer": (lambda a, b: any(True for _ in dictdiffer.diff(a, b)), 1_000),
        "deepdiff-rs": (lambda a, b: bool(deepdiff_rs.DeepDiff(a, b, ignore_order=True)), 1_000),
        "turbodiff": (lambda a, b: bool(turbodiff.DeepDiff(a, b, ignore_order=True)), 1_000),
    }


def _strip(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _strip(below) for name, below in value.items() if name not in VOLATILE}
    return [_strip(item) for item in value] if isinstance(value, list) else value
