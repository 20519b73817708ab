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
from tenancy.principal import read_principal

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


def test_people_come_from_the_setting(on: Settings) -> None:
    assert development.people(on) == ()
    person = {"name": "Ada", "says": "admin", "principal": "e30="}
    named = replace(on, development_people=json.dumps([person]))
    assert development.people(named) == (development.Person("Ada", "admin", "e30="),)
    with pytest.raises(Invalid, match="DRIFT_DEVELOPMENT_PEOPLE"):
        development.people(replace(on, development_people="[1]"))


def test_what_is_no_sign_in_is_refused() -> None:
    with pytest.raises(Invalid, match="directoryId"):
        development.make_principal("x", OBJECT, "Ada", platform=False)
    with pytest.raises(Invalid):
        development.check_principal("{}")
    with pytest.raises(Invalid):
        development.check_principal("A" * 4000)
