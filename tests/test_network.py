"""Tests must not depend on, or reach, anything outside this machine."""

from __future__ import annotations

import socket

import pytest
from pytest_socket import SocketConnectBlockedError


# 192.0.2.0/24 is reserved for documentation (RFC 5737): nothing answers there even if the guard is broken.
@pytest.mark.filterwarnings("ignore:A test tried to use socket")
def test_socket_to_another_machine_is_refused() -> None:
    with socket.socket() as client, pytest.raises(SocketConnectBlockedError):
        client.connect(("192.0.2.1", 443))


def test_socket_on_loopback_is_allowed() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        assert client.getpeername() == server.getsockname()
