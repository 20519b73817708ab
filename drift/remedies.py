"""What to do about a connection that does not work: for each refusal of Entra ID or Azure, words and the `az` command.

Data, not code: one entry a refusal. Commands hold ids only, and only what looks like one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from settings import Settings
from tenancy.connections import Connection, ConnectionKind

READER = (
    "acdd72a7-3385-48ef-bd42-f606fba81ae7"  # the built-in role Reader; Lighthouse takes no name
)
_CODE = re.compile(r"AADSTS(\d+)")
_QUOTED = re.compile(r"(issuer|subject) '([^'\s]{1,300})'")
_SAFE = re.compile(r"[0-9A-Za-z:/._-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Remedy:
    words: str
    command: str = ""


_NEW_SECRET = "az ad app credential reset --id {client} --append"  # noqa: S105 - a command
_NEW_CERTIFICATE = "az ad app credential reset --id {client} --append --cert @certificate.pem"
_CONSENT = "az login --tenant {directory} && az ad sp create --id {client}"
_FEDERATION = (
    "az ad app federated-credential create --id {client} --parameters "
    '\'{{"name": "drift-detector", "issuer": "{issuer}", "subject": "{subject}", '
    '"audiences": ["api://AzureADTokenExchange"]}}\''
)
_NOT_FEDERATED = Remedy(
    "The app registration does not trust the app's managed identity. The platform operator adds the federated "
    "credential in the app's home directory.",
    _FEDERATION,
)
_NO_CONSENT = Remedy(
    "The application is not in this directory. An administrator of the directory consents to it.",
    _CONSENT,
)

# By the number of Entra's refusal (learn.microsoft.com/entra/identity-platform/reference-error-codes).
REMEDIES: Mapping[int, Remedy] = {
    7000222: Remedy("The client secret has expired. Make a new one and set it here.", _NEW_SECRET),
    7000215: Remedy(
        "The client secret is wrong. Give the secret's value, not its id, or make a new one.",
        _NEW_SECRET,
    ),
    700027: Remedy(
        "The certificate is not registered on the application. Upload its public part, or give the one that is.",
        _NEW_CERTIFICATE,
    ),
    700024: Remedy(
        "The signature is out of its time: the certificate may have expired.", _NEW_CERTIFICATE
    ),
    700016: _NO_CONSENT,
    7000229: _NO_CONSENT,  # the application is known, but has no service principal here
    650052: _NO_CONSENT,
    90002: Remedy(
        "There is no such directory. Check directoryId.", "az account show --query tenantId"
    ),
    700211: _NOT_FEDERATED,
    700212: _NOT_FEDERATED,
    700213: _NOT_FEDERATED,
    70021: _NOT_FEDERATED,
    7000112: Remedy(
        "The application is disabled in this directory.",
        "az ad sp update --id {client} --set accountEnabled=true",
    ),
    53003: Remedy("A Conditional Access policy for workload identities blocks the sign-in."),
}
_OTHERWISE = Remedy("Check directoryId, clientId and the credential of the app registration.")


def of_sign_in(message: str, connection: Connection, settings: Settings) -> Remedy:
    """What to do about Entra's refusal of a connection."""
    code = _CODE.search(message)
    found = REMEDIES.get(int(code[1]), _OTHERWISE) if code else _OTHERWISE
    presented = dict(_QUOTED.findall(message))
    federated = connection.kind is ConnectionKind.FEDERATED
    values = {
        "client": settings.app_client_id if federated else connection.client_id,
        "directory": connection.directory_id,
        "issuer": presented.get(
            "issuer", f"{settings.authority_host}/{settings.platform_directory_id}/v2.0"
        ),
        "subject": presented.get("subject", ""),
    }
    missing = {"subject": "OBJECT-ID-OF-THE-MANAGED-IDENTITY", "client": "CLIENT-ID"}
    safe = {
        name: value if _SAFE.fullmatch(value) else missing.get(name, name.upper())
        for name, value in values.items()
    }
    return Remedy(found.words, found.command.format(**safe))


def of_access(
    connection: Connection, settings: Settings, *, subscription_id: str, object_id: str
) -> Remedy:
    """How the connection gets to read a subscription: the role Reader there, or a delegation of it."""
    if connection.kind is ConnectionKind.LIGHTHOUSE:
        return _delegation(settings, subscription_id, object_id)
    who = f"--assignee-object-id {object_id} --assignee-principal-type ServicePrincipal"
    if not object_id:
        who = f"--assignee {connection.client_id or settings.app_client_id or 'CLIENT-ID'}"
    return Remedy(
        "Give the connection's application the role Reader on the subscription.",
        f"az role assignment create {who} --role Reader --scope /subscriptions/{subscription_id}",
    )


def _delegation(settings: Settings, subscription_id: str, object_id: str) -> Remedy:
    principal = object_id or "OBJECT-ID-OF-THE-MANAGED-IDENTITY"
    return Remedy(
        "The organisation delegates the subscription to the app's identity with the role Reader (Azure Lighthouse): "
        "it makes the definition, and assigns the id that this prints.",
        "az managedservices definition create --name drift-detector "
        f"--tenant-id {settings.platform_directory_id} --principal-id {principal} "
        f"--role-definition-id {READER} --subscription {subscription_id} --query id -o tsv "
        f"| xargs az managedservices assignment create --subscription {subscription_id} --definition",
    )
