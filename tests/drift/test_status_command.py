"""`python -m drift status` as a pipeline runs it: a process, over a socket, against the app and what is not the app."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.drift.watched import Watched

PROJECT = Path(__file__).resolve().parents[2]
SIGN_IN = ("DRIFT_TOKEN", "DRIFT_PRINCIPAL")
GOOD = {
    "tenantId": "t", "name": "contoso", "complete": True, "monitored": 1, "findings": {}, "scan": None,
    "subscriptions": [{
        "subscriptionId": "s", "name": "shop", "state": "in_sync", "reason": "", "readAt": None,
        "findings": {"critical": 0, "high": 0, "medium": 0, "low": 0, "informational": 0},
    }],
}  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


async def status(url: str, tenant: str, *options: str, **environment: str) -> Outcome:
    inherited = {name: value for name, value in os.environ.items() if name not in SIGN_IN}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "drift", "status", "--url", url, "--tenant", tenant, *options,
        cwd=PROJECT,
        env=inherited | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return Outcome(process.returncode or 0, out.decode(), err.decode())


@pytest.fixture
def ask(url: str, tenant: Watched) -> Callable[..., Awaitable[Outcome]]:
    async def run(*options: str) -> Outcome:
        header = tenant.organisation.admin_header
        return await status(url, tenant.tenant_id, *options, DRIFT_PRINCIPAL=header)

    return run


async def test_exit_code_says_how_the_tenant_stands(ask: Any, tenant: Watched) -> None:
    await tenant.scan()
    calm = await ask()
    assert (calm.code, calm.err) == (0, "")
    assert "no drift" in calm.out
    opened = {"/properties/allowBlobPublicAccess": True}
    await tenant.azure.edit(tenant.account("alpha")["id"], set=opened)
    await tenant.scan()
    drifted = await ask("--format", "json")
    assert drifted.code == 2
    told = json.loads(drifted.out)
    assert (told["verdict"], told["exitCode"], told["findings"]) == ("drift", 2, 1)
    milder = await ask("--severity", "critical")
    assert milder.code == 0
    assert (await ask("--severity", "high")).code == 2
    (finding,) = await tenant.findings("?status=open")
    await tenant.decide(finding, "accept", reason="agreed")
    assert (await ask()).code == 0
    await tenant.put_subscription(readers=[])
    await tenant.scan()
    unknown = await ask()
    assert unknown.code == 3
    assert "unknown" in unknown.out
    assert "Not everything is known" in unknown.out
    cases = list(ET.fromstring((await ask("--format", "junit")).out).iter("testcase"))
    assert [case.find("error") is not None for case in cases] == [True, True]


async def test_scan_is_started_and_waited_for(ask: Any, tenant: Watched) -> None:
    opened = {"/properties/allowBlobPublicAccess": True}
    await tenant.azure.edit(tenant.account("alpha")["id"], set=opened)
    asked = asyncio.create_task(ask("--scan"))
    await until(tenant.host.drain, asked)
    outcome = await asked
    assert outcome.code == 2, outcome.err
    await tenant.request_scan()
    late = await ask("--wait", "--patience", "0.1")
    assert late.code == 1
    assert "did not end within 0.1 seconds" in late.err


async def until(work: Callable[[], Awaitable[Any]], task: asyncio.Task[Any]) -> None:
    """Does the work again and again until the task has ended, which has a limit of its own."""
    while not task.done():
        await work()
        await asyncio.wait({task}, timeout=0.2)


async def test_who_is_no_member_gets_error_and_clear_words(url: str, tenant: Watched) -> None:
    header = tenant.organisation.admin_header
    elsewhere = "00000000-0000-4000-8000-000000000000"
    stranger = await status(url, elsewhere, DRIFT_PRINCIPAL=header)
    assert (stranger.code, stranger.out) == (1, "")
    assert "no such tenant here" in stranger.err
    nobody = await status(url, tenant.tenant_id, DRIFT_TOKEN="not.a.token")
    assert (nobody.code, nobody.out) == (1, "")
    assert "does not take this sign-in (401)" in nobody.err


@asynccontextmanager
async def answering(head: str, body: str = "", *, hang: bool = False) -> AsyncIterator[str]:
    """Something that answers every request alike, or never."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if hang:
            await reader.read()  # until the other side has had enough
        else:
            length = len(body.encode())
            writer.write(f"HTTP/1.1 {head}\r\nContent-Length: {length}\r\n\r\n{body}".encode())
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


