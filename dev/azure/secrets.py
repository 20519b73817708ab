"""What a Key Vault holds: secrets with versions, and the deleted ones that still occupy their names."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from dev.azure.answers import AzureError
from dev.azure.document import Json, JsonObject

RECOVERABLE_DAYS = 90


def vault_error(status: int, code: str, message: str, inner: str = "") -> AzureError:
    error: JsonObject = {"code": code, "message": message}
    if inner:
        error["innererror"] = {"code": inner}
    return AzureError(status, {"error": error})


@dataclass(frozen=True, slots=True)
class SecretVersion:
    version: str
    value: str
    content_type: str
    tags: dict[str, str]
    enabled: bool
    created: int
    updated: int
    expires: int | None = None
    not_before: int | None = None


@dataclass(slots=True)
class StoredSecret:
    name: str  # as first written; names are case-insensitive
    versions: list[SecretVersion] = field(default_factory=list)
    deleted: int | None = None

    @property
    def newest(self) -> SecretVersion:
        return self.versions[-1]

    def version(self, wanted: str) -> SecretVersion | None:
        if not wanted:
            return self.newest
        return next((one for one in self.versions if one.version == wanted.lower()), None)


class Vault:
    """One vault with soft delete. `allowed` are the principals that may do everything in it."""

    def __init__(self, origin: str, clock: Callable[[], float], allowed: set[str]) -> None:
        self.origin = origin
        self.allowed = allowed
        self._clock = clock
        self._secrets: dict[str, StoredSecret] = {}

    def write(
        self,
        name: str,
        value: str,
        *,
        content_type: str,
        tags: dict[str, str],
        attributes: JsonObject,
    ) -> tuple[StoredSecret, SecretVersion]:
        secret = self._secrets.setdefault(name.lower(), StoredSecret(name))
        if secret.deleted is not None:
            raise vault_error(
                409,
                "Conflict",
                f"Secret {secret.name} is currently in a deleted but recoverable state, and its name cannot be reused; "
                "in this state, the secret can only be recovered or purged.",
                "ObjectIsDeletedButRecoverable",
            )
        now = int(self._clock())
        version = SecretVersion(uuid.uuid4().hex, value, content_type, tags, True, now, now)
        secret.versions.append(_with_attributes(version, attributes))
        return secret, secret.newest

    def update(
        self,
        name: str,
        version: str,
        *,
        content_type: str | None,
        tags: dict[str, str] | None,
        attributes: JsonObject,
    ) -> tuple[StoredSecret, SecretVersion]:
        secret, known = self.read(name, version)
        changed = replace(
            known,
            content_type=known.content_type if content_type is None else content_type,
            tags=known.tags if tags is None else tags,
            updated=int(self._clock()),
        )
        changed = _with_attributes(changed, attributes)
        secret.versions[secret.versions.index(known)] = changed
        return secret, changed

    def read(self, name: str, version: str = "") -> tuple[StoredSecret, SecretVersion]:
        secret = self._secrets.get(name.lower())
        found = secret.version(version) if secret is not None and secret.deleted is None else None
        if secret is None or found is None:
            raise _not_found(f"{name}/{version}" if version else name)
        return secret, found

    def delete(self, name: str) -> StoredSecret:
        secret, _ = self.read(name)
        secret.deleted = int(self._clock())
        return secret

    def deleted(self, name: str) -> StoredSecret:
        secret = self._secrets.get(name.lower())
        if secret is None or secret.deleted is None:
            raise vault_error(404, "SecretNotFound", f"Deleted Secret not found: {name}")
        return secret

    def recover(self, name: str) -> StoredSecret:
        secret = self.deleted(name)
        secret.deleted = None
        return secret

    def purge(self, name: str) -> None:
        self.deleted(name)
        del self._secrets[name.lower()]

    def clear(self) -> None:
        """As if nothing had ever been written."""
        self._secrets.clear()

    def list(self, *, deleted: bool) -> list[StoredSecret]:
        found = [one for one in self._secrets.values() if (one.deleted is not None) == deleted]
        return sorted(found, key=lambda one: one.name.lower())


def _not_found(what: str) -> AzureError:
    return vault_error(
        404,
        "SecretNotFound",
        f"A secret with (name/id) {what} was not found in this key vault. If you recently deleted this secret you may "
        "be able to recover it using the correct recovery command. For help resolving this issue, please see "
        "https://go.microsoft.com/fwlink/?linkid=2125182",
    )


def _with_attributes(version: SecretVersion, attributes: JsonObject) -> SecretVersion:
    """Only what is named changes."""
    expires = attributes.get("exp", version.expires)
    not_before = attributes.get("nbf", version.not_before)
    return replace(
        version,
        enabled=bool(attributes.get("enabled", version.enabled)),
        expires=int(expires) if isinstance(expires, int) else None,
        not_before=int(not_before) if isinstance(not_before, int) else None,
    )


def attributes_of(version: SecretVersion) -> JsonObject:
    found: JsonObject = {
        "enabled": version.enabled,
        "created": version.created,
        "updated": version.updated,
        "recoveryLevel": "Recoverable+Purgeable",
        "recoverableDays": RECOVERABLE_DAYS,
    }
    if version.expires is not None:
        found["exp"] = version.expires
    if version.not_before is not None:
        found["nbf"] = version.not_before
    return found


def describe(
    origin: str, secret: StoredSecret, version: SecretVersion, *, in_list: bool
) -> JsonObject:
    """Everything but the value. An id in a list of secrets names no version."""
    suffix = "" if in_list else f"/{version.version}"
    found: JsonObject = {
        "id": f"{origin}/secrets/{secret.name}{suffix}",
        "attributes": attributes_of(version),
    }
    if version.content_type:
        found["contentType"] = version.content_type
    tags: dict[str, Json] = {**version.tags}
    if tags:
        found["tags"] = tags
    return found


def describe_deleted(origin: str, secret: StoredSecret, *, in_list: bool) -> JsonObject:
    assert secret.deleted is not None
    return {
        "recoveryId": f"{origin}/deletedsecrets/{secret.name}",
        "deletedDate": secret.deleted,
        "scheduledPurgeDate": secret.deleted + RECOVERABLE_DAYS * 24 * 3600,
        **describe(origin, secret, secret.newest, in_list=in_list),
    }
