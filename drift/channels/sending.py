"""One try to send one story through one channel: kind by kind, what goes where. The only way out, for tests as well."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from datetime import datetime

from drift.channels import cards, events, letters, mail, posting
from drift.channels.addresses import Guard, guard_of
from drift.channels.answers import Answer, Request
from drift.channels.envelope import Envelope
from drift.channels.model import ChannelKind
from drift.channels.signatures import sign_azure, sign_webhook
from drift.channels.targets import (
    Target,
    access_key,
    is_deployments_own,
    place_of,
    signing_keys,
)
from errors import Invalid
from settings import Settings

JSON = "application/json; charset=utf-8"
Token = Callable[[], Awaitable[str]]  # the app's own, for the deployment's own mail


async def send(
    kind: ChannelKind,
    target: Target,
    envelope: Envelope,
    settings: Settings,
    token: Token,
    *,
    now: datetime,
    guard: Guard | None = None,
) -> Answer:
    """Sends once. The address is checked anew: what may be sent to is for the present deployment to say."""
    guard = guard or guard_of(settings)
    try:
        place = place_of(kind, target, settings)
    except Invalid as error:
        return Answer(False, reason=error.message, final=True)
    if kind is ChannelKind.SMTP:
        return await mail.send(letters.compose(envelope, target, at=now), target, place, guard)
    if kind is ChannelKind.AZURE_MAIL:
        request = await _azure_mail(target, envelope, settings, token, now)
    else:
        request = compose(kind, target, envelope, now=now)
    return await posting.post(request, place, guard)


def compose(kind: ChannelKind, target: Target, envelope: Envelope, *, now: datetime) -> Request:
    """The request of every kind that is one HTTP request with keys of the tenant's own."""
    match kind:
        case ChannelKind.TEAMS:
            return Request(target.url, {"Content-Type": JSON}, cards.teams(envelope))
        case ChannelKind.SLACK:
            return Request(target.url, {"Content-Type": JSON}, cards.slack(envelope))
        case ChannelKind.PAGERDUTY:
            body = events.pagerduty(envelope, target.key)
            return Request(target.url, {"Content-Type": JSON}, body)
        case ChannelKind.OPSGENIE:
            path, body = events.opsgenie(envelope)
            headers = {"Content-Type": JSON, "Authorization": f"GenieKey {target.key}"}
            return Request(target.url.rstrip("/") + path, headers, body)
        case ChannelKind.EVENT_GRID:
            headers = {"Content-Type": events.CONTENT_TYPE, "aeg-sas-key": target.key}
            return Request(target.url, headers, events.cloud_event(envelope))
        case ChannelKind.WEBHOOK:
            body = events.cloud_event(envelope)
            signed = sign_webhook(envelope.notice_id, now, body, signing_keys(target, now=now))
            return Request(target.url, {"Content-Type": events.CONTENT_TYPE, **signed}, body)
        case _:
            raise ValueError(kind)


async def _azure_mail(
    target: Target, envelope: Envelope, settings: Settings, token: Token, now: datetime
) -> Request:
    body = letters.azure(envelope, target)
    # The same operation at each try: what was taken once is not sent again.
    operation = str(uuid.uuid5(uuid.NAMESPACE_URL, envelope.notice_id))
    headers = {"Content-Type": JSON, "Operation-Id": operation}
    if target.key:
        headers |= sign_azure(target.url, now, body, access_key(target.key))
    elif is_deployments_own(target, settings):
        headers["Authorization"] = f"Bearer {await token()}"
    return Request(target.url, headers, body)
