"""For all tests: one local cloud per worker process, the product's API before it over real HTTP, organisations of the
test's own, and no network but loopback."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass

import aiohttp.connector
import pytest
import uvicorn
from pytest_socket import socket_allow_hosts

from dev.azure.admin import AzureAdmin
from dev.azurite import Azurite
from dev.cloud import LENT, RunningCloud, open_cloud
from dev.demo.client import Product, principal_header
from settings import Settings, read_settings
from tenancy.deployment import Deployment
from tests.contract import Watched

TRUST = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "IDENTITY_ENDPOINT", "IDENTITY_HEADER")
GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
LOOPBACK = ["127.0.0.1", "::1", "localhost"]


def pytest_make_parametrize_id(val: object) -> str | None:
    """GUIDs that are made anew each time stay out of test names: workers that run side by side must agree on them."""
    return GUID.sub("guid", val) if isinstance(val, str) and GUID.search(val) else None


@pytest.hookimpl(tryfirst=True)  # before the fixtures of the test
def pytest_runtest_setup() -> None:
    socket_allow_hosts(LOOPBACK, allow_unix_socket=True)


@pytest.fixture(scope="session")
def cloud() -> Iterator[RunningCloud]:
    """Azurite and the simulated Azure. Shared by all tests of a worker: use names and tenants of your own."""
    with open_cloud() as cloud:
        # aiohttp makes its TLS context when it is imported, which another test may have done by now.
        aiohttp.connector._SSL_CONTEXT_VERIFIED.load_verify_locations(cloud.simulator.ca)
        yield cloud


@pytest.fixture(scope="session")
def environment(cloud: RunningCloud) -> dict[str, str]:
    """The app's settings for that cloud. A test asks more of the app in a minute than anybody may."""
    return cloud.environment() | {"DRIFT_REQUESTS_PER_MINUTE": "1000000"}


@pytest.fixture(scope="session")
def storage(request: pytest.FixtureRequest) -> Iterator[str]:
    """The connection string of an Azurite by itself, for tests that need no Azure."""
    if LENT in os.environ:
        yield request.getfixturevalue("cloud").storage_connection_string
        return
    with Azurite() as azurite:
        yield azurite.connection_string


@pytest.fixture(scope="session")
def settings(environment: dict[str, str]) -> Iterator[Settings]:
    """The app's settings; what the SDKs read from the environment themselves is set while tests run."""
    before = {name: os.environ.get(name) for name in TRUST}
    os.environ.update({name: environment[name] for name in TRUST})
    yield read_settings(environment)
    for name, value in before.items():
        if value is None:
            os.environ.pop(name)
        else:
            os.environ[name] = value


@pytest.fixture(scope="session")
async def deployment(settings: Settings) -> AsyncIterator[Deployment]:
    deployment = Deployment(settings)
    yield deployment
    await deployment.close()


@pytest.fixture(scope="session")
async def url(deployment: Deployment) -> AsyncIterator[str]:
    """Where the API answers."""
    from api.app import create_app  # tests of the engine do without the whole product

    app = Watched(create_app(lambda: deployment))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_level="warning", lifespan="off")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        await serving


@pytest.fixture(scope="session")
async def azure(cloud: RunningCloud) -> AsyncIterator[AzureAdmin]:
    async with AzureAdmin(cloud.admin_url) as admin:
        yield admin


@pytest.fixture(scope="session")
async def operator(url: str, settings: Settings) -> AsyncIterator[Product]:
    """A platform operator."""
    object_id = str(uuid.uuid4())
    header = principal_header(settings.platform_directory_id, object_id, "Pia", "Platform.Operator")
    async with Product(url, header) as product:
        yield product


@dataclass(frozen=True, slots=True)
class Organisation:
    """An organisation in the simulated Azure, and its first admin in the product."""

    directory_id: str
    client_id: str
    object_id: str
    secret: str
    subscription_id: str
    admin_object_id: str

    @property
    def admin_header(self) -> str:
        return principal_header(self.directory_id, self.admin_object_id, "Ada")

    def tenant_body(self, **changes: object) -> dict[str, object]:
        body: dict[str, object] = {
            "name": f"org-{self.directory_id[:8]}",
            "azureTenantId": self.directory_id,
            "admin": {
                "directoryId": self.directory_id,
                "objectId": self.admin_object_id,
                "name": "Ada",
            },
            "connection": {
                "kind": "client_secret",
                "directoryId": self.directory_id,
                "clientId": self.client_id,
                "secret": self.secret,
            },
            "settings": {"schedule": ""},
        }
        return body | changes


NewOrganisation = Callable[[], Awaitable[Organisation]]


@pytest.fixture(scope="session")
def new_organisation(azure: AzureAdmin) -> NewOrganisation:
    async def make() -> Organisation:
        made = Organisation(*(str(uuid.uuid4()) for _ in range(6)))
        application = {
            "clientId": made.client_id,
            "objectId": made.object_id,
            "name": "reader",
            "secrets": [made.secret],
        }
        await azure.put_directory(made.directory_id, name="test", applications=[application])
        await azure.put_subscription(
            made.subscription_id,
            directory_id=made.directory_id,
            displayName="main",
            readers=[made.object_id],
        )
        return made

    return make
