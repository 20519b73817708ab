"""One simulated Azure in a process of its own for all tests here, with two directories set up."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from azure.identity.aio import ClientSecretCredential

from dev.azure.admin import AzureAdmin

ROOT = Path(__file__).parents[3]
CONTOSO = "11111111-aaaa-4aaa-8aaa-111111111111"
FABRIKAM = "22222222-bbbb-4bbb-8bbb-222222222222"
APP = "33333333-cccc-4ccc-8ccc-333333333333"
APP_OBJECT = "44444444-dddd-4ddd-8ddd-444444444444"
SECRET = "contoso-secret"


@dataclass(frozen=True)
class Running:
    """What the process announced, and what tests know of the two directories in it."""

    contoso = CONTOSO
    fabrikam = FABRIKAM
    app = APP
    app_object = APP_OBJECT
    secret = SECRET

    url: str
    admin_url: str
    ca: str
    identity: dict[str, str]
    identity_header: str

    @property
    def client_options(self) -> dict[str, Any]:
        return {"base_url": self.url, "connection_verify": self.ca}

    def credential(
        self, directory: str = CONTOSO, client_id: str = APP, secret: str = SECRET
    ) -> ClientSecretCredential:
        return ClientSecretCredential(
            directory,
            client_id,
            secret,
            authority=self.url,
            disable_instance_discovery=True,
            connection_verify=self.ca,
        )


@pytest.fixture(scope="session")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    directory = tmp_path_factory.mktemp("azure")
    process = subprocess.Popen(
        [sys.executable, "-m", "dev.azure", "--directory", str(directory), "--quota", "100000"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    )
    assert process.stdout
    assert process.stdin
    assert process.stderr
    try:
        said = json.loads(process.stdout.readline())
        yield Running(
            said["url"],
            said["adminUrl"],
            said["ca"],
            said["managedIdentity"],
            said["identityHeader"],
        )
    finally:
        process.stdin.close()
        assert process.wait(timeout=10) == 0
        process.stdout.close()
        process.stderr.close()


@pytest.fixture
async def admin(azure: Running) -> AsyncIterator[AzureAdmin]:
    async with AzureAdmin(azure.admin_url) as client:
        await client.put_directory(
            CONTOSO,
            name="Contoso",
            applications=[{"clientId": APP, "objectId": APP_OBJECT, "secrets": [SECRET]}],
        )
        await client.put_directory(FABRIKAM, name="Fabrikam")
        yield client
        await client.clear_faults()
        await client.settings(
            quota=100000,
            graphLagSeconds=0,
            directoryLagSeconds=0,
            pageSize=1000,
            emptyPages=1,
            throttle=False,
        )


@pytest.fixture
async def subscription(admin: AzureAdmin) -> str:
    """A new, empty subscription of Contoso that the application may read."""
    subscription_id = str(uuid.uuid4())
    await admin.put_subscription(
        subscription_id, directory_id=CONTOSO, displayName="Test", readers=[APP_OBJECT]
    )
    return subscription_id


@pytest.fixture(scope="session")
def trust(azure: Running) -> ssl.SSLContext:
    """Made once: reading certificates takes longer than most tests here."""
    return ssl.create_default_context(cafile=azure.ca)


@pytest.fixture
async def http(azure: Running, trust: ssl.SSLContext) -> AsyncIterator[httpx.AsyncClient]:
    """For what no SDK client would send."""
    async with httpx.AsyncClient(base_url=azure.url, verify=trust, timeout=30) as client:
        yield client


@pytest.fixture
async def token(azure: Running, admin: AzureAdmin) -> str:
    """The application's token for Resource Manager, as Entra ID would give it."""
    claims = {"oid": azure.app_object, "appid": azure.app}
    return await admin.mint_token(azure.contoso, "https://management.azure.com", claims)


@pytest.fixture
def make_vnet(subscription: str) -> Callable[..., dict[str, Any]]:
    """Makes a small resource with what tests look at: an etag, properties, tags."""

    def make(name: str, group: str = "rg-net", **members: Any) -> dict[str, Any]:
        return {
            "id": f"/subscriptions/{subscription}/resourceGroups/{group}"
            f"/providers/Microsoft.Network/virtualNetworks/{name}",
            "name": name,
            "type": "Microsoft.Network/virtualNetworks",
            "location": "westeurope",
            "etag": 'W/"1"',
            "tags": {"env": "test"},
            "properties": {
                "provisioningState": "Succeeded",
                "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
            },
            **members,
        }

    return make
