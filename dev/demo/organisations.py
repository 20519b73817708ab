"""The two organisations of the demo, and the edits that make them drift: each with what must be found, or that nothing
must be. The simulated Azure knows them; the product learns of them through its API alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dev.azure.admin import AzureAdmin
from dev.azure.world import build_world


@dataclass(frozen=True, slots=True)
class Organisation:
    name: str
    directory_id: str
    client_id: str
    application_object_id: str
    secret: str
    admin_object_id: str
    admin: str
    colleagues: tuple[tuple[str, str, str], ...]  # (object id, name, role), whom the admin adds
    subscriptions: tuple[tuple[str, str], ...]  # (id, name)


CONTOSO = Organisation(
    name="contoso",
    directory_id="c0c0c0c0-1111-4111-8111-000000000001",
    client_id="c0c0c0c0-2222-4222-8222-000000000001",
    application_object_id="c0c0c0c0-3333-4333-8333-000000000001",
    secret="contoso-demo-secret",  # noqa: S106 - of a simulated directory
    admin_object_id="c0c0c0c0-4444-4444-8444-000000000001",
    admin="Ada (contoso)",
    colleagues=(
        ("c0c0c0c0-4444-4444-8444-000000000002", "Olga (contoso)", "operator"),
        ("c0c0c0c0-4444-4444-8444-000000000003", "Vera (contoso)", "viewer"),
    ),
    subscriptions=(
        ("c0c0c0c0-5555-4555-8555-000000000001", "contoso-production"),
        ("c0c0c0c0-5555-4555-8555-000000000002", "contoso-test"),
    ),
)
FABRIKAM = Organisation(
    name="fabrikam",
    directory_id="fab00000-1111-4111-8111-000000000001",
    client_id="fab00000-2222-4222-8222-000000000001",
    application_object_id="fab00000-3333-4333-8333-000000000001",
    secret="fabrikam-demo-secret",  # noqa: S106 - of a simulated directory
    admin_object_id="fab00000-4444-4444-8444-000000000001",
    admin="Finn (fabrikam)",
    colleagues=(),
    subscriptions=(("fab00000-5555-4555-8555-000000000001", "fabrikam-main"),),
)
ORGANISATIONS = (CONTOSO, FABRIKAM)
OPERATOR_OBJECT_ID = "0be7a7e0-4444-4444-8444-000000000001"
OPERATOR = "Pia (platform)"


async def furnish(admin: AzureAdmin, organisation: Organisation) -> int:
    """Puts an organisation into the simulated Azure and returns how many resources it has there."""
    await admin.put_directory(
        organisation.directory_id,
        name=organisation.name,
        applications=[
            {
                "clientId": organisation.client_id,
                "objectId": organisation.application_object_id,
                "name": "drift reader",
                "secrets": [organisation.secret],
            }
        ],
    )
    resources = 0
    for subscription_id, name in organisation.subscriptions:
        await admin.put_subscription(
            subscription_id,
            directory_id=organisation.directory_id,
            displayName=name,
            readers=[organisation.application_object_id],
        )
        world: list[dict[str, Any]] = list(build_world(name, subscription_id, seed=7, scale=1))
        resources += await admin.add_resources(world)
    return resources
