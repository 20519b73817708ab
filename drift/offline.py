"""Compares two inventories without Azure, storage or tenants: the same engine, two files.

Nothing is written to the output before everything was read and compared, so that a broken file leaves half a report
to nobody.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO, Self

import msgspec

from drift.engine.canonical import canonicalise
from drift.engine.compare import differ
from drift.engine.families import embedded, without_echoes
from drift.engine.model import Change, ChangeKind, Difference, Document, ResourceKey, Severity
from drift.engine.rules import Subject, TenantRule, judge
from drift.inventories import Inventory
from errors import Invalid

SPOOL = 8 << 20  # bytes of findings kept in memory; more go to a temporary file


class Found(msgspec.Struct, frozen=True):
    """One finding of a comparison; `ignored_by` is the rule that hides it."""

    resource_id: str
    resource_type: str
    kind: ChangeKind
    severity: Severity
    changes: tuple[Change, ...]
    ignored_by: str = ""

    @property
    def explained(self) -> bool:
        """Whether everything that differs has an innocent reason: it is told, and is no drift."""
        return all(change.note for change in self.changes)


def _temporary() -> BinaryIO:
    return tempfile.SpooledTemporaryFile(SPOOL)  # type: ignore[return-value]  # a BinaryIO but by name


@dataclass(slots=True)
class Report:
    """The findings in the order of their resource ids, kept out of memory until they are written."""

    spool: BinaryIO = field(default_factory=_temporary)
    places: list[tuple[str, int, int]] = field(default_factory=list)
    unchanged: int = 0
    severities: Counter[Severity] = field(default_factory=Counter)
    ignored: int = 0
    explained: int = 0
    skipped: Counter[str] = field(default_factory=Counter)

    @property
    def drifted(self) -> bool:
        return bool(self.severities)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.spool.close()

    def add(self, found: Found) -> None:
        data = msgspec.json.encode(found)
        self.places.append((found.resource_id.lower(), self.spool.tell(), len(data)))
        self.spool.write(data)
        if found.ignored_by:
            self.ignored += 1
        elif found.explained:
            self.explained += 1
        else:
            self.severities[found.severity] += 1

    def __iter__(self) -> Iterator[Found]:
        decoder = msgspec.json.Decoder(Found)
        for _, position, length in sorted(self.places):
            self.spool.seek(position)
            yield decoder.decode(self.spool.read(length))


def compare_inventories(
    before: Inventory,
    after: Inventory,
    report: Report,
    *,
    rules: Sequence[TenantRule],
    now: datetime,
    secret_key: bytes,
    lenient: bool = False,
) -> None:
    """Adds to the report what differs."""
    for key in (*after.entries, *(before.entries.keys() - after.entries.keys())):
        if key in after.entries and key in before.entries and before.same_bytes(after, key):
            report.unchanged += 1
            continue
        try:
            old, new = (_load(side, key, secret_key) for side in (before, after))
            difference = differ(old, new)
            if difference is not None:
                difference = _told_once(difference, before, after, secret_key)
        except Invalid as error:
            if not lenient:
                raise
            report.skipped[error.message] += 1
            continue
        if difference is None:
            report.unchanged += 1
        else:
            report.add(_find(difference, old, new, rules, now))


def _told_once(
    difference: Difference, before: Inventory, after: Inventory, secret_key: bytes
) -> Difference | None:
    """The difference without what resources of these inventories, embedded in this one, tell themselves."""
    own = {}
    for key in embedded(difference):
        child = differ(*(_load(side, key, secret_key) for side in (before, after)))
        if child is not None:
            own[key] = child
    return without_echoes(difference, own)


def _find(
    difference: Difference,
    before: Document | None,
    after: Document | None,
    rules: Sequence[TenantRule],
    now: datetime,
) -> Found:
    old, new = _decode(before), _decode(after)
    facts = Subject(tags=_tags(new or old), before=old, after=new)
    judgement = judge(difference, rules=rules, facts=facts, now=now)
    return Found(
        resource_id=difference.resource_id,
        resource_type=difference.resource_type,
        kind=difference.kind,
        severity=judgement.severity,
        changes=judgement.changes,
        ignored_by=judgement.ignored_by,
    )


def _load(side: Inventory, key: ResourceKey, secret_key: bytes) -> Document | None:
    if key not in side.entries:
        return None
    document = side.load(key)
    try:
        return canonicalise(document, secret_key=secret_key)
    except Invalid as error:
        raise Invalid(f"{side.name}, {document['id']}: {error.message}", field=side.name) from error


def _decode(document: Document | None) -> Any:
    return msgspec.json.decode(document.body) if document else None


def _tags(document: dict[str, Any] | None) -> dict[str, str]:
    tags = (document or {}).get("tags")
    return tags if isinstance(tags, dict) else {}
