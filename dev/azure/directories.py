"""Who exists: directories with their applications, subscriptions with who may read them."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Secret:
    value: str
    expires: float | None = None  # seconds since the epoch


@dataclass(frozen=True, slots=True)
class FederatedCredential:
    issuer: str
    subject: str
    audience: str


@dataclass(frozen=True, slots=True)
class Application:
    """An application in one directory; without credentials it is the service principal of one registered elsewhere."""

    client_id: str
    object_id: str
    name: str
    secrets: tuple[Secret, ...] = ()
    certificates: tuple[str, ...] = ()
    federated_credentials: tuple[FederatedCredential, ...] = ()

    @property
    def has_credentials(self) -> bool:
        return bool(self.secrets or self.certificates or self.federated_credentials)


@dataclass(slots=True)
class Directory:
    id: str
    name: str
    applications: dict[str, Application] = field(default_factory=dict)  # by lower-cased client id


@dataclass(frozen=True, slots=True)
class Denial:
    """What one principal may not read although it may read the rest of the subscription."""

    object_id: str
    resource_type: str = ""
    resource_group: str = ""

    def covers(self, object_id: str, resource_type: str, resource_group: str) -> bool:
        if self.object_id.lower() != object_id.lower():
            return False
        if self.resource_type and self.resource_type.lower() != resource_type.lower():
            return False
        return not self.resource_group or self.resource_group.lower() == resource_group.lower()


@dataclass(frozen=True, slots=True)
class Subscription:
    id: str
    directory_id: str
    display_name: str
    state: str = "Enabled"
    readers: frozenset[str] = frozenset()
    writers: frozenset[str] = frozenset()
    denied: tuple[Denial, ...] = ()
    delegated_to: frozenset[str] = frozenset()  # object ids of another directory (Lighthouse)

    def may_read(self, object_id: str) -> bool:
        folded = object_id.lower()
        return folded in self.readers or folded in self.writers or folded in self.delegated_to

    def may_write(self, object_id: str) -> bool:
        return object_id.lower() in self.writers

    def is_denied(self, object_id: str, resource_type: str, resource_group: str) -> bool:
        return any(one.covers(object_id, resource_type, resource_group) for one in self.denied)


@dataclass(frozen=True, slots=True)
class ManagedIdentity:
    client_id: str
    object_id: str
    directory_id: str
    header: str  # what the platform puts in IDENTITY_HEADER, so that only the app can ask


class Register:
    """Directories and subscriptions by id."""

    def __init__(self, home: ManagedIdentity) -> None:
        self.identity = home
        self.directories: dict[str, Directory] = {
            home.directory_id: Directory(home.directory_id, "Home")
        }
        self.subscriptions: dict[str, Subscription] = {}

    def directory(self, directory_id: str) -> Directory | None:
        return self.directories.get(directory_id.lower())

    def subscription(self, subscription_id: str) -> Subscription | None:
        return self.subscriptions.get(subscription_id.lower())

    def registrations(self, client_id: str) -> list[Application]:
        """The application in every directory that knows it."""
        found = (one.applications.get(client_id.lower()) for one in self.directories.values())
        return [application for application in found if application is not None]

    def readable(self, directory_id: str, object_id: str) -> list[Subscription]:
        """Own subscriptions of the directory, and those delegated to the principal from elsewhere."""
        return [
            one
            for one in self.subscriptions.values()
            if one.may_read(object_id)
            and one.state != "Deleted"
            and (one.directory_id == directory_id or object_id.lower() in one.delegated_to)
        ]
