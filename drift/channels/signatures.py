"""Signatures of what is sent: Standard Webhooks, and the HMAC of Azure Communication Services.

https://github.com/standard-webhooks/standard-webhooks: what is signed is id, Unix time and body, joined by dots; the
header holds one signature a key, so that a receiver may check by the old or the new one while keys change.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable
from datetime import datetime
from urllib.parse import urlsplit

from errors import Invalid

PREFIX = "whsec_"
SHORTEST_KEY, LONGEST_KEY = 24, 64  # bytes


def read_signing_key(text: str) -> bytes:
    """The bytes of a key as Standard Webhooks writes it. Raises Invalid."""
    wrong = Invalid(
        f"signingKey must be {PREFIX} and 24 to 64 random bytes in base64.", field="signingKey"
    )
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise wrong from error
    if not text.startswith(PREFIX) or not SHORTEST_KEY <= len(key) <= LONGEST_KEY:
        raise wrong
    return key


def sign_webhook(
    message_id: str, at: datetime, body: bytes, keys: Iterable[bytes]
) -> dict[str, str]:
    """The three headers."""
    timestamp = str(int(at.timestamp()))
    signed = f"{message_id}.{timestamp}.".encode() + body
    made = (
        base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in keys
    )
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{one}" for one in made),
    }


def sign_azure(url: str, at: datetime, body: bytes, key: bytes) -> dict[str, str]:
    """The headers that Azure Communication Services check for a POST."""
    parts = urlsplit(url)
    date = f"{at:%a, %d %b %Y %H:%M:%S} GMT"
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    text = f"POST\n{parts.path}?{parts.query}\n{date};{parts.netloc};{digest}"
    signature = base64.b64encode(hmac.new(key, text.encode(), hashlib.sha256).digest()).decode()
    said = f"SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature={signature}"
    return {
        "x-ms-date": date,
        "x-ms-content-sha256": digest,
        "Authorization": f"HMAC-SHA256 {said}",
    }
