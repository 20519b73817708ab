"""The engine's vocabulary. Values only: nothing here reads a clock, a file or the network."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NewType, TypeAlias

# Not recursive: msgspec, which stores findings, cannot decode into a recursive alias.
Json: TypeAlias = bool | int | float | str | list[Any] | dict[str, Any] | None

ResourceKey = NewType("ResourceKey", str)
"""32 hex digits, a hash of the lower-cased resource id: safe in row keys and URL paths, where an ARM id is not."""


def resource_key(resource_id: str) -> ResourceKey:
    """The key of a resource. ARM ids are case-insensitive and may end in a slash; neither changes the key."""
    folded = resource_id.strip().rstrip("/").lower()
    return ResourceKey(hashlib.sha256(folded.encode()).hexdigest()[:32])


class ChangeKind(StrEnum):
    ADDED = "added"
    REMOVED = "removed"
    MODIFIED = "modified"


class Severity(StrEnum):
    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFORMATIONAL = "informational"

    @property
    def rank(self) -> int:
        """0 is informational, 4 is critical."""
        return _RANKS[self]


_RANKS = {severity: rank for rank, severity in enumerate(reversed(Severity))}


@dataclass(frozen=True, slots=True)
class Document:
    """The canonical form of one resource: equal configuration, equal `digest`.

    `body` is JSON with sorted keys, without noise, with secrets replaced by keyed hashes.
    `resource_id` is spelled as Azure spelled it (for people); it is not part of the digest.
    """

    key: ResourceKey
    resource_id: str
    resource_type: str  # lower case
    body: bytes
    digest: bytes  # 16 bytes


@dataclass(frozen=True, slots=True)
class Change:
    """One path with before and after. `path` is a JSON Pointer whose array elements are named by identity:
    `/properties/subnets/[name=web]/properties/addressPrefix`. The side that does not exist is None."""

    path: str
    kind: ChangeKind
    before: Json
    after: Json
    severity: Severity = Severity.MEDIUM
    rule: str = ""  # id of the rule that decided the severity
    note: str = ""  # why it is only informational, when it is


@dataclass(frozen=True, slots=True)
class Difference:
    """Everything that differs about one resource. Added and removed resources have one change with path ''."""

    key: ResourceKey
    resource_id: str
    resource_type: str
    kind: ChangeKind
    changes: tuple[Change, ...]
