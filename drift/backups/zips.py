"""Zip files that are written piece by piece into blobs, as many as are needed."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import AsyncIterator
from typing import Any

from drift.backups.jobs import Part
from tenancy.blobs import BlobWriter, TenantBlobs

PART = 48 * 1024 * 1024  # bytes of one; the Functions host holds an answer in memory


class _Sink(io.RawIOBase):
    """What zipfile writes to, and what it wrote since it was asked last."""

    def __init__(self) -> None:
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self._held += piece
        return len(piece)

    def take(self) -> bytes:
        taken = bytes(self._held)
        self._held.clear()
        return taken


class _ZipBlob:
    """One zip file on its way into a blob."""

    def __init__(self, name: str, blob: BlobWriter) -> None:
        self._name, self._blob = name, blob
        self._sink = _Sink()
        self._zip = zipfile.ZipFile(self._sink, "w", zipfile.ZIP_DEFLATED)
        self._digest = hashlib.sha256()

    @property
    def size(self) -> int:
        return self._blob.size

    def open(self, name: str) -> Any:
        return self._zip.open(name, "w")

    async def flush(self) -> None:
        data = self._sink.take()
        self._digest.update(data)
        await self._blob.write(data)

    async def finish(self) -> Part:
        self._zip.close()
        await self.flush()
        await self._blob.finish()
        return Part(self._name, self._blob.size, self._digest.hexdigest())


class Zips:
    """Files of lines in zip files of about PART bytes each; a file may go on in the next one."""

    def __init__(self, blobs: TenantBlobs, folder: str) -> None:
        self._blobs, self._folder = blobs, folder
        self._parts: list[Part] = []
        self._open: _ZipBlob | None = None
        self.counts: dict[str, int] = {}  # file -> pieces that went into it

    async def add(self, name: str, lines: AsyncIterator[bytes]) -> None:
        stem, dot, ending = name.rpartition(".")
        volume, count = 1, 0
        archive = await self._archive()
        entry = archive.open(name)
        async for line in lines:
            if archive.size > PART:
                entry.close()
                await self._close()
                volume += 1
                archive = await self._archive()
                entry = archive.open(f"{stem}.{volume}{dot}{ending}")
            entry.write(line)
            await archive.flush()
            count += 1
        entry.close()
        await archive.flush()
        self.counts[name] = count

    async def finish(self) -> tuple[Part, ...]:
        await self._close()
        return tuple(self._parts)

    async def _archive(self) -> _ZipBlob:
        if self._open is None:
            name = f"{self._folder}{len(self._parts) + 1}.zip"
            self._open = _ZipBlob(name, await self._blobs.writer(name))
        return self._open

    async def _close(self) -> None:
        if self._open is not None:
            self._parts.append(await self._open.finish())
            self._open = None
