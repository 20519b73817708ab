"""The only door to Blob Storage: one container a tenant. A TenantBlobs' container is fixed when it is made, so no
caller leaves it; it takes names of blobs and no tenant id.

Blobs hold backups and exports only. A blob is written in blocks and appears when the last one is there: nobody ever
reads half a blob, whatever became of who wrote it. Names are never used twice (`put`, `writer`), but for what a crash
left behind.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from errors import Conflict, Corrupt, NotFound, Stale
from tenancy.ids import TenantId
from tenancy.retry import call_storage

if TYPE_CHECKING:
    from azure.storage.blob.aio import BlobClient, BlobServiceClient, ContainerClient

SERVICE = "Blob Storage"
PREFIX = "tenant-"
BLOCK = 4 * 1024 * 1024  # what is held in memory of a blob that is written or read


@dataclass(frozen=True, slots=True)
class StoredBlob:
    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Erased:
    """What there was of a tenant before its container was deleted."""

    blobs: int
    size: int  # bytes


class Blobs:
    """The storage account's blob endpoint. Holds the connection, knows no tenant. The SDK is imported at first use:
    most processes never meet a blob."""

    def __init__(self, connect: Callable[[], BlobServiceClient]) -> None:
        self._connect = connect
        self._service: BlobServiceClient | None = None
        self._ready: set[str] = set()

    def container(self, name: str) -> ContainerClient:
        if self._service is None:
            self._service = self._connect()
        return self._service.get_container_client(name)

    async def ready(self, name: str) -> ContainerClient:
        """The container, which is created the first time this process writes to it. It is private: no public access
        is asked for, and the account allows none."""
        container = self.container(name)
        if name not in self._ready:
            with contextlib.suppress(ResourceExistsError):
                await call_storage(lambda _: container.create_container(), service=SERVICE)
            self._ready.add(name)
        return container

    def forget(self, name: str) -> None:
        self._ready.discard(name)

    async def close(self) -> None:
        if self._service is not None:
            await self._service.close()


class TenantBlobs:
    """One tenant's blobs. Made in tenancy/access.py only (tests/test_architecture.py checks it)."""

    def __init__(self, blobs: Blobs, tenant_id: TenantId) -> None:
        self._blobs = blobs
        self._container = container_of(tenant_id)

    async def put(self, name: str, data: bytes) -> None:
        """Writes a small blob. Raises Conflict when there is one of this name."""
        blob = (await self._blobs.ready(self._container)).get_blob_client(name)

        async def attempt(tries: int) -> None:
            try:
                await blob.upload_blob(data, overwrite=False)
            except ResourceExistsError:
                # An earlier try of ours may have succeeded without its answer arriving.
                if not tries or not await self._holds(name, data):
                    raise Conflict(f"There is a blob {name} already.") from None

        await call_storage(attempt, service=SERVICE)

    async def _holds(self, name: str, data: bytes) -> bool:
        try:
            return await self.get(name, most=len(data)) == data
        except Corrupt:  # longer, so somebody else's
            return False

    async def get(self, name: str, *, most: int) -> bytes:
        """A small blob, whole. Raises Corrupt for one that is longer than `most` bytes."""
        found = bytearray()
        async for piece in self.read(name):
            found += piece
            if len(found) > most:
                raise Corrupt(f"{name} is longer than {most} bytes.")
        return bytes(found)

    async def writer(self, name: str) -> BlobWriter:
        """For a blob of any length. It appears with `finish`."""
        container = await self._blobs.ready(self._container)
        return BlobWriter(container.get_blob_client(name))

    async def read(self, name: str) -> AsyncIterator[bytes]:
        """The blob in pieces of at most BLOCK bytes. Raises NotFound, and Stale for one that is replaced meanwhile."""
        blob = self._blobs.container(self._container).get_blob_client(name)
        try:
            known = await call_storage(lambda _: blob.get_blob_properties(), service=SERVICE)
        except ResourceNotFoundError:
            raise NotFound(f"There is no blob {name}.") from None
        for start in range(0, known.size, BLOCK):
            yield await _read_piece(blob, start, str(known.etag))

    async def list(self, prefix: str) -> Sequence[StoredBlob]:
        """Whatever begins with `prefix`, in order of the names."""
        container = self._blobs.container(self._container)

        async def read(_: int) -> list[StoredBlob]:
            found = container.list_blobs(name_starts_with=prefix)
            return [StoredBlob(str(one.name), int(one.size or 0)) async for one in found]

        try:
            return await call_storage(read, service=SERVICE)
        except ResourceNotFoundError:  # no container: nothing was ever written
            return []

    async def delete(self, name: str) -> None:
        """Removes a blob; one that is not there is fine."""
        blob = self._blobs.container(self._container).get_blob_client(name)
        with contextlib.suppress(ResourceNotFoundError):
            await call_storage(lambda _: blob.delete_blob(), service=SERVICE)

    async def erase(self) -> Erased:
        """Deletes the container with all that is in it, and says what that was. Repeating it finds nothing.

        The account's soft delete keeps it for its days; nothing of the product reaches it there.
        """
        held = await self.list("")
        container = self._blobs.container(self._container)
        with contextlib.suppress(ResourceNotFoundError):
            await call_storage(lambda _: container.delete_container(), service=SERVICE)
        self._blobs.forget(self._container)
        return Erased(len(held), sum(one.size for one in held))


class BlobWriter:
    """Collects what is written into blocks and sends them; a block that was not answered is sent again."""

    def __init__(self, blob: BlobClient) -> None:
        self._blob = blob
        self._blocks: list[str] = []
        self._held = bytearray()
        self.size = 0  # bytes written so far

    async def write(self, data: bytes) -> None:
        self._held += data
        self.size += len(data)
        while len(self._held) >= BLOCK:
            await self._send(bytes(self._held[:BLOCK]))
            del self._held[:BLOCK]

    async def finish(self) -> None:
        """Makes the blob of the blocks."""
        from azure.storage.blob import BlobBlock

        if self._held:
            await self._send(bytes(self._held))
            self._held.clear()
        blocks = [BlobBlock(block_id=name) for name in self._blocks]
        await call_storage(lambda _: self._blob.commit_block_list(blocks), service=SERVICE)

    async def _send(self, data: bytes) -> None:
        name = base64.b64encode(f"{len(self._blocks):08d}".encode()).decode()
        await call_storage(lambda _: self._blob.stage_block(name, data), service=SERVICE)
        self._blocks.append(name)


def container_of(tenant_id: TenantId) -> str:
    """Its name is a digest: what is listed in the account's own tools names no customer."""
    return PREFIX + hashlib.sha256(f"container|{tenant_id}".encode()).hexdigest()[:48]


async def _read_piece(blob: BlobClient, start: int, etag: str) -> bytes:
    """Up to BLOCK bytes; the service ends the last piece with the blob."""

    async def read(_: int) -> bytes:
        found = await blob.download_blob(
            offset=start, length=BLOCK, etag=etag, match_condition=MatchConditions.IfNotModified
        )
        return await found.readall()

    try:
        return await call_storage(read, service=SERVICE)
    except ResourceNotFoundError:
        raise NotFound("The blob was deleted while it was read.") from None
    except HttpResponseError as error:
        if error.status_code != 412:
            raise
        raise Stale("The blob was replaced while it was read.") from None
