"""What one check found, and what the errors of Azure's clients mean to whoever runs the doctor."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import httpx2 as httpx
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
)

SIGN_IN = "az login, into the directory of the deployment (az account show)"
MAKE_OPERATOR = (
    "azd env set DRIFT_OPERATOR_PRINCIPAL_ID $(az ad signed-in-user show --query id -o tsv) and azd provision; "
    "roles take a minute to count"
)
REACH = (
    "check the name (azd env get-values) and the network: a deployment with DRIFT_PRIVATE_NETWORK is looked at from "
    "inside its network"
)


@dataclass(frozen=True, slots=True)
class Verdict:
    check: str
    ok: bool
    found: str
    fix: str = ""

    def as_line(self) -> str:
        mark = "✓" if self.ok else "✗"
        return f"{mark} {self.check}: {self.found}" + (f" Fix: {self.fix}." if self.fix else "")

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def good(check: str, found: str) -> Verdict:
    return Verdict(check, True, found)


def bad(check: str, found: str, fix: str) -> Verdict:
    return Verdict(check, False, found, fix)


def explain(check: str, error: AzureError | httpx.HTTPError) -> Verdict:
    """The verdict of a check that could not be done."""
    # Storage's own refusals are of this class too, and carry its code.
    if isinstance(error, ClientAuthenticationError) and not getattr(error, "error_code", None):
        return bad(check, f"no token: {_first_line(error)}", SIGN_IN)
    if isinstance(error, HttpResponseError) and error.status_code in {401, 403}:
        return bad(check, f"you are refused ({error.status_code}).", MAKE_OPERATOR)
    if isinstance(error, ServiceRequestError | httpx.TransportError):
        return bad(check, f"it cannot be reached: {_first_line(error)}", REACH)
    return bad(check, f"it failed: {_first_line(error)}", REACH)


def _first_line(error: Exception) -> str:
    text = (str(error).strip() or type(error).__name__).splitlines()[0]
    return text[:200] if text.endswith(".") else f"{text[:200]}."
