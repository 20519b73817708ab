"""What an admin may give as address and keys, and how what is sent is signed with them."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest

from drift.channels.model import ChannelKind
from drift.channels.signatures import read_signing_key, sign_azure, sign_webhook
from drift.channels.targets import (
    OPSGENIE,
    PAGERDUTY,
    Target,
    complete,
    is_deployments_own,
    read_target,
    rotated,
    signing_keys,
    write_target,
)
from errors import Corrupt, Invalid
from settings import Settings

NOW = datetime(2026, 11, 23, 10, 15, tzinfo=UTC)
URL = "https://hooks.example.com/x"
KEY = "whsec_" + base64.b64encode(b"a" * 32).decode()
OTHER = "whsec_" + base64.b64encode(b"b" * 24).decode()
ACCESS = base64.b64encode(b"c" * 32).decode()
STRING = f"endpoint=https://mail.europe.communication.azure.com/;accesskey={ACCESS}"
SMTP = Target(host="smtp.example.com", sender="d@example.com", recipients=("a@example.com",))
GOOD = {
    ChannelKind.TEAMS: Target(url=URL),
    ChannelKind.SLACK: Target(url=URL),
    ChannelKind.SMTP: SMTP,
    ChannelKind.AZURE_MAIL: Target(key=STRING, sender="d@example.com", recipients=("a@example.com",)),
    ChannelKind.PAGERDUTY: Target(key="r"),
    ChannelKind.OPSGENIE: Target(key="k"),
    ChannelKind.WEBHOOK: Target(url=URL, signing_key=KEY),
    ChannelKind.EVENT_GRID: Target(url=URL, key="k"),
}  # fmt: skip


@pytest.mark.parametrize("kind", ChannelKind)
def test_what_each_kind_needs_is_enough(settings: Settings, kind: ChannelKind) -> None:
    target = complete(kind, GOOD[kind], settings)
    assert read_target(write_target(target)) == target


def test_usual_addresses_need_not_be_given(settings: Settings) -> None:
    assert complete(ChannelKind.PAGERDUTY, Target(key="r"), settings).url == PAGERDUTY
    assert complete(ChannelKind.OPSGENIE, Target(key="r"), settings).url == OPSGENIE
    mail = complete(ChannelKind.AZURE_MAIL, GOOD[ChannelKind.AZURE_MAIL], settings)
    assert urlsplit(mail.url).netloc == "mail.europe.communication.azure.com"
    assert mail.key == ACCESS


@pytest.mark.parametrize(
    ("kind", "change", "field"),
    [
        (ChannelKind.TEAMS, {"url": ""}, "url"),
        (ChannelKind.TEAMS, {"key": "k"}, "key"),
        (ChannelKind.SLACK, {"recipients": ("a@example.com",)}, "recipients"),
        (ChannelKind.WEBHOOK, {"signing_key": ""}, "signingKey"),
        (ChannelKind.WEBHOOK, {"signing_key": "whsec_AAAA"}, "signingKey"),
        (ChannelKind.WEBHOOK, {"signing_key": KEY[6:]}, "signingKey"),
        (ChannelKind.WEBHOOK, {"signing_key": "whsec_" + "A" * 200}, "signingKey"),
        (ChannelKind.WEBHOOK, {"signing_key": "whsec_%%%"}, "signingKey"),
        (ChannelKind.EVENT_GRID, {"key": "a\r\nX-Evil: 1"}, "key"),
        (ChannelKind.OPSGENIE, {"key": "a b"}, "key"),
        (ChannelKind.SMTP, {"host": ""}, "host"),
        (ChannelKind.SMTP, {"host": "10.0.0.1"}, "host"),
        (ChannelKind.SMTP, {"port": 22}, "port"),
        (ChannelKind.SMTP, {"sender": "d@example.com\r\nBcc: eve@evil.example"}, "sender"),
        (ChannelKind.SMTP, {"sender": "Ada <d@example.com>"}, "sender"),
        (ChannelKind.SMTP, {"recipients": ("a@example.com\nX: 1",)}, "recipients"),
        (ChannelKind.SMTP, {"recipients": ("a@example.com, eve@evil.example",)}, "recipients"),
        (ChannelKind.SMTP, {"recipients": ("a@example.com",) * 21}, "recipients"),
        (ChannelKind.SMTP, {"username": "u"}, "password"),
        (ChannelKind.SMTP, {"password": "p"}, "username"),
        (ChannelKind.SMTP, {"url": URL}, "url"),
        (ChannelKind.AZURE_MAIL, {"key": "AAAA"}, "key"),
        (ChannelKind.AZURE_MAIL, {"key": ""}, "key"),
        (ChannelKind.AZURE_MAIL, {"url": URL}, "url"),
        (ChannelKind.AZURE_MAIL, {"sender": ""}, "sender"),
        (ChannelKind.AZURE_MAIL, {"key": f"endpoint=https://127.0.0.1;accesskey={ACCESS}"}, "url"),
        (ChannelKind.AZURE_MAIL, {"key": f"endpoint=https://10.0.0.1;accesskey={ACCESS}"}, "url"),
    ],
)
def test_f13_what_is_missing_too_much_or_odd_is_named(
    settings: Settings, kind: ChannelKind, change: dict[str, object], field: str
) -> None:
    strict = replace(settings, development_channels=False)
    with pytest.raises(Invalid) as refused:
        complete(kind, replace(GOOD[kind], **change), strict)
    assert refused.value.field == field
    for secret in (ACCESS, KEY, "evil"):
        assert secret not in refused.value.message


def test_mail_of_the_deployment_needs_no_key_and_goes_only_there(settings: Settings) -> None:
    own = replace(
        settings,
        mail_endpoint="https://own.communication.azure.com",
        mail_sender="drift@own.example",
    )
    target = complete(ChannelKind.AZURE_MAIL, Target(recipients=("a@example.com",)), own)
    assert target.sender == "drift@own.example"
    assert is_deployments_own(target, own)
    other = replace(own, mail_endpoint="https://new.communication.azure.com")
    assert not is_deployments_own(target, other)
    assert not is_deployments_own(target, settings)
    theirs = complete(ChannelKind.AZURE_MAIL, GOOD[ChannelKind.AZURE_MAIL], own)
    assert not is_deployments_own(theirs, own)
    spoofed = Target(recipients=("a@example.com",), sender="boss@own.example")
    with pytest.raises(Invalid) as refused:
        complete(ChannelKind.AZURE_MAIL, spoofed, own)
    assert refused.value.field == "sender"


def test_f15_signature_is_of_id_time_and_body_with_the_channels_own_key() -> None:
    body = b'{"a":1}'
    headers = sign_webhook("msg_1", NOW, body, [read_signing_key(KEY)])
    assert headers["webhook-id"] == "msg_1"
    assert headers["webhook-timestamp"] == str(int(NOW.timestamp()))

    def signature(key: bytes, text: bytes) -> str:
        return "v1," + base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()

    signed = f"msg_1.{int(NOW.timestamp())}.".encode() + body
    assert headers["webhook-signature"] == signature(b"a" * 32, signed)
    assert headers["webhook-signature"] != signature(b"b" * 24, signed)


def test_f15_replaced_key_signs_beside_the_new_one_for_a_day() -> None:
    before = Target(url=URL, signing_key=KEY)
    after = rotated(Target(url=URL, signing_key=OTHER), before, now=NOW)
    assert signing_keys(after, now=NOW) == [b"b" * 24, b"a" * 32]
    assert signing_keys(after, now=NOW + timedelta(hours=23)) == [b"b" * 24, b"a" * 32]
    assert signing_keys(after, now=NOW + timedelta(hours=24)) == [b"b" * 24]
    headers = sign_webhook("m", NOW, b"", signing_keys(after, now=NOW))
    assert headers["webhook-signature"].count("v1,") == 2
    same = rotated(before, before, now=NOW)
    assert signing_keys(same, now=NOW) == [b"a" * 32]


def test_azure_signature_is_over_method_path_date_host_and_body() -> None:
    url = "https://mail.europe.communication.azure.com/emails:send?api-version=2023-03-31"
    headers = sign_azure(url, NOW, b"{}", b"c" * 32)
    assert headers["x-ms-date"] == "Mon, 23 Nov 2026 10:15:00 GMT"
    digest = base64.b64encode(hashlib.sha256(b"{}").digest()).decode()
    assert headers["x-ms-content-sha256"] == digest
    text = (
        "POST\n/emails:send?api-version=2023-03-31\n"
        f"Mon, 23 Nov 2026 10:15:00 GMT;mail.europe.communication.azure.com;{digest}"
    )
    expected = base64.b64encode(hmac.new(b"c" * 32, text.encode(), hashlib.sha256).digest())
    assert headers["Authorization"] == (
        "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature="
        + expected.decode()
    )


def test_secret_that_cannot_be_read_is_an_error_of_its_own() -> None:
    with pytest.raises(Corrupt):
        read_target("not json")
