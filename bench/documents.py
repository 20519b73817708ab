"""ARM documents to measure with: recorded ones where a file of them is at hand, else those of the simulated Azure."""

from __future__ import annotations

import gzip
import random
import re
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from dev.azure.world import build_world

RECORDED = Path(__file__).resolve().parents[2] / "shared" / "data" / "arm-resources.jsonl.gz"
SMALLEST, LARGEST = 2_000, 6_000  # bytes
_WORKLOADS = 60
_GUID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SUBSCRIPTION = "11111111-2222-4333-8444-555555555555"


def make_documents(count: int, source: Path | None) -> list[bytes]:
    """So many documents of 2 to 6 kB with ids of their own, in the order of their ids."""
    originals = _choose(_recorded(source) if source else _made_up())
    random.Random(1).shuffle(originals)
    copies = [
        copy_document(originals[number % len(originals)], number // len(originals))
        for number in range(count)
    ]
    return sorted(copies, key=_folded_id)


def copy_document(document: bytes, number: int) -> bytes:
    """Another resource of the same kind: another id and other GUIDs. Number 0 is the document itself."""
    if number == 0:
        return document
    fresh = _GUID.sub(lambda guid: _reseed(guid.group(), number), document)
    decoded: dict[str, Any] = msgspec.json.decode(fresh)
    decoded["id"] = f"{decoded['id'].rstrip('/')}-{number}"
    return msgspec.json.encode(decoded)


def _choose(documents: Iterable[dict[str, Any]]) -> list[bytes]:
    chosen: dict[str, bytes] = {}
    for document in documents:
        resource_id, resource_type = document.get("id"), document.get("type")
        if not isinstance(resource_id, str) or not isinstance(resource_type, str):
            continue
        content = msgspec.json.encode(document)
        if SMALLEST <= len(content) <= LARGEST and "/providers/" in resource_id:
            chosen.setdefault(resource_id.strip().rstrip("/").lower(), content)
    return list(chosen.values())


def _recorded(source: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(source) as lines:
        for line in lines:
            document: dict[str, Any] = msgspec.json.decode(line)
            document.pop("_source", None)  # where it was recorded
            yield document


def _made_up() -> Iterator[dict[str, Any]]:
    yield from build_world("contoso", _SUBSCRIPTION, scale=_WORKLOADS)


def _reseed(guid: bytes, number: int) -> bytes:
    return str(uuid.uuid5(uuid.UUID(guid.decode()), str(number))).encode()


def _folded_id(document: bytes) -> str:
    return str(msgspec.json.decode(document)["id"]).lower()
