"""Receivers of notices on this machine: HTTP and HTTPS servers that answer, refuse, hang or hang up as a test says, and
a mail server."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import msgspec
import trustme

HANG, RESET, GARBAGE = "hang", "reset", "garbage"
Answer = int | str | tuple[int, dict[str, str]]


@dataclass(frozen=True)
class Received:
    """One request."""

    line: str
    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


@dataclass
class Receiver:
    """What it was sent, and how it answers: by `answers` one after the other, then with 200."""

    port: int = 0
    tls: bool = False
    answers: deque[Answer] = field(default_factory=deque)
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    served_name: str = ""  # that the client named in TLS

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://localhost:{self.port}/hook?key=s3cr3t"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self._serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, *rest = head.strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (one.partition(": ") for one in rest)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.received.append(Received(line, headers, body))
        answer = self.answers.popleft() if self.answers else 200
        if answer == HANG:
            await reader.read()  # until the other side gives up
        elif answer == RESET:
            writer.transport.abort()
        elif answer == GARBAGE:
            writer.write(b"SSH-2.0-OpenSSH_9.2\r\n" * 500)
            await writer.drain()
        else:
            assert not isinstance(answer, str)
            status, more = answer if isinstance(answer, tuple) else (answer, {})
            said = "".join(f"{name}: {value}\r\n" for name, value in more.items())
            writer.write(f"HTTP/1.1 {status} X\r\n{said}Content-Length: 2\r\n\r\nok".encode())
            await writer.drain()


@asynccontextmanager
async def receiving(context: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    receiver = Receiver(tls=context is not None)
    if context is not None:

        def note(_: ssl.SSLObject, name: str | None, __: ssl.SSLContext) -> None:
            receiver.served_name = name or ""

        context.sni_callback = note  # type: ignore[assignment]
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=context)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()


def certificate(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


@dataclass
class Post:
    """A mail server's memory."""

    port: int = 0
    implicit: bool = False  # TLS from the start
    envelopes: list[tuple[str, list[str], bytes]] = field(default_factory=list)
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)
    reply: str = "250 OK"

    @property
    def messages(self) -> list[EmailMessage]:
        parsed = [message_from_bytes(raw, policy=policy.default) for _, _, raw in self.envelopes]
        return [one for one in parsed if isinstance(one, EmailMessage)]

    async def handle_DATA(  # noqa: N802 - the name that aiosmtpd calls
        self, _: Any, session: Any, envelope: Any
    ) -> str:
        if self.reply.startswith("2"):
            assert self.implicit or session.ssl is not None, "mail without TLS"
            self.envelopes.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
        return self.reply


@asynccontextmanager
async def mail_server(
    context: ssl.SSLContext | None, *, implicit: bool = False
) -> AsyncIterator[Post]:
    """With STARTTLS, with TLS from the start, or without either."""
    from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

    post = Post(implicit=implicit)

    def login(_: Any, __: Any, ___: Any, ____: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        post.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"right", handled=False)

    def make() -> SMTP:
        starttls = None if implicit else context
        return SMTP(
            post,
            hostname="localhost",
            tls_context=starttls,
            require_starttls=starttls is not None,
            authenticator=login,
            auth_require_tls=starttls
            is not None,  # without any TLS it takes a password all the same
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(make, "127.0.0.1", 0, ssl=context if implicit else None)
    post.port = server.sockets[0].getsockname()[1]
    try:
        yield post
    finally:
        server.close()
