"""A machine on which `az` and `azd` are installed, signed in to the simulated Azure."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from dev.azure.admin import AzureAdmin
from dev.cloud import LocalCloud
from tests.infra.bicep import PROJECT

GRAPH = "https://graph.microsoft.com"


@dataclass(slots=True)
class Machine:
    """`values` are what azd remembers and gives to its hooks."""

    folder: Path
    programs: dict[str, str]
    values: dict[str, str] = field(default_factory=dict)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A hook as azd runs it."""
        ended = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=PROJECT,
            env={**os.environ, **self.programs, **self.values},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        kept = self.folder / "values.json"
        if kept.exists():
            self.values |= json.loads(kept.read_text())
            kept.unlink()
        return ended


@pytest.fixture
async def azure_admin(cloud: LocalCloud) -> AsyncIterator[AzureAdmin]:
    async with AzureAdmin(cloud.admin_url) as admin:
        yield admin
        await admin.clear_faults()
        await admin.settings(directoryLagSeconds=0)


@pytest.fixture
async def graph_token(cloud: LocalCloud, azure_admin: AzureAdmin) -> str:
    claims = {"oid": str(uuid.uuid4()), "appid": "04b07795-8ddb-461a-bbee-02f9e1bf7b46"}  # the CLI
    return await azure_admin.mint_token(cloud.simulator.directory_id, GRAPH, claims)


@pytest.fixture
def machine(cloud: LocalCloud, graph_token: str, tmp_path: Path) -> Machine:
    for name in ("az", "azd"):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        stand_in = PROJECT / "tests" / "infra" / "stand_in.py"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -IS "{stand_in}" {name} "$@"\n')
        program.chmod(0o755)
    azure = cloud.simulator
    programs = {
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "STAND_IN_GRAPH": azure.url,
        "STAND_IN_LOGIN": azure.url,
        "STAND_IN_TOKEN": graph_token,
        "STAND_IN_CA": azure.ca,
        "STAND_IN_VALUES": str(tmp_path / "values.json"),
    }
    values = {
        "AZURE_ENV_NAME": f"env-{uuid.uuid4().hex[:8]}",
        "AZURE_SUBSCRIPTION_ID": str(uuid.uuid4()),
        "AZURE_TENANT_ID": azure.directory_id,
        "AZURE_PRINCIPAL_ID": str(uuid.uuid4()),
    }
    return Machine(tmp_path, programs, values)


@dataclass(slots=True)
class Directory:
    """Microsoft Graph as an onlooker sees it."""

    client: httpx.AsyncClient

    async def get(self, path: str, **query: str) -> Any:
        answer = await self.client.get(f"/v1.0{path}", params=query or None)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def send(self, method: str, path: str, body: Any) -> httpx.Response:
        return await self.client.request(method, f"/v1.0{path}", json=body)

    async def applications(self, query: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.get("/applications", **{"$filter": query}))[
            "value"
        ]
        return found


@pytest.fixture
async def directory(cloud: LocalCloud, graph_token: str) -> AsyncIterator[Directory]:
    headers = {"Authorization": f"Bearer {graph_token}"}
    trust = ssl.create_default_context(cafile=cloud.simulator.ca)
    async with httpx.AsyncClient(
        base_url=cloud.simulator.url, verify=trust, headers=headers
    ) as client:
        yield Directory(client)


@pytest.fixture
async def trusting(cloud: LocalCloud) -> AsyncIterator[httpx.AsyncClient]:
    """Anybody, to the simulated Azure."""
    trust = ssl.create_default_context(cafile=cloud.simulator.ca)
    async with httpx.AsyncClient(base_url=cloud.simulator.url, verify=trust) as client:
        yield client
