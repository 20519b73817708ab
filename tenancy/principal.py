"""Who is calling, as App Service authentication (Easy Auth) says.

A principal is (directory id, object id), never a name: e-mail, UPN and preferred_username are not even looked at.

The header is believed only where the platform says that authentication is on; elsewhere only in the development mode,
and then only for requests to a loopback host. Anything odd is Unauthenticated, never an internal error. A bearer token
that comes with it is verified as well (tenancy/bearer.py); without one the header stands alone, as it must for
browsers, whose session cookie stays with the platform.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from errors import Invalid, Unauthenticated
from settings import AUTHORITIES, Settings
from tenancy.ids import DirectoryId, ObjectId, read_guid

HEADER = "x-ms-client-principal"
ID_HEADER = "x-ms-client-principal-id"
ENTRA = "aad"  # what App Service calls Entra ID; claims of any other provider are that provider's to choose
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
    "sub": "subject",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier": "subject",
    "idtyp": "kind",
    "idp": "home",
    "http://schemas.microsoft.com/identity/claims/identityprovider": "home",
    "acct": "account",
    "name": "name",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name": "display",
}
_FOR_DISPLAY = frozenset({"name", "display"})  # everything else decides something, and is said once
_ROLE_CLAIMS = frozenset({"roles", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"})
_GUEST_ACCOUNT = "1"  # claim acct: 0 a member of the directory, 1 a guest
_HOMES = frozenset(issuer for issuers in AUTHORITIES.values() for issuer in issuers)


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
    # Some servers between a caller and an app take `_` for `-`.
    named = [(name.lower().replace("_", "-"), value) for name, value in headers]
    values = [value for name, value in named if name == HEADER]
    if not values:
        raise Unauthenticated("Sign in first.")
    if len(values) > 1:
        raise Unauthenticated("The request names more than one principal.")
    principal = _parse(values[0])
    if any(name == ID_HEADER and value.lower() != principal.object_id for name, value in named):
        raise Unauthenticated("The request names two different principals.")
    return principal


def principal_of_claims(
    claims: Iterable[tuple[str, str]], role_claims: frozenset[str] = _ROLE_CLAIMS
) -> Principal:
    """The principal of a sign-in's claims, by name and value. Raises Unauthenticated."""
    found, roles = _sort_claims(claims, role_claims)
    try:
        directory_id = DirectoryId(read_guid(found.get("directory", "").lower(), field="tid"))
        object_id = ObjectId(read_guid(found.get("object", "").lower(), field="oid"))
    except Invalid as error:
        raise Unauthenticated(f"The sign-in carries no usable {error.field} claim.") from error
    if directory_id == PERSONAL_ACCOUNTS:
        raise Unauthenticated(
            "Personal Microsoft accounts cannot sign in here. Use a work account."
        )
    name = found.get("display") or found.get("name") or object_id
    # `idtyp` is there if the app registration asks for it. The subject of an application's own token is its object id;
    # a person's is made for each application it signs in to.
    alone = found.get("kind") == "app" or found.get("subject", "").lower() == object_id
    return Principal(
        directory_id,
        object_id,
        name[:200],
        frozenset(roles),
        application=alone,
        guest=_is_guest(found, directory_id),
    )


def _development_request(headers: Sequence[tuple[str, str]], settings: Settings) -> bool:
    if not settings.development_sign_in or settings.in_azure:
        return False
    hosts = [value for name, value in headers if name.lower() == "host"]
    return len(hosts) == 1 and hosts[0].rsplit(":", 1)[0].lower() in LOOPBACK_HOSTS


def _parse(header: str) -> Principal:
    if len(header) > LARGEST_HEADER:
        raise Unauthenticated("The sign-in header is too large.")
    try:
        document = msgspec.json.decode(base64.b64decode(header, validate=True))
    except (binascii.Error, msgspec.DecodeError, ValueError, RecursionError) as error:
        raise Unauthenticated("The sign-in header cannot be read.") from error
    claims = document.get("claims") if isinstance(document, Mapping) else None
    if not isinstance(claims, list):
        raise Unauthenticated("The sign-in header carries no claims.")
    if document.get("auth_typ") != ENTRA:
        raise Unauthenticated("Only sign-ins with Entra ID count here.")
    named = document.get("role_typ")
    roles = _ROLE_CLAIMS | ({named} if isinstance(named, str) else frozenset())
    return principal_of_claims(_pairs(claims), roles)


def _pairs(claims: list[Any]) -> list[tuple[str, str]]:
    pairs = [(claim.get("typ"), claim.get("val")) for claim in claims if isinstance(claim, Mapping)]
    return [(typ, val) for typ, val in pairs if isinstance(typ, str) and isinstance(val, str)]


def _sort_claims(
    claims: Iterable[tuple[str, str]], role_claims: frozenset[str]
) -> tuple[dict[str, str], set[str]]:
    """What the claims say, and the app roles among them.

    A claim that comes twice, or a short name that disagrees with its URI, is an attempt to be two people.
    """
    found: dict[str, str] = {}
    roles: set[str] = set()
    seen: set[str] = set()
    for claim, value in claims:
        known = _CLAIMS.get(claim)
        if known is None:
            if claim in role_claims:
                roles.add(value)
            continue
        differs = found.get(known, value).lower() != value.lower()
        if known not in _FOR_DISPLAY and (claim in seen or differs):
            raise Unauthenticated("The sign-in names more than one identity.")
        seen.add(claim)
        found.setdefault(known, value)
    return found, roles


def _is_guest(found: Mapping[str, str], directory_id: DirectoryId) -> bool:
    """Whether the account's home is another directory, or none that Entra ID knows (a federated or personal one)."""
    home = found.get("home", "").lower().rstrip("/")
    own = {one.replace("{tenantid}", directory_id).rstrip("/") for one in _HOMES}
    return found.get("account") == _GUEST_ACCOUNT or bool(home and home not in own)
