from __future__ import annotations

import pytest

from dev.host.configuration import HostError
from dev.host.connections import Connections

STRING = "DefaultEndpointsProtocol=http;AccountName=one;AccountKey=a2V5;QueueEndpoint=http://127.0.0.1:1/one;"


@pytest.mark.parametrize("setting", ["AzureWebJobsWork", "Work"])
async def test_connection_string_is_found_under_both_names(setting: str) -> None:
    connections = Connections({setting: STRING})
    assert connections.queue("Work", "scans").url == "http://127.0.0.1:1/one/scans"
    await connections.close()


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({"accountName": "two"}, "https://two.queue.core.windows.net/scans"),
        ({"queueServiceUri": "https://three.example"}, "https://three.example/scans"),
        (
            {"accountName": "four", "credential": "managedidentity", "clientId": "5"},
            "https://four.queue.core.windows.net/scans",
        ),
    ],
)
async def test_identity_needs_no_connection_string(settings: dict[str, str], url: str) -> None:
    environment = {f"AzureWebJobsStorage__{name}": value for name, value in settings.items()}
    connections = Connections(environment)
    assert connections.queue(None, "scans").url == url
    await connections.close()


async def test_missing_connection_names_the_setting() -> None:
    with pytest.raises(HostError, match="the setting Work is missing"):
        Connections({}).queue("Work", "scans")
