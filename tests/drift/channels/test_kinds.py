"""Every kind of channel against a receiver on this machine, over its own protocol: what arrives, and each failure."""

from __future__ import annotations

import base64
import socket
from dataclasses import replace
from typing import Any

import pytest
import trustme

from drift.channels import mail
from drift.channels.answers import Answer
from drift.channels.model import ChannelKind
from drift.channels.sending import send
from drift.channels.targets import Security, Target, complete
from settings import Settings
from tests.drift.channels.conftest import SIGNING_KEY
from tests.drift.channels.receivers import Receiver, certificate, mail_server, receiving
from tests.drift.channels.told import NASTY, NOW, envelope, item, nasty, story

ACCESS = base64.b64encode(b"c" * 32).decode()


async def no_token() -> str:
    raise AssertionError("the app's own token is for its own mail only")


async def give(kind: ChannelKind, target: Target, settings: Settings, **members: Any) -> Answer:
    given = {"envelope": envelope(), "token": no_token} | members
    return await send(kind, complete(kind, target, settings), settings=settings, now=NOW, **given)


@pytest.mark.parametrize(
    ("kind", "members", "header"),
    [
        (ChannelKind.TEAMS, {}, ("content-type", "application/json; charset=utf-8")),
        (ChannelKind.SLACK, {}, ("content-type", "application/json; charset=utf-8")),
        (ChannelKind.PAGERDUTY, {"key": "routing"}, ("content-type", "application/json; charset=utf-8")),
        (ChannelKind.OPSGENIE, {"key": "genie"}, ("authorization", "GenieKey genie")),
        (ChannelKind.WEBHOOK, {"signing_key": SIGNING_KEY}, ("webhook-id", envelope().notice_id)),
        (ChannelKind.EVENT_GRID, {"key": "access"}, ("aeg-sas-key", "access")),
    ],
)  # fmt: skip
async def test_kind_arrives_over_tls_with_its_key(
    settings: Settings,
    authority: trustme.CA,
    kind: ChannelKind,
    members: dict[str, str],
    header: tuple[str, str],
) -> None:
    async with receiving(certificate(authority, "localhost")) as receiver:
        answer = await give(kind, Target(url=receiver.url, **members), settings)
        assert answer == Answer(True, 200)
    (received,) = receiver.received
    assert received.headers[header[0]] == header[1]
    assert received.json


async def test_alert_of_opsgenie_is_closed_at_its_own_address(
    settings: Settings, receiver: Receiver
) -> None:
    target = Target(url=f"http://localhost:{receiver.port}/v2/alerts", key="genie")
    await give(ChannelKind.OPSGENIE, target, settings)
    gone = envelope(story(replace(item(), event="resolved")))
    await give(ChannelKind.OPSGENIE, target, settings, envelope=gone)
    opened, closed = receiver.received
    alias = opened.json["alias"]
    assert opened.line == "POST /v2/alerts HTTP/1.1"
    assert closed.line == f"POST /v2/alerts/{alias}/close?identifierType=alias HTTP/1.1"


@pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "tls"])
async def test_mail_arrives_encrypted_with_everything_in_it(
    settings: Settings, authority: trustme.CA, implicit: bool
) -> None:
    async with mail_server(certificate(authority, "localhost"), implicit=implicit) as post:
        target = Target(
            host="localhost",
            port=post.port,
            security=Security.TLS if implicit else Security.STARTTLS,
            username="" if implicit else "drift",
            password="" if implicit else "right",
            sender="drift@example.com",
            recipients=("ada@example.com", "bob@example.com"),
        )
        answer = await give(ChannelKind.SMTP, target, settings, envelope=nasty())
        assert answer == Answer(True, 250)
    (message,) = post.messages
    ((sender, recipients, _),) = post.envelopes
    assert (sender, recipients) == ("drift@example.com", ["ada@example.com", "bob@example.com"])
    assert message["Bcc"] is None
    body = message.get_body(("plain",))
    assert body is not None
    assert "<script>alert(1)</script>" in body.get_content()
    assert NASTY not in body.get_content()  # its line break and its controls are gone
    assert post.logins == ([] if implicit else [(b"drift", b"right")])


