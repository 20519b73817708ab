"""Schemathesis reads the OpenAPI document and tries the real app over HTTP, as the admins of two tenants who must not
see each other's things, and as a platform operator. What it checks, and what it does not, is in schemathesis.toml."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import tomllib
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from azure.storage.queue.aio import QueueServiceClient

from dev.azure.admin import AzureAdmin
from dev.demo.client import Product, principal_header
from settings import Settings
from tenancy.deployment import Deployment
from tests.drift.host import Host
from tests.drift.watched import Watched

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
SEED = 20261123
PLATFORM = "^/api/tenants"
EVERYDAY = ("--phases=examples,fuzzing,stateful", "--max-examples=4")
THOROUGH = ("--phases=examples,coverage,fuzzing,stateful", "--max-examples=25")
SLOW = (pytest.mark.slow, pytest.mark.timeout(3600))
DEPTHS = [
    pytest.param(EVERYDAY, id="everyday", marks=pytest.mark.timeout(900)),
    pytest.param(THOROUGH, id="thorough", marks=SLOW),
]
People = dict[str, dict[str, str]]  # name, and the headers that sign in


@pytest.fixture
async def calm(azure: AzureAdmin) -> AsyncIterator[None]:
    """So many scans and tests of connections meet no quota of the simulated Azure."""
    before = await azure.settings()
    await azure.settings(quota=10_000)
    yield
    await azure.settings(**before)


async def settle(host: Host, operator: Product, azure: AzureAdmin, url: str, made: Any) -> str:
    """Onboards an organisation and lets something drift in it, so that there is one of everything."""
    tenant = await operator.request("POST", "/api/tenants", made.tenant_body())
    async with Product(url, made.admin_header, tenant["id"]) as api:
        subscriptions = [made.subscription_id]
        world = Watched(made, tenant["id"], api, api._client, azure, host, None, subscriptions)  # type: ignore[arg-type]
        await world.add(world.account("alpha"), world.network("net"))
        assert (await world.scan())["status"] == "complete"
        await world.capture()
        await world.add(world.account("alpha", allowBlobPublicAccess=True))
        assert (await world.scan())["status"] == "complete"
        assert await world.findings()
    return str(tenant["id"])


@pytest.fixture
async def people(
    deployment: Deployment,
    settings: Settings,
    operator: Product,
    azure: AzureAdmin,
    url: str,
    new_organisation: Any,
    calm: None,
) -> People:
    """Ada and Bea, admins of a tenant each, and Pia, who operates the deployment."""
    found: People = {}
    async with QueueServiceClient.from_connection_string(
        settings.storage_connection_string
    ) as queues:
        host = Host(deployment, queues)
        await host.prepare()
        for name in ("ada", "bea"):
            made = await new_organisation()
            tenant_id = await settle(host, operator, azure, url, made)
            found[name] = {
                "X-MS-CLIENT-PRINCIPAL": made.admin_header,
                "X-Tenant-Id": tenant_id,
            }
    home = settings.platform_directory_id
    pia = principal_header(home, str(uuid.uuid4()), "Pia", "Platform.Operator")
    return found | {"pia": {"X-MS-CLIENT-PRINCIPAL": pia}}


async def try_api(url: str, people: People, folder: Path, *options: str) -> str:
    """Runs Schemathesis to its end and returns what it printed. Fails with that when anything was found."""
    file = folder / "people.json"
    headers = {
        name: [{"name": header, "value": value} for header, value in said.items()]
        for name, said in people.items()
    }
    signed = [{"name": name, "fixedHeaders": said} for name, said in headers.items()]
    file.write_text(json.dumps({"auth": signed}))
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIGURATION)),
        *(
            "run",
            f"{url}/api/openapi.json",
            f"--seed={SEED}",
            "--generation-database=none",
            "--no-color",
        ),
        *options,
    ]
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=os.environ | {"DRIFT_PEOPLE": str(file)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output = (await process.communicate())[0].decode()
    sys.stdout.write(f"seed {SEED}\n{output}")
    assert process.returncode == 0, output
    return output


@pytest.mark.parametrize("depth", DEPTHS)
async def test_admins_of_two_tenants(
    url: str, people: People, tmp_path: Path, depth: tuple[str, ...]
) -> None:
    members = {name: said for name, said in people.items() if name != "pia"}
    await try_api(url, members, tmp_path, f"--exclude-path-regex={PLATFORM}", *depth)


@pytest.mark.parametrize("depth", DEPTHS)
async def test_platform_operator(
    url: str, people: People, tmp_path: Path, depth: tuple[str, ...]
) -> None:
    options = (f"--include-path-regex={PLATFORM}", "--auth-wfc-user=pia")
    await try_api(url, people, tmp_path, *options, *depth)


def test_whatever_is_not_checked_has_its_reason() -> None:
    text = CONFIGURATION.read_text(encoding="utf-8")
    settings = tomllib.loads(text)
    assert not any("enabled" in said for said in settings["checks"].values())
    assert "phases" not in settings
    for line in text.splitlines():
        if line.startswith("[[operations]]"):
            assert len(line.partition("#")[2]) > 20, f"no reason: {line}"
    for operation in settings["operations"]:
        checks = operation.get("checks") or operation["phases"]["coverage"]["checks"]
        assert list(checks) == ["positive_data_acceptance"]


async def test_every_list_is_among_those_whose_tokens_are_nobodys(url: str) -> None:
    """A list that is new is found here at once, and not by the slow run alone."""
    (pattern,) = [
        one["include-operation-id-regex"]
        for one in tomllib.loads(CONFIGURATION.read_text(encoding="utf-8"))["operations"]
        if "phases" in one
    ]
    async with httpx.AsyncClient(base_url=url) as client:
        paths = (await client.get("/api/openapi.json")).json()["paths"]
    operations = [one for methods in paths.values() for one in methods.values()]
    lists = {
        one["operationId"]
        for one in operations
        if "continuationToken" in {said.get("name") for said in one.get("parameters", ())}
    }
    assert len(lists) > 15
    assert {name for name in lists if not re.fullmatch(pattern, name)} == set()
