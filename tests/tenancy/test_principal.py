"""Who a request's headers say is calling: attacks A01 to A06, A09, A10 and A12 end as Unauthenticated, or as nobody."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest

from errors import Unauthenticated
from settings import Settings
from tenancy.principal import PERSONAL_ACCOUNTS, read_principal
from tests.tenancy.sign_in import BOTH, LONG_OID, LONG_TID, OID, SETTINGS, TID, header

LONG_SUB = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier"


@pytest.fixture
def settings() -> Settings:
    return SETTINGS


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


def test_a01_authentication_off_believes_nobody(settings: Settings) -> None:
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


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("X-MS-CLIENT-PRINCIPAL-ID", OID), ("X-MS-CLIENT-PRINCIPAL-NAME", "a")],
        [("X-MS-CLIENT-PRINCIPAL-IDP", "aad"), ("X-MS-CLIENT-PRINCIPAL-ID", OID)],
        [("X-MS-TOKEN-AAD-ID-TOKEN", "x"), ("X-MS-TOKEN-AAD-ACCESS-TOKEN", "x")],
    ],
    ids=["none", "id and name", "provider and id", "tokens"],
)
def test_a03_lesser_headers_alone_name_nobody(settings: Settings, headers: Any) -> None:
    with pytest.raises(Unauthenticated, match="Sign in"):
        read_principal(headers, settings)


@pytest.mark.parametrize("name", ["x-ms-client-principal-id", "X_MS_Client_Principal_Id"])
def test_a03_id_header_that_disagrees(settings: Settings, name: str) -> None:
    with pytest.raises(Unauthenticated, match="two different"):
        read_principal([header(*BOTH), (name, TID)], settings)
    twice = [header(*BOTH), (name, OID), (name, TID)]
    with pytest.raises(Unauthenticated, match="two different"):
        read_principal(twice, settings)
    assert read_principal([header(*BOTH), (name, OID.upper())], settings).object_id == OID


@pytest.mark.parametrize(
    "name",
    [
        "X-MS-CLIENT-PRINCIPAL",
        "x-ms-client-principal",
        "X-Ms-Client-Principal",
        "x_ms_client_principal",
        "X_MS-CLIENT_PRINCIPAL",
    ],
)
def test_a02_two_principal_headers(settings: Settings, name: str) -> None:
    one, other = header(*BOTH), header(("tid", TID), ("oid", TID))
    for first, second in ((one, one), (one, other), (other, one)):
        with pytest.raises(Unauthenticated, match="more than one"):
            read_principal([first, (name, second[1])], settings)


def test_a02_two_headers_that_a_server_joined(settings: Settings) -> None:
    """As the Functions host does with repeated headers."""
    one = header(*BOTH)
    with pytest.raises(Unauthenticated, match="cannot be read"):
        read_principal([(one[0], f"{one[1]},{one[1]}")], settings)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "***",
        "bm90IGpzb24=",
        base64.b64encode(b"\xff\xfe").decode(),
        base64.b64encode(b"[" * 20_000).decode(),
        base64.b64encode(b'{"claims":' + b"[" * 10_000).decode(),
        base64.b64encode(b'{"claims":{}}').decode(),
        base64.b64encode(b'{"claims":[1,{"typ":1,"val":[]}],"auth_typ":"aad"}').decode(),
        base64.b64encode(b'{"claims":[],"auth_typ":[]}').decode(),
        base64.b64encode(b"null").decode(),
        "A" * 1_000_000,
    ],
    ids=[
        "empty", "no base64", "no json", "no utf-8", "deep", "deep claims", "object", "odd claims",
        "odd provider", "null", "large",
    ],
)  # fmt: skip
def test_a04_broken_header(settings: Settings, value: str) -> None:
    with pytest.raises(Unauthenticated):
        read_principal([("x-ms-client-principal", value)], settings)


@pytest.mark.parametrize(
    "claims",
    [
        [*BOTH, ("tid", OID)],
        [*BOTH, ("tid", TID)],
        [*BOTH, ("oid", TID)],
        [*BOTH, ("oid", OID)],
        [*BOTH, (LONG_TID, OID)],
        [*BOTH, (LONG_OID, TID)],
        [(LONG_OID, TID), *BOTH],
        [(LONG_TID, TID), (LONG_TID, TID), (LONG_OID, OID)],
        [*BOTH, ("idtyp", "user"), ("idtyp", "app")],
        [*BOTH, ("idp", "live.com"), ("idp", f"https://sts.windows.net/{TID}/")],
    ],
    ids=[
        "two tids", "one tid twice", "two oids", "one oid twice", "tid and its URI", "oid and its URI",
        "URI first", "URI twice", "person and application", "two homes",
    ],
)  # fmt: skip
def test_a05_claims_of_two_identities(settings: Settings, claims: list[tuple[str, str]]) -> None:
    with pytest.raises(Unauthenticated, match="more than one identity"):
        read_principal([header(*claims)], settings)


def test_a05_short_name_and_uri_that_agree_are_one(settings: Settings) -> None:
    both = header(*BOTH, (LONG_TID, TID.upper()), (LONG_OID, OID))
    assert read_principal([both], settings).directory_id == TID


@pytest.mark.parametrize(
    "claims",
    [
        [],
        [("tid", TID)],
        [("oid", OID)],
        [("tid", "common"), ("oid", OID)],
        [("tid", "organizations"), ("oid", OID)],
        [("tid", "consumers"), ("oid", OID)],
        [("tid", "*"), ("oid", OID)],
        [("tid", ""), ("oid", OID)],
        [("tid", "{" + TID + "}"), ("oid", OID)],
        [("tid", TID.replace("-", "")), ("oid", OID)],
        [("tid", "\u0661" + TID[1:]), ("oid", OID)],
        [("TID", TID), ("OID", OID)],
    ],
    ids=[
        "none", "no oid", "no tid", "common", "organizations", "consumers", "star", "empty", "braces", "no dashes",
        "foreign digit", "upper-case names",
    ],
)  # fmt: skip
def test_a06_claims_that_name_nobody(settings: Settings, claims: list[tuple[str, str]]) -> None:
    with pytest.raises(Unauthenticated, match="no usable"):
        read_principal([header(*claims)], settings)


def test_a09_personal_accounts_are_nobodys(settings: Settings) -> None:
    for spelling in (PERSONAL_ACCOUNTS, PERSONAL_ACCOUNTS.upper()):
        with pytest.raises(Unauthenticated, match="Personal"):
            read_principal([header(("tid", spelling), ("oid", OID))], settings)


@pytest.mark.parametrize("name", ["email", "upn", "preferred_username", "unique_name"])
def test_a10_mail_addresses_are_not_looked_at(settings: Settings, name: str) -> None:
    with pytest.raises(Unauthenticated, match="no usable tid"):
        read_principal([header((name, "admin@contoso.com"))], settings)
    plain = read_principal([header(*BOTH)], settings)
    assert read_principal([header(*BOTH, (name, "admin@contoso.com"))], settings) == plain


@pytest.mark.parametrize("provider", ["google", "github", "contoso-oidc", "AAD", "", None])
def test_a10_claims_of_another_provider_are_its_own(settings: Settings, provider: Any) -> None:
    """A provider that somebody connected to App Service beside Entra ID may say tid and oid, too."""
    with pytest.raises(Unauthenticated, match="Only sign-ins with Entra ID"):
        read_principal([header(*BOTH, auth_typ=provider)], settings)


@pytest.mark.parametrize(
    ("claims", "guest"),
    [
        ([], False),
        ([("idp", f"https://sts.windows.net/{TID}/")], False),
        ([("idp", f"https://login.microsoftonline.com/{TID}/v2.0")], False),
        ([("idp", f"https://sts.chinacloudapi.cn/{TID}/")], False),
        ([("acct", "0")], False),
        ([("idp", f"https://sts.windows.net/{OID}/")], True),
        ([("http://schemas.microsoft.com/identity/claims/identityprovider", "live.com")], True),
        ([("idp", "mail")], True),
        ([("idp", f"https://login.evil.example/{TID}/")], True),
        ([("idp", f"https://evil.example/?x=https://sts.windows.net/{TID}/")], True),
        ([("acct", "1")], True),
        ([("idp", f"https://sts.windows.net/{TID}/"), ("acct", "1")], True),
    ],
)
def test_a12_guest_is_who_has_another_home(
    settings: Settings, claims: list[tuple[str, str]], guest: bool
) -> None:
    assert read_principal([header(*BOTH, *claims)], settings).guest is guest


@pytest.mark.parametrize(
    ("claims", "application"),
    [
        ([], False),
        ([("sub", "l3_roISQU222bULS9yi2k0XpqpOiMz5H3ZACo1GeXA")], False),
        ([("idtyp", "user")], False),
        ([("idtyp", "app")], True),
        ([("sub", OID)], True),
        ([(LONG_SUB, OID.upper())], True),
    ],
)
def test_a14_application_is_known_with_and_without_the_optional_claim(
    settings: Settings, claims: list[tuple[str, str]], application: bool
) -> None:
    assert read_principal([header(*BOTH, *claims)], settings).application is application


def test_a16_groups_and_their_overage_are_not_looked_at(settings: Settings) -> None:
    plain = read_principal([header(*BOTH)], settings)
    for claims in (
        [("groups", TID), ("groups", OID)],
        [("_claim_names", '{"groups":"src1"}'), ("_claim_sources", "{}")],
        [("hasgroups", "true"), ("wids", TID)],
    ):
        assert read_principal([header(*BOTH, *claims)], settings) == plain
