"""Rows as JSON Lines in zstd, written to and read from a blob piece by piece.

A line is `{"key": …, "values": {…}}`. Text, numbers and truth are themselves; a time is `{"time": "…Z"}`, binary data
is `{"base64": "…"}`, so that a row comes back as exactly what it was. The digest is of the stored bytes: it is checked
before they are decompressed.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import zstandard

from errors import Corrupt, NotFound
from tenancy.blobs import BlobWriter, TenantBlobs
from tenancy.migrations import bring_forward, version_of
from tenancy.rows import Row, Value

LEVEL = 3
SLICE = 64 * 1024  # compressed bytes that are decompressed at once
LONGEST_LINE = 4 * 1024 * 1024  # a row holds 1 MiB; base64 and names make it longer


@dataclass(frozen=True, slots=True)
class TableFile:
    """The copy of one table, as the manifest has it."""

    table: str
    blob: str
    rows: int
    size: int  # bytes of the blob
    sha256: str  # of the blob
    version: int  # of the form of its rows


class LineWriter:
    def __init__(self, table: str, name: str, blob: BlobWriter) -> None:
        self._table, self._name, self._blob = table, name, blob
        self._zstd = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).compressobj()
        self._digest = hashlib.sha256()
        self.rows = 0

    async def add(self, row: Row) -> None:
        self.rows += 1
        await self._write(self._zstd.compress(encode(row)))

    async def finish(self) -> TableFile:
        await self._write(self._zstd.flush())
        await self._blob.finish()
        digest = self._digest.hexdigest()
        return TableFile(
            self._table, self._name, self.rows, self._blob.size, digest, version_of(self._table)
        )

    async def _write(self, data: bytes) -> None:
        self._digest.update(data)
        await self._blob.write(data)


async def start_lines(blobs: TenantBlobs, table: str, name: str) -> LineWriter:
    return LineWriter(table, name, await blobs.writer(name))


async def read_lines(blobs: TenantBlobs, file: TableFile) -> AsyncIterator[Row]:
    """The rows of a copy, in order of their keys. Raises Corrupt, at the end at the latest, for anything but the bytes
    that were written: who must not act on what is changed reads to the end first (`check`)."""
    digest, last, rows = hashlib.sha256(), "", 0
    async for line in _lines(blobs, file, digest):
        row = bring_forward(file.table, replace(decode(line), version=file.version))
        if rows and row.key <= last:
            raise Corrupt(f"The copy of {file.table} is out of order.")
        last, rows = row.key, rows + 1
        yield row
    if digest.hexdigest() != file.sha256:
        raise Corrupt(f"The copy of {file.table} was changed after it was written: {file.blob}.")
    if rows != file.rows:
        raise Corrupt(f"The copy of {file.table} has {rows} rows instead of {file.rows}.")


async def check(blobs: TenantBlobs, file: TableFile) -> None:
    """Raises Corrupt unless the blob has the bytes that were written. Nothing is decompressed."""
    digest = hashlib.sha256()
    async for piece in _pieces(blobs, file):
        digest.update(piece)
    if digest.hexdigest() != file.sha256:
        raise Corrupt(f"The copy of {file.table} was changed after it was written: {file.blob}.")


def encode(row: Row) -> bytes:
    values = {name: _mark(value) for name, value in row.values.items()}
    return msgspec.json.encode({"key": row.key, "values": values}) + b"\n"


def decode(line: bytes) -> Row:
    try:
        said = msgspec.json.decode(line)
        values = {name: _unmark(value) for name, value in said["values"].items()}
        return Row(str(said["key"]), values)
    except (msgspec.DecodeError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise Corrupt("A copied row cannot be read.") from error


def _mark(value: Value) -> object:
    if isinstance(value, datetime):
        return {"time": value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")}
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    return value


def _unmark(value: Any) -> Value:
    if not isinstance(value, Mapping):
        plain: Value = value
        return plain
    if "time" in value:
        return datetime.fromisoformat(value["time"])
    return base64.b64decode(value["base64"], validate=True)


async def _pieces(blobs: TenantBlobs, file: TableFile) -> AsyncIterator[bytes]:
    try:
        async for piece in blobs.read(file.blob):
            yield piece
    except NotFound:
        raise Corrupt(f"The copy of {file.table} is gone: {file.blob}.") from None


async def _lines(blobs: TenantBlobs, file: TableFile, digest: Any) -> AsyncIterator[bytes]:
    zstd = zstandard.ZstdDecompressor().decompressobj()
    held = b""
    async for piece in _pieces(blobs, file):
        digest.update(piece)
        for start in range(0, len(piece), SLICE):
            try:
                held += zstd.decompress(piece[start : start + SLICE])
            except zstandard.ZstdError as error:
                raise Corrupt(f"The copy of {file.table} cannot be decompressed.") from error
            *whole, held = held.split(b"\n")
            for line in whole:
                yield line
            if len(held) > LONGEST_LINE:
                raise Corrupt(f"The copy of {file.table} has a line longer than any row.")
    if held:
        raise Corrupt(f"The copy of {file.table} ends in the middle of a row.")