async def mail_to(port: int, settings: Settings, **members: Any) -> Answer:
    target = Target(
        host="localhost", port=port, sender="d@example.com", recipients=("a@example.com",)
    )
    return await give(ChannelKind.SMTP, replace(target, **members), settings)


@pytest.mark.parametrize("reply", ["451 later", "554 never"])
async def test_mail_server_that_refuses_is_told_by_its_number(
    settings: Settings, authority: trustme.CA, reply: str
) -> None:
    async with mail_server(certificate(authority, "localhost")) as post:
        post.reply = reply
        answer = await mail_to(post.port, settings)
    assert answer == Answer(False, int(reply[:3]), f"The mail server answered {reply[:3]}.")


async def test_wrong_password_of_a_mail_server_is_a_failure(
    settings: Settings, authority: trustme.CA
) -> None:
    async with mail_server(certificate(authority, "localhost")) as post:
        answer = await mail_to(post.port, settings, username="drift", password="wrong")
        assert (answer.delivered, answer.status) == (False, 535)
        assert post.envelopes == []


@pytest.mark.parametrize("login", [{"username": "drift", "password": "right"}, {}], ids=len)
@pytest.mark.parametrize("fault", ["no TLS", "other name", "other authority"])
async def test_mail_server_without_tls_to_be_trusted_gets_nothing(
    settings: Settings, authority: trustme.CA, fault: str, login: dict[str, str]
) -> None:
    made = {
        "no TLS": None,
        "other name": certificate(authority, "other.example.com"),
        "other authority": certificate(trustme.CA(), "localhost"),
    }
    async with mail_server(made[fault]) as post:
        answer = await mail_to(post.port, settings, **login)
        assert not answer.delivered
        assert (post.envelopes, post.logins) == ([], [])


async def test_mail_server_that_hangs_or_is_not_there_is_given_up(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail, "SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        answer = await mail_to(silent.getsockname()[1], settings)
        assert answer.reason == "The mail server did not answer in time."
        port = silent.getsockname()[1]
    answer = await mail_to(port, settings)
    assert answer.reason == "The mail server could not be reached."


async def test_azure_mail_is_signed_with_the_tenants_own_key(
    settings: Settings, authority: trustme.CA
) -> None:
    async with receiving(certificate(authority, "localhost")) as receiver:
        string = f"endpoint=https://localhost:{receiver.port}/;accesskey={ACCESS}"
        target = Target(key=string, sender="d@example.com", recipients=("a@example.com",))
        for _ in range(2):
            assert (await give(ChannelKind.AZURE_MAIL, target, settings)).delivered
    first, second = receiver.received
    assert first.line == "POST /emails:send?api-version=2023-03-31 HTTP/1.1"
    assert first.headers["authorization"].startswith("HMAC-SHA256 SignedHeaders=x-ms-date;host;")
    assert first.headers["operation-id"] == second.headers["operation-id"]
    assert first.json["recipients"] == {"to": [{"address": "a@example.com"}]}


async def test_mail_of_the_deployment_goes_with_the_apps_identity_and_nowhere_else(
    settings: Settings, authority: trustme.CA
) -> None:
    async def token() -> str:
        return "t0ken"

    async with receiving(certificate(authority, "localhost")) as receiver:
        own = replace(
            settings,
            mail_endpoint=f"https://localhost:{receiver.port}",
            mail_sender="drift@own.example",
        )
        target = complete(ChannelKind.AZURE_MAIL, Target(recipients=("a@example.com",)), own)
        moved = replace(own, mail_endpoint="https://new.communication.azure.com")
        for now, expected in ((own, "Bearer t0ken"), (moved, None)):
            answer = await send(ChannelKind.AZURE_MAIL, target, envelope(), now, token, now=NOW)
            assert answer.delivered
            assert receiver.received[-1].headers.get("authorization") == expected
    assert receiver.received[0].json["senderAddress"] == "drift@own.example"


async def test_f15_signature_of_one_channel_is_worth_nothing_at_another(
    settings: Settings, receiver: Receiver
) -> None:
    for key in (b"k" * 32, b"o" * 32):
        signing = "whsec_" + base64.b64encode(key).decode()
        target = Target(url=receiver.url, signing_key=signing)
        await give(ChannelKind.WEBHOOK, target, settings)
    one, other = receiver.received
    assert one.body == other.body
    assert one.headers["webhook-signature"] != other.headers["webhook-signature"]
