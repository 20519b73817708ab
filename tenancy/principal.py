"""Who is calling, as App Service authentication (Easy Auth) says.

A principal is (directory id, object id), never a name.

The header is believed only where the platform says that authentication is on; elsewhere only in the development mode,
and then only for requests to a loopback host. Anything odd is Unauthenticated, never an internal error.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from errors import Invalid, Unauthenticated
from settings import Settings
from tenancy.ids import DirectoryId, ObjectId, read_guid

HEADER = "x-ms-client-principal"
PLATFORM_ROLE = "Platform.Operator"
LARGEST_HEADER = 32 * 1024
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})
PERSONAL_ACCOUNTS = (
    "9188040d-6c67-4c5b-b112-36a304b66dad"  # directory of Microsoft's personal accounts
)

# Short claim names and the URIs that App Service maps them to.
_CLAIMS = {
    "tid": "directory",
    "http://schemas.microsoft.com/identity/claims/tenantid": "directory",
    "oid": "object",
    "http://schemas.microsoft.com/identity/claims/objectidentifier": "object",
    "idtyp": "kind",
    "idp": "home",
    "http://schemas.microsoft.com/identity/claims/identityprovider": "home",
    "name": "name",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name": "display",
}
_ROLE_CLAIMS = frozenset({"roles", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"})


@dataclass(frozen=True, slots=True)
class Principal:
    directory_id: DirectoryId
    object_id: ObjectId
    name: str  # for display and the audit trail, never for a decision
    app_roles: frozenset[str]
    application: bool  # a service principal (app-only token), not a person
    guest: bool = False  # of another directory, or of none, invited into this one

    @property
    def key(self) -> str:
        """Row key of this principal: a digest, so that it is as long for everyone."""
        return hashlib.sha256(f"{self.directory_id}/{self.object_id}".encode()).hexdigest()[:40]

    def is_platform_operator(self, settings: Settings) -> bool:
        at_home = self.directory_id == settings.platform_directory_id
        return at_home and PLATFORM_ROLE in self.app_roles


def read_principal(headers: Sequence[tuple[str, str]], settings: Settings) -> Principal:
    """The caller behind a request's headers (all of them, repeated ones included). Raises Unauthenticated."""
    if not settings.auth_enabled and not _development_request(headers, settings):
        raise Unauthenticated("Sign-in is not available: App Service authentication is off.")
    values = [value for name, value in headers if name.lower().replace("_", "-") == HEADER]
    if not values:
        raise Unauthenticated("Sign in first.")
    if len(values) > 1:
        raise Unauthenticated("The request names more than one principal.")
    principal = _parse(values[0])
    for name, value in headers:
        if name.lower() == "x-ms-client-principal-id" and value.lower() != principal.object_id:
            raise Unauthenticated("The request names two different principals.")
    return principal


def _development_request(headers: Sequence[tuple[str, str]], settings: Settings) -> bool:
    if not settings.development_sign_in or settings.in_azure:
        return False
    hosts = [value for name, value in headers if name.lower() == "host"]
    return len(hosts) == 1 and hosts[0].rsplit(":", 1)[0].lower() in LOOPBACK_HOSTS


def _parse(header: str) -> Principal:
    claims, roles = _read_claims(header)
    try:
        directory_id = DirectoryId(read_guid(claims.get("directory", "").lower(), field="tid"))
        object_id = ObjectId(read_guid(claims.get("object", "").lower(), field="oid"))
    except Invalid as error:
        raise Unauthenticated(f"The sign-in carries no usable {error.field} claim.") from error
    if directory_id == PERSONAL_ACCOUNTS:
        raise Unauthenticated(
            "Personal Microsoft accounts cannot sign in here. Use a work account."
        )
    name = claims.get("display") or claims.get("name") or object_id
    home = claims.get("home", "").lower()
    return Principal(
        directory_id,
        object_id,
        name[:200],
        roles,
        application=claims.get("kind") == "app",
        guest=bool(home) and directory_id not in home,
    )


def _read_claims(header: str) -> tuple[dict[str, str], frozenset[str]]:
    if len(header) > LARGEST_HEADER:
        raise Unauthenticated("The sign-in header is too large.")
    try:
        document = msgspec.json.decode(base64.b64decode(header, validate=True))
    except (binascii.Error, msgspec.DecodeError, ValueError, RecursionError) as error:
        raise Unauthenticated("The sign-in header cannot be read.") from error
    found: dict[str, str] = {}
    roles: set[str] = set()
    named = document.get("role_typ") if isinstance(document, Mapping) else None
    for claim, value in _claims(document):
        if claim in _ROLE_CLAIMS or claim == named:
            roles.add(value)
            continue
        known = _CLAIMS.get(claim)
        if known is None:
            continue
        # A second tid or oid, or a short name that disagrees with its URI, is an attempt to be two people.
        if known in {"directory", "object"} and found.get(known, value).lower() != value.lower():
            raise Unauthenticated("The sign-in names more than one identity.")
        found.setdefault(known, value)
    return found, frozenset(roles)


def _claims(document: Any) -> list[tuple[str, str]]:
    claims = document.get("claims") if isinstance(document, Mapping) else None
    if not isinstance(claims, list):
        raise Unauthenticated("The sign-in header carries no claims.")
    pairs = [(claim.get("typ"), claim.get("val")) for claim in claims if isinstance(claim, Mapping)]
    return [(typ, val) for typ, val in pairs if isinstance(typ, str) and isinstance(val, str)]