JSON = "\r\nContent-Type: application/json"
PAGE = "\r\nContent-Type: text/html"


@pytest.mark.parametrize(
    ("head", "body", "said"),
    [
        (f"401 Unauthorized{JSON}", '{"detail":"Sign in first."}', "(401). Sign in first."),
        (f"403 Forbidden{JSON}", '{"detail":"x"}', "may not do that (403)"),
        (f"404 Not Found{JSON}", "{}", "no such tenant"),
        (f"429 Too Many Requests{JSON}", "{}", "failed (429)"),
        (f"500 Oops{PAGE}", "<html>", "failed (500)"),
        (f"503 Busy{JSON}", '{"detail":"Later."}', "failed (503). Later."),
        (f"200 OK{PAGE}", "<html>Sign in to your account</html>", "text/html instead of JSON"),
        ("302 Found\r\nLocation: https://login.example/", "", "leads to another page (302)"),
        (f"200 OK{JSON}", "[]", "instead of JSON"),
        (f"200 OK{JSON}", "{}", "not one that this command knows"),
        (f"200 OK{JSON}", '{"tenantId": 7}', "not one that this command knows"),
        (f"200 OK{JSON}", "[" * 100_000, "instead of JSON"),
    ],
)  # fmt: skip
async def test_whatever_is_no_answer_is_an_error(head: str, body: str, said: str) -> None:
    async with answering(head, body) as url:
        outcome = await status(url, "t", DRIFT_TOKEN="x")
    assert (outcome.code, outcome.out) == (1, "")
    assert said in outcome.err
    assert "Traceback" not in outcome.err


async def test_answer_that_never_comes_is_an_error_in_time() -> None:
    async with answering("", hang=True) as url:
        outcome = await status(url, "t", "--timeout", "0.5", DRIFT_TOKEN="x")
    assert (outcome.code, outcome.out) == (1, "")
    assert "did not answer within 0.5 seconds" in outcome.err
    gone = await status(url, "t", DRIFT_TOKEN="x")
    assert gone.code == 1
    assert "cannot be reached" in gone.err


async def test_names_cannot_steer_the_terminal() -> None:
    evil = GOOD | {"name": "\x1b[2J\u202e"}
    async with answering(f"200 OK{JSON}", json.dumps(evil)) as url:
        outcome = await status(url, "t", DRIFT_TOKEN="x")
    assert (outcome.code, outcome.err) == (0, "")
    assert not {"\x1b", "\u202e"} & set(outcome.out)


@pytest.mark.parametrize("url", ["http://drift.example.com", "ftp://x", "drift", "https://x/?a=b"])
async def test_token_is_never_sent_in_the_clear(url: str) -> None:
    outcome = await status(url, "t", DRIFT_TOKEN="x")
    assert outcome.code == 1
    assert "--url" in outcome.err


async def test_token_comes_from_azure_identity(environment: dict[str, str]) -> None:
    """Of the managed identity here, as the simulated Azure gives it out; what is asked for is the app."""
    seen: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append((await reader.readuntil(b"\r\n\r\n")).decode())
        body = json.dumps(GOOD)
        writer.write(f"HTTP/1.1 200 OK{JSON}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    names = ("IDENTITY_ENDPOINT", "IDENTITY_HEADER", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
    given = {name: environment[name] for name in names}
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        outcome = await status(
            url, "t", "--client-id", "11111111-1111-4111-8111-111111111111", **given
        )
        without = await status(url, "t", **given)
    assert outcome.code == 0, outcome.err
    assert "Authorization: Bearer ey" in seen[0]
    assert "X-Tenant-Id: t" in seen[0]
    assert without.code == 1
    assert "--client-id or --scope" in without.err
