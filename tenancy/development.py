"""Signing in with a browser in the development mode: a cookie holds what App Service's header would say.

Nothing here decides who is believed: the cookie only takes the header's place, and tenancy/principal.py refuses that
header wherever development sign-in is off, in Azure, and for any host but loopback.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from errors import Invalid
from settings import Settings
from tenancy.ids import read_guid
from tenancy.principal import ENTRA, HEADER, PLATFORM_ROLE

COOKIE = "drift-development-sign-in"
LARGEST_COOKIE = 3_500  # characters; browsers keep 4 KiB
Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody whom the sign-in page offers."""

    name: str
    says: str  # in a few words, what this one can do
    principal: str  # what the header would be


def is_offered(settings: Settings) -> bool:
    return settings.development_sign_in and not settings.in_azure and not settings.auth_enabled


def with_cookie(headers: Iterable[tuple[str, str]], settings: Settings) -> Headers:
    """The headers, with the cookie's principal as one of them where no header names a principal."""
    given = list(headers)
    if not is_offered(settings) or any(
        name.lower().replace("_", "-") == HEADER for name, _ in given
    ):
        return given
    cookies = [value for name, value in given if name.lower() == "cookie"]
    pairs = [pair.strip().partition("=") for value in cookies for pair in value.split(";")]
    found = [value for name, _, value in pairs if name == COOKIE and value]
    return [*given, *((HEADER, decode(value)) for value in found)]


def encode(principal: str) -> str:
    """A principal as a cookie's value: without the characters of base64 that hosts rewrite in cookies."""
    return principal.rstrip("=").replace("+", "-").replace("/", "_")


def decode(value: str) -> str:
    standard = value.replace("-", "+").replace("_", "/")
    return standard + "=" * (-len(standard) % 4)


def make_principal(directory_id: str, object_id: str, name: str, *, platform: bool) -> str:
    """What App Service would send for somebody. Raises Invalid for what is no GUID."""
    claims = [
        ("tid", read_guid(directory_id.strip().lower(), field="directoryId")),
        ("oid", read_guid(object_id.strip().lower(), field="objectId")),
        ("name", name.strip()[:200] or object_id),
    ]
    if platform:
        claims.append(("roles", PLATFORM_ROLE))
    document = {"auth_typ": ENTRA, "claims": [{"typ": typ, "val": value} for typ, value in claims]}
    return base64.b64encode(msgspec.json.encode(document)).decode()


def people(settings: Settings) -> tuple[Person, ...]:
    """Whom DRIFT_DEVELOPMENT_PEOPLE names, a JSON list of name, says and principal; the demo sets it."""
    if not settings.development_people:
        return ()
    try:
        return tuple(msgspec.json.decode(settings.development_people, type=list[Person]))
    except msgspec.DecodeError as error:
        raise Invalid(
            "DRIFT_DEVELOPMENT_PEOPLE must be a JSON list of objects with name, says and principal.",
            field="DRIFT_DEVELOPMENT_PEOPLE",
        ) from error


def check_principal(principal: str) -> str:
    """A principal that fits a cookie. Raises Invalid for what is no base64."""
    try:
        base64.b64decode(principal, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid("This is not a sign-in header.", field="principal") from error
    if len(principal) > LARGEST_COOKIE:
        raise Invalid("This sign-in is too large for a cookie.", field="principal")
    return principal
