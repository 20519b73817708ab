"""The start: what is missing or unsafe stops it with one line that names the setting."""

from __future__ import annotations

import pytest

from settings import PLATFORM_MARKS, SettingError, read_settings

LOCAL = {
    "DRIFT_STORAGE_CONNECTION_STRING": "UseDevelopmentStorage=true",
    "DRIFT_KEY_VAULT_URL": "https://localhost:1",
    "DRIFT_PLATFORM_DIRECTORY_ID": "11111111-1111-4111-8111-111111111111",
}
AZURE = {
    "DRIFT_TABLE_ENDPOINT": "https://a.table.core.windows.net/",
    "DRIFT_QUEUE_ENDPOINT": "https://a.queue.core.windows.net",
    "DRIFT_BLOB_ENDPOINT": "https://a.blob.core.windows.net",
    "DRIFT_KEY_VAULT_URL": "https://a.vault.azure.net",
    "DRIFT_PLATFORM_DIRECTORY_ID": "11111111-1111-4111-8111-111111111111",
    "WEBSITE_INSTANCE_ID": "x",
    "WEBSITE_AUTH_ENABLED": "True",
    "WEBSITE_AUTH_CLIENT_ID": "22222222-2222-4222-8222-222222222222",
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
        pytest.param({"WEBSITE_AUTH_ENABLED": "false"}, "WEBSITE_AUTH_ENABLED", id="A01"),
        pytest.param({"WEBSITE_AUTH_ENABLED": ""}, "WEBSITE_AUTH_ENABLED", id="A01 absent"),
        ({"WEBSITE_AUTH_CLIENT_ID": ""}, "WEBSITE_AUTH_CLIENT_ID"),
        ({"DRIFT_DEVELOPMENT_SIGN_IN": "true"}, "DRIFT_DEVELOPMENT_SIGN_IN"),
        pytest.param(
            {"DRIFT_DEVELOPMENT_CHANNELS": "true"}, "DRIFT_DEVELOPMENT_CHANNELS", id="F01"
        ),
        ({"DRIFT_MAIL_ENDPOINT": "https://a.communication.azure.com"}, "DRIFT_MAIL_SENDER"),
        ({"DRIFT_MAIL_SENDER": "drift@example.com"}, "DRIFT_MAIL_ENDPOINT"),
        ({"AZURE_AUTHORITY_HOST": "https://evil.example"}, "AZURE_AUTHORITY_HOST"),
        ({"DRIFT_ARM_ENDPOINT": "https://evil.example"}, "DRIFT_ARM_ENDPOINT"),
    ],
)
def test_unsafe_start_in_azure_is_refused(change: dict[str, str], named: str) -> None:
    with pytest.raises(SettingError, match=named):
        read_settings(AZURE | change)


@pytest.mark.parametrize("mark", PLATFORM_MARKS)
def test_development_sign_in_cannot_be_switched_on_in_azure(mark: str) -> None:
    """Whichever of its marks the platform sets, and whatever else is set."""
    azure = {name: value for name, value in AZURE.items() if name != "WEBSITE_INSTANCE_ID"}
    assert not read_settings(azure).in_azure
    for value in ("true", "True"):
        with pytest.raises(SettingError, match="never runs in Azure"):
            read_settings(azure | {mark: "x", "DRIFT_DEVELOPMENT_SIGN_IN": value})
    assert not read_settings(azure | {mark: "x"}).development_sign_in


def test_audiences_are_the_client_id_and_the_identifier_uri() -> None:
    client_id = AZURE["WEBSITE_AUTH_CLIENT_ID"]
    assert read_settings(AZURE).audiences == {client_id, f"api://{client_id}"}
    custom = read_settings(AZURE | {"DRIFT_API_AUDIENCE": "https://drift.contoso.com"})
    assert custom.audiences - read_settings(AZURE).audiences == {"https://drift.contoso.com"}
    own = read_settings(LOCAL | {"DRIFT_API_AUDIENCE": client_id})
    assert own.audiences == read_settings(AZURE).audiences
    assert read_settings(LOCAL).audiences == frozenset()


@pytest.mark.parametrize("value", ["0", "19", "1000001", "-1", "many", "1e3", "\u0661\u0662\u0663"])
def test_limit_of_requests_is_a_sane_number(value: str) -> None:
    with pytest.raises(SettingError, match="DRIFT_REQUESTS_PER_MINUTE"):
        read_settings(LOCAL | {"DRIFT_REQUESTS_PER_MINUTE": value})
    assert read_settings(LOCAL).requests_per_minute == 1200
    assert read_settings(LOCAL | {"DRIFT_REQUESTS_PER_MINUTE": "20"}).requests_per_minute == 20


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
