"""How an application proves itself to Entra ID: a secret, a certificate, or a federated managed identity."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any

import jwt
from cryptography import x509

from dev.azure.directories import Application, Directory, Register
from dev.azure.entra_errors import invalid_client
from dev.azure.tokens import TokenAuthority, TokenError

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class CredentialCheck:
    def __init__(self, register: Register, tokens: TokenAuthority) -> None:
        self._register = register
        self._tokens = tokens

    def prove(self, directory: Directory, application: Application, form: Mapping[str, str]) -> str:
        """The claim appidacr of what proved the application: 1 a secret, 2 an assertion."""
        registered = [application]
        if not application.has_credentials:
            registered = self._register.registrations(application.client_id)
        if form.get("client_secret"):
            self._check_secret(registered, form["client_secret"])
            return "1"
        if form.get("client_assertion_type") == ASSERTION_TYPE and form.get("client_assertion"):
            self._check_assertion(directory, registered, form["client_assertion"])
            return "2"
        raise invalid_client(
            7000216,
            "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.",
        )

    def _check_secret(self, registered: list[Application], given: str) -> None:
        client_id = registered[0].client_id
        for secret in (secret for one in registered for secret in one.secrets):
            if not hmac.compare_digest(secret.value.encode(), given.encode()):
                continue
            if secret.expires is None or secret.expires > self._tokens.now():
                return
            raise invalid_client(
                7000222,
                f"The provided client secret keys for app '{client_id}' are expired. Visit the Azure portal to create "
                "new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials "
                "for added security: https://aka.ms/certCreds.",
            )
        raise invalid_client(
            7000215,
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, "
            f"not the client secret ID, for a secret added to app '{client_id}'.",
        )

    def _check_assertion(
        self, directory: Directory, registered: list[Application], assertion: str
    ) -> None:
        try:
            claims = jwt.decode(assertion, options={"verify_signature": False})
        except jwt.PyJWTError as error:
            raise invalid_client(50027, "JWT token is invalid or malformed.") from error
        if str(claims.get("iss", "")).lower() == registered[0].client_id.lower():
            self._check_certificate(directory, registered, assertion)
        else:
            self._check_federation(registered, assertion, claims)

    def _check_certificate(
        self, directory: Directory, registered: list[Application], assertion: str
    ) -> None:
        audiences = [
            f"{self._tokens.origin}/{directory.id}/oauth2/v2.0/token",
            self._tokens.issuer(directory.id),
        ]
        for pem in (pem for one in registered for pem in one.certificates):
            key: Any = x509.load_pem_x509_certificate(pem.encode()).public_key()
            try:
                jwt.decode(assertion, key, algorithms=["RS256", "PS256"], audience=audiences)
            except jwt.InvalidSignatureError:
                continue
            except jwt.PyJWTError as error:
                raise invalid_client(
                    700024,
                    f"Client assertion is not within its valid time range or for another audience ({error}).",
                ) from error
            return
        raise invalid_client(
            700027,
            "The certificate with identifier used to sign the client assertion is not registered on application. "
            "[Reason - The key was not found.]",
        )

    def _check_federation(
        self, registered: list[Application], assertion: str, claims: dict[str, Any]
    ) -> None:
        """Only issuers of our own can be checked: a managed identity's token, exchanged for the application's."""
        try:
            self._tokens.read(assertion)
        except TokenError as error:
            raise invalid_client(
                700211,
                f"No matching federated identity record found for presented assertion issuer '{claims.get('iss')}' "
                f"({error.reason}).",
            ) from error
        presented = (claims.get("iss"), claims.get("sub"), claims.get("aud"))
        for credential in (cred for one in registered for cred in one.federated_credentials):
            if presented == (credential.issuer, credential.subject, credential.audience):
                return
        raise invalid_client(
            700213,
            f"No matching federated identity record found for presented assertion subject '{claims.get('sub')}'. "
            "Check your federated identity credential Subject, Audience and Issuer against the presented assertion.",
        )
