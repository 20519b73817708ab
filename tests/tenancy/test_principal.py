"""Who a request's headers say is calling: attacks A01-A09 of the list end as Unauthenticated."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from errors import Unauthenticated
from settings import Settings, read_settings
from tenancy.principal import PERSONAL_ACCOUNTS, read_principal

TID = "11111111-1111-4111-8111-111111111111"
OID = "22222222-2222-4222-8222-222222222222"
LONG_TID = "http://schemas.microsoft.com/identity/claims/tenantid"
LONG_OID = "http://schemas.microsoft.com/identity/claims/objectidentifier"


@pytest.fixture
def settings() -> Settings:
    environment = {
        "DRIFT_STORAGE_CONNECTION_STRING": "x",
        "DRIFT_KEY_VAULT_URL": "https://vault.example",
        "DRIFT_PLATFORM_DIRECTORY_ID": TID,
        "WEBSITE_AUTH_ENABLED": "True",
    }
    return read_settings(environment)


def header(*claims: tuple[str, str], **members: Any) -> tuple[str, str]:
    document = {"auth_typ": "aad", "claims": [{"typ": t, "val": v} for t, v in claims], **members}
    return ("X-MS-CLIENT-PRINCIPAL", base64.b64encode(json.dumps(document).encode()).decode())


BOTH = (("tid", TID), ("oid", OID))


def test_short_and_long_claim_names_are_one_principal(settings: Settings) -> None:
    short = read_principal([header(*BOTH)], settings)
    long = read_principal([header((LONG_TID, TID.upper()), (LONG_OID, OID))], settings)
    assert (short.directory_id, short.object_id) == (TID, OID)
    assert short.key == long.key


def test_app_roles_make_a_platform_operator_only_at_home(settings: Settings) -> None:
    roles = [("roles", "Platform.Operator"), ("roles", "Other")]
    home = read_principal([header(*BOTH, *roles)], settings)
    assert home.is_platform_operator(settings)
    away = read_principal([header(("tid", OID), ("oid", OID), *roles)], settings)
    assert not away.is_platform_operator(settings)
    assert not read_principal([header(*BOTH)], settings).is_platform_operator(settings)


def test_role_claim_named_by_role_typ(settings: Settings) -> None:
    principal = read_principal([header(*BOTH, ("r", "Platform.Operator"), role_typ="r")], settings)
    assert principal.app_roles == {"Platform.Operator"}


def test_authentication_off_believes_nobody(settings: Settings) -> None:
    off = replace(settings, auth_enabled=False)
    with pytest.raises(Unauthenticated):
        read_principal([header(*BOTH)], off)


@pytest.mark.parametrize("host", ["localhost:7071", "127.0.0.1", "[::1]:80"])
def test_development_sign_in_on_loopback(settings: Settings, host: str) -> None:
    development = replace(settings, auth_enabled=False, development_sign_in=True)
    assert read_principal([("host", host), header(*BOTH)], development).object_id == OID


@pytest.mark.parametrize(
    ("host", "in_azure"),
    [("drift.example", False), ("localhost.example", False), ("localhost", True)],
)
def test_development_sign_in_elsewhere_is_refused(
    settings: Settings, host: str, in_azure: bool
) -> None:
    development = replace(settings, auth_enabled=False, development_sign_in=True, in_azure=in_azure)
    with pytest.raises(Unauthenticated):
        read_principal([("host", host), header(*BOTH)], development)
    with pytest.raises(Unauthenticated):
        read_principal([("host", "localhost"), ("host", host), header(*BOTH)], development)


def test_no_header_or_only_the_lesser_ones(settings: Settings) -> None:
    for headers in ([], [("X-MS-CLIENT-PRINCIPAL-ID", OID), ("X-MS-CLIENT-PRINCIPAL-NAME", "a")]):
        with pytest.raises(Unauthenticated, match="Sign in"):
            read_principal(headers, settings)


@pytest.mark.parametrize("name", ["X-MS-CLIENT-PRINCIPAL", "x_ms_client_principal"])
def test_two_principal_headers(settings: Settings, name: str) -> None:
    one = header(*BOTH)
    with pytest.raises(Unauthenticated, match="more than one"):
        read_principal([one, (name, one[1])], settings)


def test_id_header_that_disagrees(settings: Settings) -> None:
    with pytest.raises(Unauthenticated, match="two different"):
        read_principal([header(*BOTH), ("x-ms-client-principal-id", TID)], settings)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "***",
        "bm90IGpzb24=",
        base64.b64encode(b"\xff\xfe").decode(),
        base64.b64encode(b"[" * 20_000).decode(),
        base64.b64encode(b'{"claims":{}}').decode(),
        base64.b64encode(b'{"claims":[1,{"typ":1,"val":[]}]}').decode(),
        "A" * 1_000_000,
    ],
    ids=["empty", "no base64", "no json", "no utf-8", "deep", "object", "odd claims", "large"],
)
def test_broken_header(settings: Settings, value: str) -> None:
    with pytest.raises(Unauthenticated):
        read_principal([("x-ms-client-principal", value)], settings)


@pytest.mark.parametrize(
    "claims",
    [
        [("tid", TID)],
        [("oid", OID)],
        [("tid", "common"), ("oid", OID)],
        [("tid", "organizations"), ("oid", OID)],
        [("tid", "{" + TID + "}"), ("oid", OID)],
        [("tid", TID), ("oid", OID), ("oid", TID)],
        [("tid", TID), (LONG_TID, OID), ("oid", OID)],
        [("tid", PERSONAL_ACCOUNTS), ("oid", OID)],
        [("email", "admin@contoso.com"), ("upn", "admin@contoso.com")],
    ],
    ids=[
        "no oid",
        "no tid",
        "common",
        "organizations",
        "braces",
        "two oids",
        "names disagree",
        "personal account",
        "only an e-mail",
    ],
)
def test_claims_that_name_nobody(settings: Settings, claims: list[tuple[str, str]]) -> None:
    with pytest.raises(Unauthenticated):
        read_principal([header(*claims)], settings)
