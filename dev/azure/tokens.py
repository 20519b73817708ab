"""Signed tokens as Entra ID issues them, and their check as Azure's services do it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from dev.azure.document import Json, JsonObject


class TokenError(Exception):
    """The token is not to be believed; `reason` is missing, malformed, signature or expired."""

    def __init__(self, reason: str, claims: Mapping[str, Any] | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.claims = claims or {}


@dataclass(frozen=True, slots=True)
class Principal:
    directory_id: str
    object_id: str
    client_id: str
    audience: str


class TokenAuthority:
    """One set of signing keys for all directories, as in Azure's public cloud."""

    def __init__(self, origin: str, clock: Callable[[], float]) -> None:
        self.origin = origin
        self.lifetime = 3599.0  # what Entra ID says in expires_in for an hour's token
        self._clock = clock
        self._keys: dict[
            str, rsa.RSAPrivateKey
        ] = {}  # all that ever signed: tokens outlive a rotation
        self._published: list[str] = []
        self._key_id = ""
        self.rotate(publish=True)

    def rotate(self, *, publish: bool, withdraw: bool = False) -> str:
        """Signs with a new key from now on, and returns its id. `withdraw` takes the earlier ones off the list."""
        self._key_id = uuid.uuid4().hex
        self._keys[self._key_id] = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        if withdraw:
            self._published.clear()
        if publish:
            self._published.append(self._key_id)
        return self._key_id

    def now(self) -> float:
        return self._clock()

    def issuer(self, directory_id: str) -> str:
        return f"{self.origin}/{directory_id}/v2.0"

    def mint(
        self, directory_id: str, audience: str, claims: JsonObject, lifetime: float | None = None
    ) -> str:
        """v1 tokens (iss sts.windows.net) are what ARM and Key Vault get; a caller's `iss` wins. Odd claims are signed
        too, for those who must refuse them."""
        now = int(self._clock())
        payload: JsonObject = {
            "aud": audience,
            "iss": f"https://sts.windows.net/{directory_id}/",
            "iat": now,
            "nbf": now,
            "exp": now + int(self.lifetime if lifetime is None else lifetime),
            "tid": directory_id,
            "uti": uuid.uuid4().hex[:22],
            "ver": "1.0",
            **claims,
        }
        return jwt.PyJWS().encode(
            json.dumps(payload).encode(),
            self._keys[self._key_id],
            algorithm="RS256",
            headers={"kid": self._key_id},
        )

    def mint_for(
        self, directory_id: str, audience: str, client_id: str, object_id: str, *, proof: str
    ) -> str:
        """An application's token. `proof`: 0 none, 1 secret, 2 certificate or assertion (claim appidacr)."""
        return self.mint(
            directory_id,
            audience,
            {
                "appid": client_id,
                "appidacr": proof,
                "idp": f"https://sts.windows.net/{directory_id}/",
                "idtyp": "app",
                "oid": object_id,
                "sub": object_id,
            },
        )

    def read(self, token: str) -> dict[str, Any]:
        """The claims of a token of ours. The audience is the receiver's to check."""
        try:
            key_id = str(jwt.get_unverified_header(token).get("kid"))
            if key_id not in self._keys:
                raise TokenError("signature")
            claims: dict[str, Any] = jwt.decode(
                token,
                self._keys[key_id].public_key(),
                algorithms=["RS256"],
                options={
                    "require": ["exp", "aud", "iss"],
                    "verify_aud": False,
                    "verify_exp": False,
                },
            )
        except jwt.InvalidSignatureError as error:
            raise TokenError("signature") from error
        except jwt.PyJWTError as error:
            raise TokenError("malformed") from error
        if claims["exp"] <= self._clock():
            raise TokenError("expired", claims)
        return claims

    def key_set(self, directory_id: str) -> Json:
        """`issuer` is whose tokens a key may sign; where any directory's keys are listed, it is a template."""
        return {"keys": [self._describe(one, directory_id) for one in self._published]}

    def _describe(self, key_id: str, directory_id: str) -> JsonObject:
        key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self._keys[key_id].public_key()))
        issuer = self.issuer(directory_id)
        return {**key, "use": "sig", "kid": key_id, "x5t": key_id, "issuer": issuer}


def read_bearer(authorization: str | None) -> str:
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise TokenError("missing")
    return token.strip()


def claimed_directory(authorization: str | None) -> str:
    """The directory a token names, believed only for matching faults: nothing is granted on it."""
    try:
        claims = jwt.decode(read_bearer(authorization), options={"verify_signature": False})
    except (TokenError, jwt.PyJWTError):
        return ""
    return str(claims.get("tid", ""))


def principal_of(claims: Mapping[str, Any]) -> Principal:
    return Principal(
        directory_id=str(claims.get("tid", "")).lower(),
        object_id=str(claims.get("oid", "")),
        client_id=str(claims.get("appid") or claims.get("azp") or ""),
        audience=str(claims.get("aud", "")),
    )
