"""The services that the app lives on: its settings, an identity, tables, queues, the vault."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from azure.core.exceptions import AzureError

from dev.doctor.verdicts import Verdict, bad, explain, good
from settings import SettingError, Settings, read_settings
from tenancy.deployment import Deployment
from tenancy.queues import Queue
from tenancy.store import Table
from tenancy.tenants import PLATFORM

STORAGE_SCOPE = "https://storage.azure.com/.default"
PROBE = "drift-doctor"
POISON = "-poison"


def check_settings(environment: Mapping[str, str]) -> tuple[Verdict, Settings | None]:
    try:
        settings = read_settings(environment)
    except SettingError as error:
        fix = "azd env refresh, or set it: README.md has all settings"
        return bad("settings", str(error), fix), None
    return good("settings", "complete, and none contradicts another."), settings


async def check_identity(deployment: Deployment) -> Verdict:
    """Whoever runs the doctor; that the app's own identity works is seen from last-tick."""
    try:
        await deployment.identity.get_token(STORAGE_SCOPE)
    except AzureError as error:
        return explain("identity", error)
    return good("identity", "it gets tokens.")


async def check_tables(deployment: Deployment) -> Verdict:
    try:
        async with deployment._table_service() as service:
            found = {table.name async for table in service.list_tables()}
    except AzureError as error:
        return explain("tables", error)
    wanted = {*(table.value for table in Table), PLATFORM}
    return good(
        "tables",
        f"{len(wanted & found)} of {len(wanted)} are there; the app makes the others when it needs them."
        if wanted - found
        else f"all {len(wanted)} are there.",
    )


async def check_queues(deployment: Deployment) -> Verdict:
    """A message that stays on a poison queue means that nobody tells its tenant."""
    wanted = {name for queue in Queue for name in (queue.value, queue.value + POISON)}
    waiting: dict[str, int] = {}
    try:
        async with deployment._queue_service() as service:
            async for queue in service.list_queues():
                if queue.name in wanted:
                    properties = await service.get_queue_client(queue.name).get_queue_properties()
                    waiting[str(queue.name)] = properties.approximate_message_count or 0
    except AzureError as error:
        return explain("queues", error)
    stuck = {name: count for name, count in waiting.items() if name.endswith(POISON) and count}
    if stuck:
        which = ", ".join(f"{name} holds {count}" for name, count in sorted(stuck.items()))
        fix = "see that the app runs (address, last-tick): its *_poison functions take them off"
        return bad("queues", f"{which}.", fix)
    if wanted - waiting.keys():
        missing = ", ".join(sorted(wanted - waiting.keys()))
        return bad(
            "queues", f"{missing} missing.", "azd provision makes them; so does the app's start"
        )
    return good("queues", f"all {len(wanted)} are there, {sum(waiting.values())} messages wait.")


async def check_vault(deployment: Deployment) -> Verdict:
    """Writes, reads and deletes a probe of its own. A vault with purge protection keeps the deleted probe a while."""
    name, value = f"{PROBE}-{secrets.token_hex(8)}", secrets.token_hex(16)
    try:
        async with deployment._secret_client() as client:
            await client.set_secret(name, value)
            kept = (await client.get_secret(name)).value
            await client.delete_secret(name)
    except AzureError as error:
        return explain("vault", error)
    if kept != value:
        return bad("vault", "it gave back another value than was kept.", "ask Azure support")
    return good("vault", "a probe secret was kept, read and deleted.")
