"""The secret half of a channel: its address and keys, as the vault keeps them. Checked when given and when used."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import urlsplit

import msgspec

from drift.channels.addresses import Place, read_server, read_url
from drift.channels.model import ChannelKind
from drift.channels.signatures import read_signing_key
from errors import Corrupt, Invalid
from settings import Settings

MOST_RECIPIENTS = 20
OLD_KEY_SIGNS = timedelta(
    hours=24
)  # beside the new one, so that a receiver may change when it likes
PAGERDUTY = "https://events.pagerduty.com/v2/enqueue"
OPSGENIE = "https://api.opsgenie.com/v2/alerts"
_MAILBOX = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{3,253}", re.ASCII)
_KEY = re.compile(r"[\x21-\x7e]{1,500}", re.ASCII)
_CONNECTION = re.compile(r"endpoint=(https://[^;]+?)/?;accesskey=([A-Za-z0-9+/=]{20,200})", re.I)


class Security(StrEnum):
    STARTTLS = "starttls"
    TLS = "tls"


@dataclass(frozen=True, slots=True)
class Target:
    """What of it is needed depends on the kind; the rest is empty."""

    url: str = ""
    key: str = ""  # routing key, API key, access key
    signing_key: str = ""
    old_signing_key: str = ""
    old_key_until: datetime | None = None
    host: str = ""
    port: int = 587
    security: Security = Security.STARTTLS
    username: str = ""
    password: str = ""
    sender: str = ""
    recipients: tuple[str, ...] = ()


NEEDS: dict[ChannelKind, tuple[str, ...]] = {
    ChannelKind.TEAMS: ("url",),
    ChannelKind.SLACK: ("url",),
    ChannelKind.SMTP: ("host", "sender", "recipients"),
    ChannelKind.AZURE_MAIL: ("recipients",),
    ChannelKind.PAGERDUTY: ("key",),
    ChannelKind.OPSGENIE: ("key",),
    ChannelKind.WEBHOOK: ("url", "signing_key"),
    ChannelKind.EVENT_GRID: ("url", "key"),
}
TAKES: dict[ChannelKind, tuple[str, ...]] = {
    ChannelKind.SMTP: ("port", "security", "username", "password"),
    ChannelKind.AZURE_MAIL: ("url", "key", "sender"),
    ChannelKind.PAGERDUTY: ("url",),
    ChannelKind.OPSGENIE: ("url",),
}
_NAMES = {"signing_key": "signingKey"}
DEFAULT_URLS = {ChannelKind.PAGERDUTY: PAGERDUTY, ChannelKind.OPSGENIE: OPSGENIE}


def complete(kind: ChannelKind, target: Target, settings: Settings) -> Target:
    """What an admin gave, with what need not be said. Raises Invalid, naming the field and not what was in it."""
    _check_members(kind, target)
    url = target.url or DEFAULT_URLS.get(kind, "")
    if kind is ChannelKind.AZURE_MAIL:
        url, target = _azure_mail(target, settings)
    target = replace(target, url=url)
    if target.signing_key:
        read_signing_key(target.signing_key)
    for field, text in (("key", target.key), ("password", target.password)):
        if text and not _KEY.fullmatch(text):
            raise Invalid(f"{field} holds characters that no key has.", field=field)
    _check_mail(target)
    place_of(kind, target, settings)
    return target


def place_of(kind: ChannelKind, target: Target, settings: Settings) -> Place:
    """Where it leads. Raises Invalid for an address that nothing is sent to."""
    if kind is ChannelKind.SMTP:
        return read_server(target.host, target.port, settings)
    return read_url(target.url, settings)


def rotated(target: Target, before: Target, *, now: datetime) -> Target:
    """The new target of a channel; a signing key that it replaces goes on signing for a day."""
    if not target.signing_key or target.signing_key == before.signing_key:
        return target
    return replace(target, old_signing_key=before.signing_key, old_key_until=now + OLD_KEY_SIGNS)


def signing_keys(target: Target, *, now: datetime) -> list[bytes]:
    """The new one first."""
    keys = [read_signing_key(target.signing_key)]
    if target.old_signing_key and target.old_key_until and now < target.old_key_until:
        keys.append(read_signing_key(target.old_signing_key))
    return keys


def write_target(target: Target) -> str:
    return msgspec.json.encode(target).decode()


def read_target(text: str) -> Target:
    try:
        return msgspec.json.decode(text, type=Target)
    except msgspec.DecodeError:
        raise Corrupt(
            "The channel's secret is not what was written. Set its address anew."
        ) from None


def access_key(text: str) -> bytes:
    """The bytes of an access key of Azure Communication Services. Raises Invalid."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid("key must be a connection string.", field="key") from error


def _check_members(kind: ChannelKind, target: Target) -> None:
    given = {
        name
        for name in (
            "url",
            "key",
            "signing_key",
            "host",
            "username",
            "password",
            "sender",
            "recipients",
        )
        if getattr(target, name)
    }
    for name in NEEDS[kind]:
        if name not in given:
            raise Invalid(f"A channel of kind {kind} needs {_said(name)}.", field=_said(name))
    for name in sorted(given - {*NEEDS[kind], *TAKES.get(kind, ())}):
        raise Invalid(f"A channel of kind {kind} takes no {_said(name)}.", field=_said(name))


def _azure_mail(target: Target, settings: Settings) -> tuple[str, Target]:
    """With a connection string of the tenant's own, or else by the deployment's mail and the app's identity."""
    if target.url:
        raise Invalid("key holds the whole connection string; leave url out.", field="url")
    if not target.key:
        if not settings.mail_endpoint:
            raise Invalid(
                "This deployment has no mail of its own: key must be the connection string of yours.",
                field="key",
            )
        if target.sender:
            raise Invalid("The deployment's own mail has its own sender.", field="sender")
        return _send_url(settings.mail_endpoint), replace(target, sender=settings.mail_sender)
    found = _CONNECTION.fullmatch(target.key)
    if not found:
        raise Invalid(
            "key must be a connection string: endpoint=https://…;accesskey=…", field="key"
        )
    if not target.sender:
        raise Invalid("A channel with its own connection string needs sender.", field="sender")
    access_key(found[2])
    return _send_url(found[1]), replace(target, key=found[2])


def _send_url(endpoint: str) -> str:
    return f"{endpoint.rstrip('/')}/emails:send?api-version=2023-03-31"


def is_deployments_own(target: Target, settings: Settings) -> bool:
    """Whether this mail goes by the deployment's own service: only there the app's identity may be shown."""
    own = urlsplit(settings.mail_endpoint)
    return bool(own.netloc) and not target.key and urlsplit(target.url).netloc == own.netloc


def _check_mail(target: Target) -> None:
    """Addresses without anything that could end a header or begin another one."""
    if len(target.recipients) > MOST_RECIPIENTS:
        raise Invalid(f"A channel has at most {MOST_RECIPIENTS} recipients.", field="recipients")
    for field, addresses in (("sender", (target.sender,)), ("recipients", target.recipients)):
        for address in addresses:
            if address and not _MAILBOX.fullmatch(address):
                raise Invalid(f"{field} must be an address such as ada@example.com.", field=field)
    if bool(target.username) != bool(target.password):
        field = "password" if target.username else "username"
        raise Invalid(f"{field} is missing: they go together.", field=field)
    if target.username and not _KEY.fullmatch(target.username):
        raise Invalid("username holds characters that no name has.", field="username")


def _said(name: str) -> str:
    return _NAMES.get(name, name)
