"""How one try to send ended, in our own words. Nothing that a foreign host said is repeated: people read this."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    delivered: bool
    status: int = 0  # of HTTP or SMTP, 0 when there was none
    reason: str = ""
    retry_after: float = 0.0  # seconds that the host asked to wait
    gone: bool = False  # it wants no more: the channel ends
    final: bool = False  # trying again cannot help


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. Headers and URL may hold keys: it is never logged or stored."""

    url: str
    headers: dict[str, str]
    body: bytes
