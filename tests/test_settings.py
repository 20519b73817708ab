"""The start: what is missing or unsafe stops it with one line that names the setting."""

from __future__ import annotations

import pytest

from settings import SettingError, read_settings

LOCAL = {
    "DRIFT_STORAGE_CONNECTION_STRING": "UseDevelopmentStorage=true",
    "DRIFT_KEY_VAULT_URL": "https://localhost:1",
    "DRIFT_PLATFORM_DIRECTORY_ID": "11111111-1111-4111-8111-111111111111",
}
AZURE = {
    "DRIFT_TABLE_ENDPOINT": "https://a.table.core.windows.net/",
    "DRIFT_QUEUE_ENDPOINT": "https://a.queue.core.windows.net",
    "DRIFT_KEY_VAULT_URL": "https://a.vault.azure.net",
    "DRIFT_PLATFORM_DIRECTORY_ID": "11111111-1111-4111-8111-111111111111",
    "WEBSITE_INSTANCE_ID": "x",
    "WEBSITE_AUTH_ENABLED": "True",
}


def test_local_start() -> None:
    settings = read_settings(LOCAL | {"AZURE_AUTHORITY_HOST": "login.microsoftonline.us"})
    assert settings.authority_host == "https://login.microsoftonline.us"
    assert settings.arm_endpoint == "https://management.azure.com"
    assert settings.known_authority


def test_start_in_azure() -> None:
    settings = read_settings(AZURE)
    assert settings.in_azure
    assert settings.table_endpoint == "https://a.table.core.windows.net"


@pytest.mark.parametrize("name", ["DRIFT_KEY_VAULT_URL", "DRIFT_PLATFORM_DIRECTORY_ID"])
def test_missing_setting_is_named(name: str) -> None:
    with pytest.raises(SettingError, match=name):
        read_settings({key: value for key, value in LOCAL.items() if key != name})


def test_missing_storage_is_named() -> None:
    with pytest.raises(SettingError, match="DRIFT_TABLE_ENDPOINT"):
        read_settings({k: v for k, v in LOCAL.items() if k != "DRIFT_STORAGE_CONNECTION_STRING"})


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"WEBSITE_AUTH_ENABLED": "false"}, "WEBSITE_AUTH_ENABLED"),
        ({"DRIFT_DEVELOPMENT_SIGN_IN": "true"}, "DRIFT_DEVELOPMENT_SIGN_IN"),
        ({"AZURE_AUTHORITY_HOST": "https://evil.example"}, "AZURE_AUTHORITY_HOST"),
        ({"DRIFT_ARM_ENDPOINT": "https://evil.example"}, "DRIFT_ARM_ENDPOINT"),
    ],
)
def test_unsafe_start_in_azure_is_refused(change: dict[str, str], named: str) -> None:
    with pytest.raises(SettingError, match=named):
        read_settings(AZURE | change)


@pytest.mark.parametrize("value", ["vault", "ftp://vault", "https://"])
def test_endpoint_must_be_a_url(value: str) -> None:
    with pytest.raises(SettingError, match="DRIFT_KEY_VAULT_URL"):
        read_settings(LOCAL | {"DRIFT_KEY_VAULT_URL": value})


def test_flag_must_be_true_or_false() -> None:
    with pytest.raises(SettingError, match="DRIFT_DEVELOPMENT_SIGN_IN"):
        read_settings(LOCAL | {"DRIFT_DEVELOPMENT_SIGN_IN": "yes"})


@pytest.mark.parametrize(
    ("authority", "audience"),
    [
        ("login.microsoftonline.com", "api://AzureADTokenExchange"),
        ("login.microsoftonline.us", "api://AzureADTokenExchangeUSGov"),
        ("https://login.chinacloudapi.cn/", "api://AzureADTokenExchangeChina"),
    ],
)
def test_federated_credentials_are_exchanged_in_their_own_cloud(
    authority: str, audience: str
) -> None:
    assert read_settings(LOCAL | {"AZURE_AUTHORITY_HOST": authority}).exchange_audience == audience
