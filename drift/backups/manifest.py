"""What a backup says of itself: whose it is, of when, and which files it has; signed with a key of the tenant's own.

The blob is two lines: the manifest as JSON, and the HMAC-SHA256 of that line in hexadecimal. The key is derived from
the one in Key Vault that also hashes secret-looking values, so that it goes with the tenant's other secrets.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime

import msgspec

from drift.backups.lines import TableFile
from drift.engine.canonical import NORMALISER_VERSION
from errors import Conflict, Corrupt, NotFound
from settings import VERSION
from tenancy.access import TenantContext
from tenancy.migrations import version_of

FORMAT = 1
LARGEST = 256 * 1024
_PURPOSE = b"backup manifest 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    format: int = FORMAT
    tenant_id: str
    tenant_name: str
    backup_id: str
    product: str = VERSION
    normaliser: int = NORMALISER_VERSION  # of the documents in the packs
    started_at: datetime  # every row is as it was at some moment from here
    finished_at: datetime  # to here
    files: tuple[TableFile, ...]

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files)

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


def folder_of(backup_id: str) -> str:
    return f"backups/{backup_id}/"


def name_of(backup_id: str) -> str:
    return f"{folder_of(backup_id)}manifest"


async def write_manifest(context: TenantContext, manifest: Manifest) -> None:
    """The last thing that is written of a backup. Raises Conflict when it has one already."""
    line = msgspec.json.encode(manifest)
    data = line + b"\n" + (await _sign(context, line)).encode() + b"\n"
    await context.blobs.put(name_of(manifest.backup_id), data)


async def find_manifest(context: TenantContext, backup_id: str) -> Manifest | None:
    """None for a backup that never came to its end. Raises as `get_manifest` for one that is not this tenant's own."""
    try:
        data = await context.blobs.get(name_of(backup_id), most=LARGEST)
    except NotFound:
        return None
    return await _read(context, data, backup_id)


async def get_manifest(context: TenantContext, backup_id: str) -> Manifest:
    """Raises Corrupt for a manifest that this tenant's key did not sign, and Conflict for one of another tenant or of a
    newer version of the product."""
    manifest = await find_manifest(context, backup_id)
    if manifest is None:
        raise NotFound("The backup's manifest is not there.")
    return manifest


async def _read(context: TenantContext, data: bytes, backup_id: str) -> Manifest:
    line, _, rest = data.partition(b"\n")
    if not hmac.compare_digest(rest.strip(), (await _sign(context, line)).encode()):
        raise Corrupt(
            "The backup's manifest is not signed with this tenant's key: it is another tenant's, or was changed."
        )
    try:
        manifest = msgspec.json.decode(line, type=Manifest)
    except msgspec.DecodeError as error:
        raise Corrupt("The backup's manifest cannot be read.") from error
    # The signature says so already. What somebody signed with a key that was copied is refused as well.
    if manifest.tenant_id != context.tenant.tenant_id:
        raise Conflict("This is the backup of another tenant. It can be restored there only.")
    if manifest.backup_id != backup_id:
        raise Corrupt("The manifest is that of another backup.")
    newer = any(file.version > version_of(file.table) for file in manifest.files)
    if manifest.format > FORMAT or newer:
        raise Conflict(
            f"The backup was made by a newer version ({manifest.product}). Upgrade this deployment first."
        )
    return manifest


async def _sign(context: TenantContext, line: bytes) -> str:
    key = hmac.digest(await context.fingerprint_key(), _PURPOSE, "sha256")
    return hmac.new(key, line, hashlib.sha256).hexdigest()
