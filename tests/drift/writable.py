"""What of a resource a deployment may set, as Microsoft publishes it for Bicep: a source that the engine does not use,
so that it can be asked what the engine should have seen."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

REQUIRED, READ_ONLY, WRITE_ONLY = 1, 2, 4
Found = tuple[tuple[str, ...], Any]  # where, and what is there


class Writable:
    def __init__(self, path: Path) -> None:
        data = msgspec.json.decode(gzip.decompress(path.read_bytes()))
        self._types = data["types"]
        self._roots: dict[str, int] = {}
        for name, (number, *_) in data["resources"].items():  # in the order of versions
            resource_type, _, version = name.partition("@")
            if "preview" not in version or resource_type.lower() not in self._roots:
                self._roots[resource_type.lower()] = number

    def knows(self, resource_type: str) -> bool:
        return resource_type.lower() in self._roots

    def values(self, document: dict[str, Any], resource_type: str) -> Iterator[Found]:
        """Every value below `properties` that can be set, objects and arrays included, arrays not entered."""
        root = self._types[self._roots[resource_type.lower()]]
        number, flags = root.get("properties", {}).get("properties", (0, READ_ONLY))
        if not flags & READ_ONLY and isinstance(document.get("properties"), dict):
            yield from self._below(document["properties"], number, ("properties",))

    def _below(self, value: dict[str, Any], number: int, path: tuple[str, ...]) -> Iterator[Found]:
        known = self._types[number].get("properties", {})
        for name, below in value.items():
            member, flags = known.get(name, (0, READ_ONLY))
            if flags & (READ_ONLY | WRITE_ONLY):
                continue
            if isinstance(below, dict) and self._types[member]["$type"] == "Object":
                inside = list(self._below(below, member, (*path, name)))
                if inside:  # some objects can be set, but nothing in them
                    yield (*path, name), below
                yield from inside
            else:
                yield (*path, name), below
