"""Where the packages say read-only and a person would still call a change drift. Each with its reason."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Override:
    """A path of the types that a pattern names; a first `**` is any depth."""

    type_pattern: str
    segments: tuple[str, ...]
    reason: str

    def matches(self, resource_type: str, path: Sequence[str]) -> bool:
        if not fnmatchcase(resource_type, self.type_pattern):
            return False
        pattern, there = self.segments, tuple(path)
        if pattern[0] == "**":
            pattern = pattern[1:]
            there = there[-len(pattern) :]
        return len(pattern) == len(there) and all(map(fnmatchcase, there, pattern))


@dataclass(frozen=True, slots=True)
class Overrides:
    entries: tuple[Override, ...]

    def keeps(self, resource_type: str, path: Sequence[str]) -> bool:
        return any(entry.matches(resource_type, path) for entry in self.entries)


def read_overrides(path: Path) -> Overrides:
    """One override a line, as JSON: type, path, reason."""
    lines = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line)
    return Overrides(
        tuple(
            Override(
                type_pattern=line["type"].lower(),
                segments=tuple(line["path"].lower().split("/")),
                reason=line["reason"],
            )
            for line in lines
        )
    )
