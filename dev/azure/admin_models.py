"""What the admin is sent: every body has its model, unknown members are refused, errors name the field."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from dev.azure.changes import SYSTEM, Actor
from dev.azure.directories import Application, Denial, FederatedCredential, Secret, Subscription
from dev.azure.document import encode
from dev.azure.traffic import Fault, FaultMatch


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, populate_by_name=True)


class SecretModel(_Model):
    value: str = Field(min_length=1)
    expires: datetime | None = None

    def build(self) -> Secret:
        return Secret(self.value, self.expires.timestamp() if self.expires else None)


class FederatedCredentialModel(_Model):
    issuer: str
    subject: str
    audience: str = "api://AzureADTokenExchange"


class ApplicationModel(_Model):
    client_id: str = Field(min_length=1)
    object_id: str = Field(min_length=1)
    name: str = ""
    secrets: list[str | SecretModel] = []
    certificates: list[str] = []
    federated_credentials: list[FederatedCredentialModel] = []

    def build(self) -> Application:
        return Application(
            client_id=self.client_id,
            object_id=self.object_id,
            name=self.name or self.client_id,
            secrets=tuple(
                Secret(one) if isinstance(one, str) else one.build() for one in self.secrets
            ),
            certificates=tuple(self.certificates),
            federated_credentials=tuple(
                FederatedCredential(one.issuer, one.subject, one.audience)
                for one in self.federated_credentials
            ),
        )


class DirectoryModel(_Model):
    name: str = ""
    applications: list[ApplicationModel] = []


class DenialModel(_Model):
    object_id: str
    resource_type: str = ""
    resource_group: str = ""


class SubscriptionModel(_Model):
    directory_id: str
    display_name: str = ""
    state: str = Field(default="Enabled", pattern="^(Enabled|Disabled|Warned|PastDue|Deleted)$")
    readers: list[str] = []
    writers: list[str] = []
    denied: list[DenialModel] = []
    delegated_to: list[str] = []

    def build(self, subscription_id: str) -> Subscription:
        return Subscription(
            id=subscription_id.lower(),
            directory_id=self.directory_id.lower(),
            display_name=self.display_name or subscription_id,
            state=self.state,
            readers=frozenset(one.lower() for one in self.readers),
            writers=frozenset(one.lower() for one in self.writers),
            denied=tuple(
                Denial(one.object_id, one.resource_type, one.resource_group) for one in self.denied
            ),
            delegated_to=frozenset(one.lower() for one in self.delegated_to),
        )


class ActorModel(_Model):
    changed_by: str = SYSTEM.changed_by
    changed_by_type: str = SYSTEM.changed_by_type
    client_type: str = SYSTEM.client_type

    def build(self) -> Actor:
        return Actor(self.changed_by, self.changed_by_type, self.client_type)


class EditModel(_Model):
    """`set` and `remove` are by JSON Pointer; an array's element by index or as `[name=web]`."""

    resource_id: str = ""
    set: dict[str, Any] = {}
    remove: list[str] = []
    create: dict[str, Any] | None = None
    delete: bool = False
    actor: ActorModel = ActorModel()
    operation: str = ""
    correlation_id: str = ""
    silent: bool = False


class StirModel(_Model):
    """Every resource of the subscription shows what Azure changes by itself; nobody is told."""

    subscription_id: str
    seed: int = 0


class FaultMatchModel(_Model):
    method: str = ""
    path: str = ""
    directory: str = ""
    nth: int = Field(default=0, ge=0)


class FaultModel(_Model):
    match: FaultMatchModel = FaultMatchModel()
    status: int = Field(default=0, ge=0, le=599)
    headers: dict[str, str] = {}
    body: Any = ""
    delay_seconds: float = Field(default=0.0, ge=0)
    times: int = Field(default=0, ge=0)
    abort: bool = False
    replace: dict[str, str] = {}

    def build(self) -> Fault:
        """A text body goes out as it is, anything else as JSON."""
        match = FaultMatch(self.match.method, self.match.path, self.match.directory, self.match.nth)
        body = self.body if isinstance(self.body, str) else encode(self.body).decode()
        return Fault(
            0,
            match,
            self.status,
            self.headers,
            body,
            self.delay_seconds,
            self.times,
            self.abort,
            self.replace,
        )


class SettingsModel(_Model):
    """What is not named stays as it is."""

    quota: int | None = Field(default=None, ge=1)
    graph_lag_seconds: float | None = Field(default=None, ge=0)
    graph_versions: dict[str, str] | None = None  # by lower-cased type
    page_size: int | None = Field(default=None, ge=1)
    empty_pages: int | None = Field(default=None, ge=0)
    throttle: bool | None = None
    directory_lag_seconds: float | None = Field(default=None, ge=0)
    token_lifetime_seconds: float | None = Field(default=None, ge=1)
    vault_principals: list[str] | None = None


class TokenModel(_Model):
    directory_id: str
    audience: str
    claims: dict[str, Any] = {}
    lifetime_seconds: float | None = None


class RotationModel(_Model):
    """Entra ID signs with a new key, which is on its list or not yet; the earlier ones stay there or go."""

    publish: bool = True
    withdraw: bool = False
