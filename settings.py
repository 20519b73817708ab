"""The deployment's settings, read once from the environment and never changed.

Tenants' own settings are rows in Table Storage; this is only what the platform operator decides.
A setting that is missing in Azure stops the start with one line that names it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

VERSION = "0.1.0"  # of the product, as in pyproject.toml

PUBLIC_ARM = "https://management.azure.com"
PUBLIC_AUTHORITY = "https://login.microsoftonline.com"

# ARM endpoint -> scope of its tokens (azure.mgmt.core.tools.get_arm_endpoints). A deployment serves one cloud.
ARM_SCOPES = {
    PUBLIC_ARM: "https://management.azure.com/.default",
    "https://management.usgovcloudapi.net": "https://management.core.usgovcloudapi.net/.default",
    "https://management.chinacloudapi.cn": "https://management.core.chinacloudapi.cn/.default",
}
# Authority host -> issuers of its tokens: v2.0, then v1.0 (an app registration says which one its API gets). China's
# authority has two names.
AUTHORITIES = {
    PUBLIC_AUTHORITY: (
        "https://login.microsoftonline.com/{tenantid}/v2.0",
        "https://sts.windows.net/{tenantid}/",
    ),
    "https://login.microsoftonline.us": (
        "https://login.microsoftonline.us/{tenantid}/v2.0",
        "https://sts.windows.net/{tenantid}/",
    ),
    "https://login.chinacloudapi.cn": (
        "https://login.partner.microsoftonline.cn/{tenantid}/v2.0",
        "https://login.chinacloudapi.cn/{tenantid}/v2.0",
        "https://sts.chinacloudapi.cn/{tenantid}/",
    ),
}
# What the platform sets in the app's own processes, on one plan or another (EnvironmentSettingNames of the Functions
# host). WEBSITE_HOSTNAME is not among them: Core Tools set it on a developer's machine.
PLATFORM_MARKS = (
    "WEBSITE_INSTANCE_ID",
    "WEBSITE_SITE_NAME",
    "WEBSITE_SKU",
    "WEBSITE_POD_NAME",
    "CONTAINER_APP_NAME",
)
MOST_REQUESTS = (20, 1_000_000)  # what the limit of a principal's requests per minute may be

# Audience of the token exchange of federated credentials, which never leave their cloud.
PUBLIC_EXCHANGE = "api://AzureADTokenExchange"
EXCHANGES = {
    "https://login.microsoftonline.us": "api://AzureADTokenExchangeUSGov",
    "https://login.chinacloudapi.cn": "api://AzureADTokenExchangeChina",
}


class SettingError(SystemExit):
    """Stops the start. SystemExit so that the host shows the line itself instead of a stack trace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    storage_connection_string: str
    table_endpoint: str
    queue_endpoint: str
    blob_endpoint: str
    key_vault_url: str
    authority_host: str
    arm_endpoint: str
    client_id: str  # the app's user-assigned managed identity
    app_client_id: str  # the multitenant app for federated connections
    platform_directory_id: str
    in_azure: bool
    managed_identity: bool  # there is an endpoint that gives out its tokens
    auth_enabled: bool
    audiences: frozenset[str]  # what a bearer token for this app may name as its audience
    requests_per_minute: int  # of one principal in one tenant, over all instances
    development_sign_in: bool
    development_people: str = ""  # JSON: whom the development mode's sign-in page offers
    insights_connection: str = ""  # Application Insights; '' for none
    otlp_endpoint: str = ""  # an OTLP receiver (http/protobuf); '' for none
    development_channels: bool = False  # notices may go to receivers on this machine
    site_url: str = ""  # where people reach the pages; links in notices begin with it
    mail_endpoint: str = (
        ""  # of Azure Communication Services, for channels that bring no key of their own
    )
    mail_sender: str = ""

    @property
    def arm_scope(self) -> str:
        return ARM_SCOPES.get(self.arm_endpoint, ARM_SCOPES[PUBLIC_ARM])

    @property
    def issuers(self) -> tuple[str, ...]:
        """Who issues this cloud's tokens: URLs with `{tenantid}` where a directory's id goes."""
        own = (f"{self.authority_host}/{{tenantid}}/v2.0", AUTHORITIES[PUBLIC_AUTHORITY][1])
        return AUTHORITIES.get(self.authority_host, own)

    @property
    def exchange_audience(self) -> str:
        return EXCHANGES.get(self.authority_host, PUBLIC_EXCHANGE)

    @property
    def exports_telemetry(self) -> bool:
        return bool(self.insights_connection or self.otlp_endpoint)

    @property
    def own_hosts(self) -> frozenset[str]:
        """Names that are the deployment's own: no notice is sent there."""
        urls = (
            self.site_url,
            self.table_endpoint,
            self.queue_endpoint,
            self.blob_endpoint,
            self.key_vault_url,
            self.arm_endpoint,
            self.authority_host,
        )
        return frozenset(host for url in urls if url and (host := urlsplit(url).hostname))

    @property
    def known_authority(self) -> bool:
        """Entra's instance discovery only knows Microsoft's own hosts."""
        return self.authority_host in AUTHORITIES


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Raises SettingError, naming the setting, when the app must not start like this."""
    in_azure = any(environment.get(mark) for mark in PLATFORM_MARKS)
    settings = Settings(
        storage_connection_string=environment.get("DRIFT_STORAGE_CONNECTION_STRING", ""),
        table_endpoint=_endpoint(environment, "DRIFT_TABLE_ENDPOINT"),
        queue_endpoint=_endpoint(environment, "DRIFT_QUEUE_ENDPOINT"),
        blob_endpoint=_endpoint(environment, "DRIFT_BLOB_ENDPOINT"),
        key_vault_url=_endpoint(environment, "DRIFT_KEY_VAULT_URL"),
        authority_host=_authority(environment),
        arm_endpoint=_endpoint(environment, "DRIFT_ARM_ENDPOINT") or PUBLIC_ARM,
        client_id=environment.get("AZURE_CLIENT_ID", ""),
        app_client_id=environment.get("DRIFT_APP_CLIENT_ID", ""),
        platform_directory_id=environment.get("DRIFT_PLATFORM_DIRECTORY_ID", "").lower(),
        in_azure=in_azure,
        managed_identity=in_azure or "IDENTITY_ENDPOINT" in environment,
        auth_enabled=environment.get("WEBSITE_AUTH_ENABLED", "").lower() == "true",
        audiences=_audiences(environment),
        requests_per_minute=_number(environment, "DRIFT_REQUESTS_PER_MINUTE", 1200, MOST_REQUESTS),
        development_sign_in=_flag(environment, "DRIFT_DEVELOPMENT_SIGN_IN"),
        development_people=environment.get("DRIFT_DEVELOPMENT_PEOPLE", ""),
        insights_connection=environment.get("APPLICATIONINSIGHTS_CONNECTION_STRING", ""),
        otlp_endpoint=_endpoint(environment, "OTEL_EXPORTER_OTLP_ENDPOINT"),
        development_channels=_flag(environment, "DRIFT_DEVELOPMENT_CHANNELS"),
        site_url=_site(environment, in_azure=in_azure),
        mail_endpoint=_endpoint(environment, "DRIFT_MAIL_ENDPOINT"),
        mail_sender=environment.get("DRIFT_MAIL_SENDER", ""),
    )
    _refuse_unsafe(settings)
    _require(settings)
    return settings


def _refuse_unsafe(settings: Settings) -> None:
    if settings.in_azure and settings.development_sign_in:
        raise SettingError(
            "DRIFT_DEVELOPMENT_SIGN_IN is set: development sign-in never runs in Azure. Remove it."
        )
    if settings.in_azure and settings.development_channels:
        raise SettingError(
            "DRIFT_DEVELOPMENT_CHANNELS is set: notices never go to the app's own machine in Azure. Remove it."
        )
    if settings.in_azure and not settings.auth_enabled:
        raise SettingError(
            "WEBSITE_AUTH_ENABLED is not true: turn on App Service authentication (Easy Auth) before starting in Azure."
        )
    if settings.in_azure and not settings.known_authority:
        raise SettingError(
            f"AZURE_AUTHORITY_HOST must be one of {', '.join(AUTHORITIES)} in Azure."
        )
    if settings.in_azure and settings.arm_endpoint not in ARM_SCOPES:
        raise SettingError(f"DRIFT_ARM_ENDPOINT must be one of {', '.join(ARM_SCOPES)} in Azure.")
    if settings.in_azure and not settings.audiences:
        raise SettingError(
            "WEBSITE_AUTH_CLIENT_ID is missing, which App Service authentication gives: connect it to an Entra app "
            "registration, or set DRIFT_API_AUDIENCE to the registration's client id."
        )


def _require(settings: Settings) -> None:
    if bool(settings.mail_endpoint) != bool(settings.mail_sender):
        missing = "DRIFT_MAIL_SENDER" if settings.mail_endpoint else "DRIFT_MAIL_ENDPOINT"
        raise SettingError(f"{missing} is missing: mail needs an endpoint and a sender.")
    if not settings.storage_connection_string:
        for name, value in (
            ("DRIFT_TABLE_ENDPOINT", settings.table_endpoint),
            ("DRIFT_QUEUE_ENDPOINT", settings.queue_endpoint),
            ("DRIFT_BLOB_ENDPOINT", settings.blob_endpoint),
        ):
            if not value:
                raise SettingError(f"{name} is missing (or set DRIFT_STORAGE_CONNECTION_STRING).")
    if not settings.key_vault_url:
        raise SettingError(
            "DRIFT_KEY_VAULT_URL is missing: the Key Vault that keeps the tenants' credentials."
        )
    if not settings.platform_directory_id:
        raise SettingError(
            "DRIFT_PLATFORM_DIRECTORY_ID is missing: the Entra directory of the platform operators."
        )


def _endpoint(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "").rstrip("/")
    if value and (urlsplit(value).scheme not in {"https", "http"} or not urlsplit(value).hostname):
        raise SettingError(f"{name} must be a URL such as https://example.net, not {value!r}.")
    return value


def _site(environment: Mapping[str, str], *, in_azure: bool) -> str:
    """The app's own name in Azure unless it has a better one. Core Tools set a name that means nothing."""
    host = environment.get("WEBSITE_HOSTNAME", "")
    return _endpoint(environment, "DRIFT_SITE_URL") or (
        f"https://{host}" if in_azure and host else ""
    )


