"""What is read of a sign-in, claim by claim, and the very words of every refusal. A04-A09."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest

from errors import Unauthenticated
from settings import Settings
from tenancy.principal import LARGEST_HEADER, PERSONAL_ACCOUNTS, Principal, read_principal
from tests.tenancy.sign_in import BOTH, LONG_TID, OID, SETTINGS, TID, header

LONG_NAME = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name"
LONG_HOME = "http://schemas.microsoft.com/identity/claims/identityprovider"
LONG_ROLE = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"
LETTERS = "abcdefab-cdef-4abc-8def-abcdefabcdef"  # a GUID that has another spelling in capitals
NO_TID = "The sign-in carries no usable tid claim."
NO_OID = "The sign-in carries no usable oid claim."
TWO = "The sign-in names more than one identity."
PERSONAL = "Personal Microsoft accounts cannot sign in here. Use a work account."


@pytest.fixture
def settings() -> Settings:
    return SETTINGS


def refusal(headers: list[tuple[str, str]], settings: Settings) -> str:
    """What a caller is told that is nobody."""
    with pytest.raises(Unauthenticated) as refused:
        read_principal(headers, settings)
    return refused.value.message


def encode(document: bytes) -> str:
    return base64.b64encode(document).decode()


GOOD = header(*BOTH)[1]


@pytest.mark.parametrize("name", ["tid", "oid"])
def test_capitals_in_an_id_are_the_same_principal(settings: Settings, name: str) -> None:
    """The one spelling is the lower-case one: it is the key of a row."""
    claims = {"tid": TID, "oid": OID}
    small = read_principal([header(*(claims | {name: LETTERS}).items())], settings)
    large = read_principal([header(*(claims | {name: LETTERS.upper()}).items())], settings)
    assert small == large
    assert LETTERS in {small.directory_id, small.object_id}
    twice = [header(*(claims | {name: LETTERS}).items(), (name, LETTERS.upper()))]
    assert refusal(twice, settings) == TWO  # even one that says the same


def test_key_is_the_digest_of_both_ids() -> None:
    """Rows are found by it: another digest would lock everybody out."""
    principal = Principal(TID, OID, "", frozenset(), False)
    assert principal.key == "9d88fa0eee1d35ed758cf45633479f97f106185e"
    assert Principal(OID, TID, "", frozenset(), False).key != principal.key


def test_every_claim_counts_wherever_it_stands(settings: Settings) -> None:
    """What comes first must not hide what comes after: a role, an unknown claim, then the ids and another role."""
    claims = [("roles", "A"), ("unknown", "x"), *BOTH, ("unknown", "y"), (LONG_ROLE, "B")]
    principal = read_principal([header(*claims)], settings)
    assert (principal.directory_id, principal.object_id) == (TID, OID)
    assert principal.app_roles == {"A", "B"}
    for odd in [("roles", "A"), ("unknown", "x")]:
        with pytest.raises(Unauthenticated, match="more than one identity"):
            read_principal([header(*BOTH, odd, ("oid", TID))], settings)


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ([("name", "Ada"), (LONG_NAME, "Ada L.")], "Ada L."),
        ([("name", "Ada")], "Ada"),
        ([(LONG_NAME, "Ada L.")], "Ada L."),
        ([("preferred_username", "ada@contoso.com"), ("upn", "ada@contoso.com")], OID),
        ([("name", "a" * 300)], "a" * 200),
    ],
    ids=["both", "short", "long", "neither", "endless"],
)
def test_name_is_for_people(settings: Settings, claims: list[tuple[str, str]], name: str) -> None:
    assert read_principal([header(*BOTH, *claims)], settings).name == name


@pytest.mark.parametrize(
    ("claims", "application"),
    [([("idtyp", "app")], True), ([("idtyp", "user")], False), ([], False)],
)
def test_token_without_a_person_is_an_application(
    settings: Settings, claims: list[tuple[str, str]], application: bool
) -> None:
    assert read_principal([header(*BOTH, *claims)], settings).application is application


@pytest.mark.parametrize("claim", ["idp", LONG_HOME])
@pytest.mark.parametrize(
    ("home", "guest"),
    [
        ("", False),
        (f"https://sts.windows.net/{LETTERS}/", False),
        (f"https://sts.windows.net/{LETTERS.upper()}/", False),
        (f"https://sts.windows.net/{OID}/", True),
        ("live.com", True),
    ],
    ids=["none", "here", "in capitals", "elsewhere", "nowhere"],
)
def test_guest_is_who_has_another_home(
    settings: Settings, claim: str, home: str, guest: bool
) -> None:
    claims = [("tid", LETTERS), ("oid", OID), *([(claim, home)] if home else [])]
    assert read_principal([header(*claims)], settings).guest is guest


def test_id_header_that_agrees(settings: Settings) -> None:
    headers = [header(("tid", TID), ("oid", LETTERS)), ("X-MS-CLIENT-PRINCIPAL-ID", LETTERS)]
    assert read_principal(headers, settings).object_id == LETTERS
    headers[1] = ("X-MS-CLIENT-PRINCIPAL-ID", LETTERS.upper())
    assert read_principal(headers, settings).object_id == LETTERS


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("", "cannot be read."),
        ("***", "cannot be read."),
        (GOOD[:8] + "*" + GOOD[8:], "cannot be read."),
        (GOOD[:8] + "\n" + GOOD[8:], "cannot be read."),
        ("bm90IGpzb24=", "cannot be read."),
        (encode(b"\xff\xfe"), "cannot be read."),
        (encode(b"[" * 20_000), "cannot be read."),
        (encode(b"[]"), "carries no claims."),
        (encode(b'"claims"'), "carries no claims."),
        (encode(b"null"), "carries no claims."),
        (encode(b'{"claims":{}}'), "carries no claims."),
        ("A" * 1_000_000, "is too large."),
        ("A" * (LARGEST_HEADER + 1), "is too large."),
    ],
    ids=[
        "empty",
        "no base64",
        "not only base64",
        "a line break",
        "no json",
        "no utf-8",
        "deep",
        "list",
        "text",
        "null",
        "object",
        "large",
        "a little too large",
    ],
)
def test_broken_header(settings: Settings, value: str, told: str) -> None:
    headers = [("x-ms-client-principal", value)]
    assert refusal(headers, settings) == f"The sign-in header {told}"


def test_largest_header_is_read(settings: Settings) -> None:
    size = LARGEST_HEADER // 4 * 3
    document = json.dumps(
        {"auth_typ": "aad", "claims": [{"typ": t, "val": v} for t, v in BOTH]}
    ).encode()
    value = encode(document.ljust(size))
    assert len(value) == LARGEST_HEADER
    assert read_principal([("x-ms-client-principal", value)], settings).object_id == OID


@pytest.mark.parametrize(
    ("claims", "told"),
    [
        ([("tid", TID)], NO_OID),
        ([("oid", OID)], NO_TID),
        ([("tid", "common"), ("oid", OID)], NO_TID),
        ([("tid", "organizations"), ("oid", OID)], NO_TID),
        ([("tid", "{" + TID + "}"), ("oid", OID)], NO_TID),
        ([("tid", TID), ("oid", OID), ("oid", TID)], TWO),
        ([("tid", TID), (LONG_TID, OID), ("oid", OID)], TWO),
        ([("tid", PERSONAL_ACCOUNTS), ("oid", OID)], PERSONAL),
        ([("email", "admin@contoso.com"), ("upn", "admin@contoso.com")], NO_TID),
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
def test_claims_that_name_nobody(
    settings: Settings, claims: list[tuple[str, str]], told: str
) -> None:
    assert refusal([header(*claims)], settings) == told


def test_claims_that_are_no_claims_are_passed_over(settings: Settings) -> None:
    odd = [1, None, {"typ": 1, "val": []}, {"typ": "oid"}, {"val": "x"}, {"typ": "tid", "val": 7}]
    document = {"auth_typ": "aad", "claims": [*odd, *({"typ": t, "val": v} for t, v in BOTH)]}
    value = encode(json.dumps(document).encode())
    assert read_principal([("x-ms-client-principal", value)], settings).object_id == OID
    nobody = encode(json.dumps({"auth_typ": "aad", "claims": odd}).encode())
    assert refusal([("x-ms-client-principal", nobody)], settings) == NO_TID


def test_refusals_say_what_is_wrong(settings: Settings) -> None:
    one = header(*BOTH)
    off = replace(settings, auth_enabled=False)
    told = {
        "Sign in first.": ([], settings),
        "Sign-in is not available: App Service authentication is off.": ([one], off),
        "The request names more than one principal.": ([one, one], settings),
        "The request names two different principals.": (
            [one, ("x-ms-client-principal-id", TID)],
            settings,
        ),
        "Only sign-ins with Entra ID count here.": ([header(*BOTH, auth_typ="google")], settings),
    }
    for message, (headers, which) in told.items():
        assert refusal(headers, which) == message


def test_role_typ_that_is_no_text_names_no_claim(settings: Settings) -> None:
    for odd in (["roles"], {"a": 1}, 7, None):
        principal = read_principal([header(*BOTH, ("roles", "A"), role_typ=odd)], settings)
        assert principal.app_roles == {"A"}


def test_subject_that_is_the_object_is_an_application_in_any_case(settings: Settings) -> None:
    claims = [("tid", TID), ("oid", LETTERS), ("sub", LETTERS.upper())]
    assert read_principal([header(*claims)], settings).application is True
    other = [("tid", TID), ("oid", LETTERS), ("sub", OID)]
    assert read_principal([header(*other)], settings).application is False
