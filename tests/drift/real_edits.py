"""Fifty edits of real documents, of values that a person may set; chosen by a hash, so that every run makes the same.

Below `properties` only what Bicep lets a deployment write is edited, elsewhere tags and SKUs, which any may have.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tests.drift.real_world import RealDocument
from tests.drift.writable import Writable

EDITED = "edited"
WANTED = {  # what few documents allow comes first
    "item added": 4,
    "item removed": 2,
    "object item added": 3,
    "object item removed": 2,
    "number": 6,
    "switch": 8,
    "object removed": 3,
    "text": 7,
    "tag changed": 4,
    "tag added": 3,
    "tag removed": 3,
    "sku": 5,
}
assert sum(WANTED.values()) == 50

# Readable, and of the kind that the simulated Azure lists: a resource in a group, no child and no extension of another.
_LISTED = re.compile(r"resourcegroups/[^/]+/providers/[\w.]+/\w+/[\w.-]+", re.IGNORECASE)
_UNLISTED = ("microsoft.authorization/", "microsoft.resources/", "microsoft.policyinsights/")
_ITEM = re.compile(r"[A-Za-z0-9][\w.:/-]{2,60}")
_PLAIN = re.compile(r"[A-Za-z][A-Za-z_-]{2,40}")  # no date, no id, no address, no mask


@dataclass(frozen=True, slots=True)
class RealEdit:
    kind: str
    resource_id: str
    resource_type: str
    path: str  # where the product must find it, and nothing else
    set: dict[str, Any] = field(default_factory=dict)
    remove: tuple[str, ...] = ()


def choose_edits(documents: Iterable[RealDocument], writable: Writable) -> list[RealEdit]:
    """No kind of edit twice in a type, no resource twice, and of as many types as there are."""
    offers: dict[str, dict[str, list[RealEdit]]] = {kind: {} for kind in WANTED}
    for document in sorted(filter(_is_listed, documents), key=_lot):
        resource_type = "/".join(document.parts[3:5]).lower()
        for edit in _offers(document, resource_type, writable):
            offers[edit.kind].setdefault(resource_type, []).append(edit)
    chosen: list[RealEdit] = []
    uses: Counter[str] = Counter()
    for kind, wanted in WANTED.items():
        types = sorted(offers[kind], key=lambda resource_type: uses[resource_type])[:wanted]
        for resource_type in types:
            taken = {edit.resource_id for edit in chosen}
            free = (e for e in offers[kind][resource_type] if e.resource_id not in taken)
            chosen.append(next(free))
            uses[resource_type] += 1
    assert len(chosen) == 50, f"{len(chosen)} edits can be made"
    return chosen


def _is_listed(document: RealDocument) -> bool:
    rest = "/".join(document.parts)
    return bool(_LISTED.fullmatch(rest)) and not rest.split("/", 3)[3].lower().startswith(_UNLISTED)


def _lot(document: RealDocument) -> bytes:
    return hashlib.sha256(document.resource_id.lower().encode()).digest()


def _offers(document: RealDocument, resource_type: str, writable: Writable) -> Iterator[RealEdit]:
    """The edits that a document allows."""
    body = msgspec.json.decode(document.line)
    if str(body.get("type", "")).lower() != resource_type or not _is_settled(body):
        return

    def edit(kind: str, *path: str, **change: Any) -> RealEdit:
        return RealEdit(kind, document.resource_id, resource_type, _pointer(*path), **change)

    if writable.knows(resource_type):
        for path, value in writable.values(body, resource_type):
            yield from _edits_of(edit, path, value)
        return
    tags = body.get("tags") or {}
    yield edit("tag added", "tags", EDITED, set={f"/tags/{EDITED}": "yes"})
    for name in (name for name in tags if _PLAIN.fullmatch(name) and tags[name]):
        yield edit("tag changed", "tags", name, set={f"/tags/{name}": f"{tags[name]}{EDITED}"})
        yield edit("tag removed", "tags", name, remove=(f"/tags/{name}",))
    sku = body.get("sku")
    if isinstance(sku, dict) and isinstance(sku.get("name"), str):
        yield edit("sku", "sku", "name", set={"/sku/name": f"{sku['name']}{EDITED}"})


def _is_settled(body: dict[str, Any]) -> bool:
    """Whether no operation runs on it: until it has ended, drift is seen but not confirmed."""
    properties = body.get("properties")
    state = properties.get("provisioningState") if isinstance(properties, dict) else None
    return state in (None, "Succeeded")


def _edits_of(edit: Any, path: tuple[str, ...], value: Any) -> Iterator[RealEdit]:
    here = _pointer(*path)
    if isinstance(value, bool):
        yield edit("switch", *path, set={here: not value})
    elif isinstance(value, int):
        yield edit("number", *path, set={here: value + 1})
    elif isinstance(value, str) and _PLAIN.fullmatch(value):
        yield edit("text", *path, set={here: f"{value}{EDITED}"})
    elif isinstance(value, dict) and value:
        yield edit("object removed", *path, remove=(here,))
    elif isinstance(value, list) and _are_scalars(value):
        yield edit("item added", *path, f"[={EDITED}]", set={f"{here}/-": EDITED})
        if len(value) > 1:
            yield edit("item removed", *path, f"[={value[0]}]", remove=(f"{here}/0",))
    elif isinstance(value, list) and _are_named(value):
        yield edit(
            "object item added",
            *path,
            f"[name={EDITED}]",
            set={f"{here}/-": {**value[0], "name": EDITED}},
        )
        name = value[0]["name"]
        yield edit("object item removed", *path, f"[name={name}]", remove=(f"{here}/0",))


def _are_scalars(items: list[Any]) -> bool:
    texts = [item for item in items if isinstance(item, str) and _ITEM.fullmatch(item)]
    return 0 < len(items) == len(set(texts))


def _are_named(items: list[Any]) -> bool:
    names = [item.get("name") for item in items if isinstance(item, dict)]
    plain = [name for name in names if isinstance(name, str) and _PLAIN.fullmatch(name)]
    return len(plain) == len(items) == len({name.lower() for name in plain}) and len(items) > 1


def _pointer(*path: str) -> str:
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)
