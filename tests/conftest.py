"""For all tests: one local cloud per worker process, started when the first test asks, and no network but loopback."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_socket import socket_allow_hosts

from dev.azurite import Azurite
from dev.cloud import LocalCloud

LOOPBACK = ["127.0.0.1", "::1", "localhost"]


@pytest.hookimpl(tryfirst=True)  # before the fixtures of the test
def pytest_runtest_setup() -> None:
    socket_allow_hosts(LOOPBACK, allow_unix_socket=True)


@pytest.fixture(scope="session")
def cloud() -> Iterator[LocalCloud]:
    """Azurite and the simulated Azure. Shared by all tests of a worker: use names and tenants of your own."""
    with LocalCloud() as cloud:
        yield cloud


@pytest.fixture(scope="session")
def environment(cloud: LocalCloud) -> dict[str, str]:
    """The app's settings for that cloud."""
    return cloud.environment()


@pytest.fixture(scope="session")
def storage() -> Iterator[str]:
    """The connection string of an Azurite by itself, for tests that need no Azure."""
    with Azurite() as azurite:
        yield azurite.connection_string
