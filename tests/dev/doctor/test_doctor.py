"""The doctor against the local cloud: all is well, and then each thing broken in turn. App Service authentication has
no emulator; what it does at the door is done by easy_auth.py."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import uvicorn
from azure.storage.queue.aio import QueueServiceClient

from dev.azure.admin import AzureAdmin
from dev.doctor.__main__ import examine
from dev.doctor.verdicts import Verdict
from settings import Settings
from tenancy.deployment import Deployment
from tenancy.queues import Queue
from tests.dev.doctor.easy_auth import EasyAuth

PROJECT = Path(__file__).resolve().parents[3]
CHECKS = [
    "settings",
    "identity",
    "tables",
    "queues",
    "vault",
    "address",
    "last-tick",
    "anonymous-api",
    "anonymous-page",
    "forged-principal",
    "host-keys",
]


@pytest.fixture
def door(url: str) -> EasyAuth:
    return EasyAuth(url)


@pytest.fixture
async def site(door: EasyAuth, deployment: Deployment) -> AsyncIterator[str]:
    """The app as it is reached in Azure, with a tick just behind it."""
    await deployment.registry.record_tick(datetime.now(UTC))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(door.asgi(), log_level="warning", lifespan="off")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        await serving


@pytest.fixture
async def queues(settings: Settings) -> AsyncIterator[QueueServiceClient]:
    """The queues that the infrastructure makes."""
    from azure.core.exceptions import ResourceExistsError

    async with QueueServiceClient.from_connection_string(
        settings.storage_connection_string
    ) as service:
        for queue in Queue:
            for name in (queue.value, f"{queue.value}-poison"):
                try:
                    await service.create_queue(name)
                except ResourceExistsError:
                    continue
        yield service


async def look(environment: dict[str, str], site: str) -> list[Verdict]:
    return [verdict async for verdict in examine(environment, site)]


async def broken(environment: dict[str, str], site: str) -> dict[str, Verdict]:
    """What is wrong, by name of the check. Every finding of the doctor says how to mend it."""
    wrong = {one.check: one for one in await look(environment, site) if not one.ok}
    assert all(one.fix and one.as_line().startswith("✗ ") for one in wrong.values())
    return wrong


async def test_all_is_well(
    environment: dict[str, str], site: str, queues: QueueServiceClient
) -> None:
    verdicts = await look(environment, site)
    assert [one.check for one in verdicts] == CHECKS
    assert [one.as_line() for one in verdicts if not one.ok] == []


async def test_app_that_answers_401_to_everybody_is_well_too(
    environment: dict[str, str], site: str, door: EasyAuth, queues: QueueServiceClient
) -> None:
    door.redirects = False
    assert await broken(environment, site) == {}


async def test_missing_setting_is_named(environment: dict[str, str], site: str) -> None:
    wrong = await broken({**environment, "DRIFT_KEY_VAULT_URL": ""}, site)
    assert set(wrong) == {"settings"}  # without settings the services are not asked, the app is
    assert "DRIFT_KEY_VAULT_URL is missing" in wrong["settings"].found


async def test_identity_without_token(
    environment: dict[str, str],
    site: str,
    queues: QueueServiceClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("IDENTITY_HEADER", "wrong")
    wrong = await broken(environment, site)
    assert set(wrong) == {"identity", "vault"}
    assert "az login" in wrong["identity"].fix


async def test_storage_that_does_not_answer(environment: dict[str, str], site: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound and never listening: refused at once
        port = unused.getsockname()[1]
        nowhere = re.sub(r":\d+/", f":{port}/", environment["DRIFT_STORAGE_CONNECTION_STRING"])
        wrong = await broken({**environment, "DRIFT_STORAGE_CONNECTION_STRING": nowhere}, site)
    assert set(wrong) == {"tables", "queues"}
    assert "cannot be reached" in wrong["tables"].found


async def test_storage_that_refuses(environment: dict[str, str], site: str) -> None:
    key = environment["DRIFT_STORAGE_CONNECTION_STRING"]
    other = re.sub(r"AccountKey=[^;]+", "AccountKey=bm9ib2R5", key)
    wrong = await broken({**environment, "DRIFT_STORAGE_CONNECTION_STRING": other}, site)
    assert set(wrong) == {"tables", "queues"}
    assert "DRIFT_OPERATOR_PRINCIPAL_ID" in wrong["queues"].fix


async def test_given_up_message_that_nobody_takes(
    environment: dict[str, str], site: str, queues: QueueServiceClient
) -> None:
    poison = queues.get_queue_client("notices-poison")
    message = await poison.send_message("bm9ib2R5")
    wrong = await broken(environment, site)
    await poison.delete_message(message)
    assert set(wrong) == {"queues"}
    assert wrong["queues"].found == "notices-poison holds 1."


async def test_missing_queue_is_named(
    environment: dict[str, str], site: str, queues: QueueServiceClient
) -> None:
    await queues.delete_queue("notices-poison")
    wrong = await broken(environment, site)
    assert wrong["queues"].found == "notices-poison missing."


async def test_vault_that_refuses(
    environment: dict[str, str], site: str, queues: QueueServiceClient, azure: AzureAdmin
) -> None:
    before = (await azure.settings())["vaultPrincipals"]
    await azure.settings(vaultPrincipals=[str(uuid.uuid4())])
    wrong = await broken(environment, site)
    await azure.settings(vaultPrincipals=before)
    assert set(wrong) == {"vault"}
    assert "DRIFT_OPERATOR_PRINCIPAL_ID" in wrong["vault"].fix


async def test_app_that_does_not_answer(
    environment: dict[str, str], queues: QueueServiceClient
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        wrong = await broken(environment, f"http://127.0.0.1:{unused.getsockname()[1]}")
    assert set(wrong) == set(CHECKS[5:])
    assert "cannot be reached" in wrong["address"].found


async def test_address_of_another_app(
    environment: dict[str, str], queues: QueueServiceClient, cloud: object
) -> None:
    wrong = await broken(environment, environment["DRIFT_ARM_ENDPOINT"])
    assert "address" in wrong


async def test_timer_that_stands_still(
    environment: dict[str, str], site: str, queues: QueueServiceClient, deployment: Deployment
) -> None:
    await deployment.registry.record_tick(datetime.now(UTC) - timedelta(minutes=25))
    wrong = await broken(environment, site)
    assert set(wrong) == {"last-tick"}
    assert wrong["last-tick"].found == "the timer last ran 25 minutes ago."


async def test_authentication_that_is_off(
    environment: dict[str, str], site: str, door: EasyAuth, queues: QueueServiceClient
) -> None:
    """The app refuses by itself, and still this is wrong: one mistake more and nothing would."""
    door.on = False
    wrong = await broken(environment, site)
    assert set(wrong) == {"anonymous-api", "anonymous-page", "forged-principal"}
    assert wrong["anonymous-api"].found == (
        "/api/me reached the app without a sign-in (it answered 401)."
    )
    assert wrong["anonymous-page"].found == "/ reached the app without a sign-in (it answered 200)."


async def test_forged_identity_that_is_believed(
    environment: dict[str, str], site: str, door: EasyAuth, queues: QueueServiceClient
) -> None:
    door.strips = False
    wrong = await broken(environment, site)
    assert set(wrong) == {"forged-principal"}
    assert "(it answered 200)" in wrong["forged-principal"].found


async def test_host_whose_own_paths_are_open(
    environment: dict[str, str], site: str, door: EasyAuth, queues: QueueServiceClient
) -> None:
    door.host_open = True
    wrong = await broken(environment, site)
    assert wrong["host-keys"].found == "/admin/host/status answers 200 to anybody."


async def test_command_prints_a_line_a_check_and_says_it_in_its_exit_code(
    environment: dict[str, str], site: str, queues: QueueServiceClient
) -> None:
    lines, code = await run_doctor(environment, "--url", site)
    assert code == 0
    assert [line.partition(":")[0] for line in lines] == [f"✓ {check}" for check in CHECKS]
    lines, code = await run_doctor({**environment, "DRIFT_URL": ""}, "--json")
    assert code == 1
    last = json.loads(lines[-1])
    assert (last["check"], last["ok"], last["found"]) == ("address", False, "DRIFT_URL is missing.")


async def run_doctor(environment: dict[str, str], *arguments: str) -> tuple[list[str], int]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "dev.doctor"),
        *arguments,
        cwd=PROJECT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    printed, errors = await process.communicate()
    assert b"Traceback" not in errors, errors.decode()
    assert process.returncode is not None
    return printed.decode().splitlines(), process.returncode


def test_every_check_is_explained_in_the_deployment_guide() -> None:
    guide = (PROJECT / "docs" / "deploy.md").read_text()
    assert (
        re.findall(r"^\| `([a-z-]+)` \|", guide.partition("## Is it well?")[2], re.MULTILINE)[
            : len(CHECKS)
        ]
        == CHECKS
    )
