"""Mail: one message in plain text and HTML, for SMTP and for Azure Communication Services alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape

import msgspec

from drift.channels.envelope import Envelope, about, facts, line, rest, scope
from drift.channels.targets import Target

LONGEST_SUBJECT = 180
FOOTER = "Sent by Azure Drift Detector because this channel is set up to hear of drift."


@dataclass(frozen=True, slots=True)
class Letter:
    subject: str
    text: str
    html: str


def write(envelope: Envelope) -> Letter:
    subject = line(envelope.title, LONGEST_SUBJECT)
    return Letter(subject, "\n".join(_lines(envelope)), "".join(_elements(envelope)))


def compose(envelope: Envelope, target: Target, *, at: datetime) -> EmailMessage:
    """The message as a mail server takes it. It has the same Message-ID at each try."""
    letter = write(envelope)
    message = EmailMessage(policy=SMTP)
    message["From"] = target.sender
    message["To"] = ", ".join(target.recipients)
    message["Subject"] = letter.subject
    message["Date"] = format_datetime(at)
    message["Message-ID"] = f"<{envelope.notice_id}@{target.sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # so that nobody's absence answers
    message.set_content(letter.text)
    message.add_alternative(letter.html, subtype="html")
    return message


def azure(envelope: Envelope, target: Target) -> bytes:
    """The body that Azure Communication Services take."""
    letter = write(envelope)
    body = {
        "senderAddress": target.sender,
        "recipients": {"to": [{"address": one} for one in target.recipients]},
        "content": {
            "subject": letter.subject,
            "plainText": letter.text,
            "html": letter.html,
        },
        "userEngagementTrackingDisabled": True,
    }
    return msgspec.json.encode(body)


def _lines(envelope: Envelope) -> Iterator[str]:
    story = envelope.story
    yield envelope.title
    if scope(story):
        yield f"Subscription {scope(story)}"
    for item in story.items:
        yield ""
        yield about(item)
        yield from (f"  {label}: {text}" for label, text in facts(item))
    if rest(story):
        yield f"\n{rest(story)}"
    if envelope.link:
        yield f"\n{envelope.link}"
    yield f"\n-- \n{FOOTER}"


def _elements(envelope: Envelope) -> Iterator[str]:
    """HTML without style sheets, pictures or links but our own: mail programs differ, and pictures tell who reads."""
    story = envelope.story
    yield '<!doctype html><html lang="en"><body style="font-family:sans-serif">'
    yield f"<h1 style='font-size:18px'>{escape(envelope.title)}</h1>"
    if scope(story):
        yield f"<p>Subscription {escape(scope(story))}</p>"
    for item in story.items:
        yield f"<h2 style='font-size:15px'>{escape(about(item))}</h2><table>"
        for label, text in facts(item):
            yield f"<tr><td>{label}</td><td>{escape(text)}</td></tr>"
        yield "</table>"
    if rest(story):
        yield f"<p>{rest(story)}</p>"
    if envelope.link:
        yield f'<p><a href="{escape(envelope.link)}">Open in Drift Detector</a></p>'
    yield f"<p>{FOOTER}</p></body></html>"
