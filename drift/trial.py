"""The connection test: everything a scan needs, line by line, each failure with what is missing and what to do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from drift import remedies
from drift.arm import Arm, open_arm
from drift.collect import (
    READ_ACTION,
    SeenSubscription,
    SubscriptionReader,
    list_directories,
    list_subscriptions,
)
from drift.connection import Identity, sign_in
from drift.remedies import Remedy
from drift.subscriptions import subscriptions
from errors import DriftError, Refused, Unreadable
from tenancy.access import TenantContext
from tenancy.connections import Connection, ConnectionKind, get_connection

PAGE = 1000  # rows of one answer of Resource Graph
HISTORY = "resourcechanges | project id | order by id asc"
RESOURCES = "resources | project id | order by id asc"


@dataclass(frozen=True, slots=True)
class TestLine:
    """One step. Of a failing one: the permission that is missing, what to do, and the command that does it."""

    step: str
    ok: bool
    detail: str
    permission: str = ""
    fix: str = ""
    command: str = ""


@dataclass(frozen=True, slots=True)
class _Trial:
    context: TenantContext
    connection: Connection
    identity: Identity
    arm: Arm

    def failed(
        self, step: str, detail: str, permission: str = "", subscription: str = ""
    ) -> TestLine:
        remedy = remedies.of_access(
            self.connection,
            self.context.deployment.settings,
            subscription_id=subscription or "SUBSCRIPTION-ID",
            object_id=self.identity.object_id,
        )
        return _failed(step, detail, remedy, permission)


async def try_connection(context: TenantContext) -> list[TestLine]:
    """Token, directory, subscriptions, and of each: read, Resource Graph, change history. Stops where the rest cannot
    work either."""
    settings = context.deployment.settings
    connection = await get_connection(context.store)
    credential = await context.credential()
    try:
        identity = await sign_in(credential.token_source, settings.arm_scope)
    except Refused as error:
        remedy = remedies.of_sign_in(error.message, connection, settings)
        return [_failed("token", error.message, remedy)]
    detail = f"Entra ID signs the {connection.kind} connection in."
    trial = _Trial(context, connection, identity, open_arm(context, credential))
    return [TestLine("token", True, detail), *[line async for line in _rest(trial)]]


async def _rest(trial: _Trial) -> AsyncIterator[TestLine]:
    directory = await _try_directory(trial)
    yield directory
    if not directory.ok:
        return
    try:
        listed = await list_subscriptions(trial.arm)
    except DriftError as error:
        yield trial.failed("subscriptions", error.message, READ_ACTION)
        return
    if not listed:
        yield trial.failed("subscriptions", "The connection sees no subscription.", READ_ACTION)
    else:
        yield TestLine("subscriptions", True, f"{len(listed)} subscriptions are visible.")
    for seen in listed:
        async for line in _try_subscription(trial, seen):
            yield line
    visible = {seen.subscription_id for seen in listed}
    async for known in subscriptions(trial.context.store):
        if known.monitored and known.subscription_id not in visible:
            name = f"{known.name or known.subscription_id}: read"
            detail = "It is monitored, and the connection does not see it any more."
            yield trial.failed(name, detail, READ_ACTION, known.subscription_id)


async def _try_directory(trial: _Trial) -> TestLine:
    """Whether the token reaches the directory that the connection names. A delegated identity stays in its own."""
    wanted = trial.connection.directory_id
    if trial.connection.kind is ConnectionKind.LIGHTHOUSE:
        detail = f"Only delegated subscriptions of directory {wanted} are read."
        return TestLine("directory", True, detail)
    try:
        directories = await list_directories(trial.arm)
    except DriftError as error:
        return _failed("directory", error.message, Remedy("Azure did not say. Try again later."))
    if wanted not in directories:
        remedy = Remedy("Set the connection again with the directoryId of the subscriptions.")
        return _failed("directory", f"The token is not of directory {wanted}.", remedy)
    own = trial.context.tenant.directory_id
    detail = f"The connection is to directory {wanted}"
    return TestLine(
        "directory",
        True,
        f"{detail}." if wanted == own else f"{detail}; the tenant's own is {own}.",
    )


async def _try_subscription(trial: _Trial, seen: SeenSubscription) -> AsyncIterator[TestLine]:
    reader = SubscriptionReader(trial.arm, seen.subscription_id)
    steps: dict[str, Callable[[], Awaitable[str]]] = {
        "read": partial(_probe, reader),
        "resource graph": partial(_try_resources, reader),
        "change history": partial(_try_history, reader),
    }
    for step, run in steps.items():
        name = f"{seen.name or seen.subscription_id}: {step}"
        try:
            detail = await run()
        except Unreadable as error:
            missing = error.permission or READ_ACTION
            yield trial.failed(name, error.message, missing, seen.subscription_id)
        except DriftError as error:
            yield _failed(name, error.message, Remedy("Azure did not answer. Try again later."))
        else:
            yield TestLine(name, True, detail)
            continue
        if step == "read":  # the rest cannot work either
            return


async def _probe(reader: SubscriptionReader) -> str:
    await reader.probe()
    return f"{reader.subscription_id} can be read."


async def _try_resources(reader: SubscriptionReader) -> str:
    return f"Resource Graph shows {_count(await _first_page(reader, RESOURCES))} resources."


async def _try_history(reader: SubscriptionReader) -> str:
    """An answer without rows is no failure: a quiet subscription has no changes."""
    count = _count(await _first_page(reader, HISTORY))
    return f"resourcechanges holds {count} changes of the last 14 days."


async def _first_page(reader: SubscriptionReader, query: str) -> int:
    async for page in reader.query(query):
        return len(page)
    return 0


def _count(rows: int) -> str:
    return f"{rows} or more" if rows >= PAGE else str(rows)


def _failed(step: str, detail: str, remedy: Remedy, permission: str = "") -> TestLine:
    return TestLine(step, False, detail, permission, remedy.words, remedy.command)
