"""The bearer token as a second lock behind App Service authentication.

A request that carries `Authorization` must carry a token of Entra ID for this very app, of the same principal as the
sign-in header: whoever can forge the header, because authentication was switched off or a request came around it, still
cannot forge this. App roles count only where both say them. A request without the header has no second lock: browsers
have none, their session is a cookie that App Service keeps.

Fixed here and not read from any token: the algorithm, where the keys come from, who may be the issuer and the audience.
When the keys cannot be read the answer is 503, never a request that was let through unchecked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from errors import Unauthenticated, Unavailable
from settings import Settings
from tenancy.principal import LARGEST_HEADER, Principal, principal_of_claims
from tenancy.signing_keys import SigningKey, SigningKeys

ALGORITHM = "RS256"
LEEWAY_SECONDS = 60  # between the clocks of Entra ID and ours
REQUIRED = ("exp", "nbf", "iss", "aud", "tid", "oid")


class BearerTokens:
    def __init__(self, settings: Settings, keys: SigningKeys) -> None:
        self._settings = settings
        self._keys = keys

    async def confirm(self, headers: Sequence[tuple[str, str]], principal: Principal) -> Principal:
        """The principal as both the sign-in header and the token know it; as it is when there is no token.

        Raises Unauthenticated for a token that is not good here, or somebody else's, and Unavailable when it cannot be
        checked.
        """
        values = [value for name, value in headers if name.lower() == "authorization"]
        if not values:
            return principal
        claims = await self._verify(_read_token(values))
        named = principal_of_claims(_pairs(claims))
        if (named.directory_id, named.object_id) != (principal.directory_id, principal.object_id):
            raise Unauthenticated("The bearer token is somebody else's than the sign-in.")
        return replace(
            principal,
            app_roles=principal.app_roles & named.app_roles,
            application=principal.application or named.application,
            guest=principal.guest or named.guest,
        )

    async def _verify(self, token: str) -> Mapping[str, Any]:
        if not self._settings.audiences:
            raise Unavailable(
                "Bearer tokens cannot be checked here: set DRIFT_API_AUDIENCE to the app registration's client id."
            )
        key = await self._keys.find(_key_id(token))
        if key is None:
            raise _refused("it is signed with a key that Entra ID does not list")
        claims = _decode(token, key, self._settings.audiences)
        self._check_issuer(claims, key)
        return claims

    def _check_issuer(self, claims: Mapping[str, Any], key: SigningKey) -> None:
        """The issuer is this cloud's for the directory that the token names, and the key is one for that directory."""
        directory = str(claims["tid"])
        issuers = [one.replace("{tenantid}", directory) for one in self._settings.issuers]
        if claims["iss"] not in issuers:
            raise _refused("its issuer is not Entra ID for its directory")
        if key.issuer and key.issuer.replace("{tenantid}", directory) not in issuers:
            raise _refused("its key is not for its directory")


def _read_token(values: Sequence[str]) -> str:
    scheme, _, token = values[0].partition(" ")
    if len(values) > 1 or scheme.lower() != "bearer":
        raise Unauthenticated("Send one Authorization header with a bearer token, or none.")
    if len(token) > LARGEST_HEADER:
        raise _refused("it is too large")
    return token.strip()


def _key_id(token: str) -> str:
    """The key a token says it is signed with. Nothing else of an unchecked token is used."""
    import jwt

    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError as error:
        raise _refused("it is no JSON Web Token") from error
    if header.get("alg") != ALGORITHM:
        raise _refused(f"only {ALGORITHM} counts as a signature")
    if not header.get("kid"):
        raise _refused("it does not say which key it is signed with")
    return str(header["kid"])


def _decode(token: str, key: SigningKey, audiences: frozenset[str]) -> Mapping[str, Any]:
    import jwt

    try:
        claims: Mapping[str, Any] = jwt.decode(
            token,
            key.key,
            algorithms=[ALGORITHM],
            audience=audiences,
            leeway=LEEWAY_SECONDS,
            options={"require": list(REQUIRED)},
        )
    except jwt.ExpiredSignatureError as error:
        raise _refused("it is out of date: get a new one") from error
    except jwt.ImmatureSignatureError as error:
        raise _refused("its time has not come yet") from error
    except jwt.InvalidAudienceError as error:
        raise _refused("it is meant for another application") from error
    except jwt.MissingRequiredClaimError as error:
        raise _refused(f"it has no claim {error.claim}") from error
    except jwt.PyJWTError as error:
        raise _refused("its signature or its form is wrong") from error
    return claims


def _pairs(claims: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """A token's claims as App Service would pass them on: one of each value."""
    for name, value in claims.items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, str | int):
                yield name, str(one)


def _refused(why: str) -> Unauthenticated:
    return Unauthenticated(f"The bearer token does not count here: {why}.")