def _authority(environment: Mapping[str, str]) -> str:
    """AZURE_AUTHORITY_HOST is a bare host name by azure-identity's own convention; a URL is fine too."""
    value = environment.get("AZURE_AUTHORITY_HOST", "")
    if value and "://" not in value:
        return f"https://{value}".rstrip("/")
    return _endpoint(environment, "AZURE_AUTHORITY_HOST") or PUBLIC_AUTHORITY


def _audiences(environment: Mapping[str, str]) -> frozenset[str]:
    """Client ids of the app registration in their two spellings, and its own identifier URI where it has one."""
    named = (environment.get("WEBSITE_AUTH_CLIENT_ID"), environment.get("DRIFT_API_AUDIENCE"))
    found = {name for name in named if name}
    return frozenset(found | {f"api://{name}" for name in found if "://" not in name})


def _number(
    environment: Mapping[str, str], name: str, default: int, limits: tuple[int, int]
) -> int:
    value = environment.get(name, "") or str(default)
    if not (value.isascii() and value.isdigit() and limits[0] <= int(value) <= limits[1]):
        raise SettingError(f"{name} must be a number from {limits[0]} to {limits[1]}.")
    return int(value)


def _flag(environment: Mapping[str, str], name: str) -> bool:
    value = environment.get(name, "").lower()
    if value not in {"", "true", "false"}:
        raise SettingError(f"{name} must be true or false, not {value!r}.")
    return value == "true"
