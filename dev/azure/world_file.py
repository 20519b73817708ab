"""Worlds in files: one ARM document a line, plain or gzipped."""

from __future__ import annotations

import codecs
import gzip
from collections.abc import Iterable
from pathlib import Path

from dev.azure.inventory import InvalidDocumentError, Inventory, read_resource


def load_file(inventory: Inventory, path: Path) -> int:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as lines:
        try:
            return load_lines(inventory, lines)
        except InvalidDocumentError as error:
            raise InvalidDocumentError(f"{path}: {error}") from error


def load_lines(inventory: Inventory, lines: Iterable[bytes]) -> int:
    """How many documents were added; with one bad line, none is."""
    documents: list[bytes] = []
    for number, line in enumerate(lines, start=1):
        text = line.removeprefix(codecs.BOM_UTF8).strip()
        if not text:
            continue
        try:
            read_resource(text, 0.0)
        except InvalidDocumentError as error:
            raise InvalidDocumentError(f"line {number}: {error}") from error
        documents.append(text)
    for text in documents:
        inventory.add(text, at_once=True)
    return len(documents)
