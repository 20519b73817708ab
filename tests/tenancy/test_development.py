"""The development sign-in of browsers: a cookie in the header's place, on a person's own machine and nowhere else."""

from __future__ import annotations

import base64
import json
import uuid
from dataclasses import replace

import pytest

from errors import Invalid, Unauthenticated
from settings import Settings, read_settings
from tenancy import development
from tenancy.principal import HEADER, read_principal

DIRECTORY, OBJECT = str(uuid.uuid4()), str(uuid.uuid4())
HERE = ("host", "localhost:7071")


@pytest.fixture
def on() -> Settings:
    return read_settings(
        {
            "DRIFT_STORAGE_CONNECTION_STRING": "UseDevelopmentStorage=true",
            "DRIFT_KEY_VAULT_URL": "https://localhost",
            "DRIFT_PLATFORM_DIRECTORY_ID": DIRECTORY,
            "DRIFT_DEVELOPMENT_SIGN_IN": "true",
        }
    )


def cookie(principal: str) -> tuple[str, str]:
    return "cookie", f"a=b; {development.COOKIE}={development.encode(principal)}; c=d"


def test_cookie_takes_the_header_s_place(on: Settings) -> None:
    principal = development.make_principal(DIRECTORY, OBJECT, "Ada ~ÿ?", platform=True)
    who = read_principal(development.with_cookie([HERE, cookie(principal)], on), on)
    assert (who.directory_id, who.object_id, who.name) == (DIRECTORY, OBJECT, "Ada ~ÿ?")
    assert who.is_platform_operator(on)


def test_a_header_wins_over_the_cookie(on: Settings) -> None:
    one = development.make_principal(DIRECTORY, OBJECT, "Ada", platform=False)
    other = development.make_principal(DIRECTORY, str(uuid.uuid4()), "Eve", platform=True)
    headers = [HERE, ("X-MS-CLIENT-PRINCIPAL", one), cookie(other)]
    assert read_principal(development.with_cookie(headers, on), on).name == "Ada"


def test_header_is_a_header_however_it_is_spelt(on: Settings) -> None:
    principal = development.make_principal(DIRECTORY, OBJECT, "Ada", platform=False)
    for name in ("X-MS-CLIENT-PRINCIPAL", "x_ms_client_principal"):
        given = [HERE, (name, "e30="), cookie(principal)]
        assert list(development.with_cookie(given, on)) == given


def test_cookies_are_read_as_browsers_and_people_write_them(on: Settings) -> None:
    for given in (
        ("Cookie", f"{development.COOKIE}=e30"),
        ("cookie", f"a=b;  {development.COOKIE}=e30 ;c"),
        ("cookie", f"{development.COOKIE}=e30="),
    ):
        assert list(development.with_cookie([given], on)) == [given, (HEADER, "e30=")]
    for given in (("cookie", f"{development.COOKIE}="), ("cookie", "x=e30"), ("x", cookie("e")[1])):
        assert list(development.with_cookie([given], on)) == [given]


def test_cookie_is_nothing_where_sign_in_is_not_for_development(on: Settings) -> None:
    given = [HERE, cookie(development.make_principal(DIRECTORY, OBJECT, "Ada", platform=True))]
    for settings in (
        replace(on, development_sign_in=False),
        replace(on, in_azure=True),
        replace(on, auth_enabled=True),
    ):
        assert list(development.with_cookie(given, settings)) == given
        assert not development.is_offered(settings)
        with pytest.raises(Unauthenticated):
            read_principal(development.with_cookie(given, settings), settings)


def test_cookie_is_believed_on_loopback_only(on: Settings) -> None:
    principal = development.make_principal(DIRECTORY, OBJECT, "Ada", platform=False)
    with pytest.raises(Unauthenticated):
        read_principal(
            development.with_cookie([("host", "evil.example"), cookie(principal)], on), on
        )


def test_two_cookies_are_two_people(on: Settings) -> None:
    principal = development.make_principal(DIRECTORY, OBJECT, "Ada", platform=False)
    headers = development.with_cookie([HERE, cookie(principal), cookie(principal)], on)
    with pytest.raises(Unauthenticated):
        read_principal(headers, on)


@pytest.mark.parametrize("length", range(1, 9))
def test_encoding_is_undone(length: int) -> None:
    text = base64.b64encode(b"\xfb\xff\xbe"[:1] * length).decode()
    assert development.decode(development.encode(text)) == text
    assert not set("+/=") & set(development.encode(text))
    assert development.decode(development.encode("X" * 4 * length)) == "X" * 4 * length


def test_people_come_from_the_setting(on: Settings) -> None:
    assert development.people(on) == ()
    person = {"name": "Ada", "says": "admin", "principal": "e30="}
    named = replace(on, development_people=json.dumps([person]))
    assert development.people(named) == (development.Person("Ada", "admin", "e30="),)
    with pytest.raises(Invalid) as refused:
        development.people(replace(on, development_people="[1]"))
    assert refused.value.field == "DRIFT_DEVELOPMENT_PEOPLE"
    assert refused.value.message == (
        "DRIFT_DEVELOPMENT_PEOPLE must be a JSON list of objects with name, says and principal."
    )


def test_principal_is_what_app_service_would_send() -> None:
    sent = development.make_principal(
        f" {DIRECTORY.upper()} ", f" {OBJECT.upper()} ", " Ada ", platform=True
    )
    assert json.loads(base64.b64decode(sent)) == {
        "auth_typ": "aad",
        "claims": [
            {"typ": "tid", "val": DIRECTORY},
            {"typ": "oid", "val": OBJECT},
            {"typ": "name", "val": "Ada"},
            {"typ": "roles", "val": "Platform.Operator"},
        ],
    }


@pytest.mark.parametrize(("name", "kept"), [("a" * 201, "a" * 200), (" ", OBJECT)])
def test_name_is_of_a_length_that_a_cookie_holds_and_never_nothing(name: str, kept: str) -> None:
    sent = development.make_principal(DIRECTORY, OBJECT, name, platform=False)
    claims = json.loads(base64.b64decode(sent))["claims"]
    assert claims[2:] == [{"typ": "name", "val": kept}]


@pytest.mark.parametrize(
    ("directory", "person", "field"), [("x", OBJECT, "directoryId"), (DIRECTORY, "x", "objectId")]
)
def test_what_is_no_id_is_refused_by_its_field(directory: str, person: str, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        development.make_principal(directory, person, "Ada", platform=False)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("principal", "told"),
    [
        ("{}", "This is not a sign-in header."),
        ("e30=\n{}", "This is not a sign-in header."),
        ("é", "This is not a sign-in header."),
        ("A" * (development.LARGEST_COOKIE + 4), "This sign-in is too large for a cookie."),
    ],
)
def test_what_fits_no_cookie_is_refused(principal: str, told: str) -> None:
    with pytest.raises(Invalid) as refused:
        development.check_principal(principal)
    assert (refused.value.field, refused.value.message) == ("principal", told)


def test_what_fits_a_cookie_is_taken_as_it_is() -> None:
    largest = "A" * development.LARGEST_COOKIE
    assert development.check_principal(largest) == largest
