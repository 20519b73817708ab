"""Every route as every role, and with every id of another tenant. The cases are made from the policy."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping

import httpx2 as httpx
import pytest

from drift.backups.holdings import HOLDINGS
from tenancy.store import Table
from tests.isolation.cast import Cast
from tests.isolation.conftest import Settle
from tests.isolation.planted import MEMBERS, Cellar, Planted, readable, renew, shown
from tests.isolation.policy import CHILD_IDS, LINES, REACHED, ROLES, Line
from tests.isolation.watch import Watch

# Requests that are sent like a change and leave no entry in the audit trail of the tenant that is asked.
UNTOLD = {
    "POST /development/sign-in": "of no tenant",
    "POST /development/sign-out": "of no tenant",
    "POST /api/connection/test": "reads Azure",
    "POST /t/{tenant_id}/settings/connection/test": "reads Azure",
    "POST /platform/tenants/{tenant_id}/test": "reads Azure",
    "POST /api/rules/preview": "reads",
    "POST /t/{tenant_id}/rules/preview": "reads",
    "POST /t/{tenant_id}/rules/{rule_id}/preview": "reads",
    "POST /t/{tenant_id}/findings/decide": "the value that was seen is an old one here, and the answer says so",
    "POST /t/{tenant_id}/findings/views": "of whoever saves it alone",
    "POST /t/{tenant_id}/findings/views/remove": "the same",
    "POST /api/tenants/{tenant_id}/activate": "done before: the tenant is active",
    "POST /api/tenants": "told in the new tenant",
    "POST /platform/tenants/new": "told in the new tenant",
}
TENANT_ROLES = ("viewer", "operator", "application", "admin", "inside")
WITH_IDS = [line for line in LINES.values() if list(line.spots())]
ACCESSED = [line for line in LINES.values() if line.audience not in {"anybody", "signed-in"}]


def named(line: Line) -> str:
    return line.name


def absent(value: str) -> str:
    """An id of the same form that nothing has."""
    return f"{value[:-6]}00beef"


async def test_every_table_has_a_canary_in_it(watch: Watch, foreign: Planted) -> None:
    """What the other tests look for is there to be found."""
    found = readable(watch.before)
    assert set(found) == set(Table)
    ids_only = {Table.CONFIGURATION, Table.CONFIGURATION_HISTORY}
    for table in Table:
        wanted = foreign.ids["subscription_id"] if table in ids_only else foreign.canary
        assert wanted in found[table], table
    kinds = [kind for kind, *_ in watch.before]
    # The key, the connection's, the one that it replaced, and the channel's.
    assert kinds.count("secret") == 4
    assert kinds.count("message") >= 1
    assert kinds.count("index") >= 5  # five users, a subscription
    blobs = {key[2]: value[1] for key, value in watch.before.items() if key[0] == "blob"}
    assert len(blobs) == len(HOLDINGS) + 2  # the files of a backup, its manifest, an export
    for name, content in blobs.items():
        says = any(f"/{table}." in name for table in ids_only | {Table.PACK, Table.CONNECTION})
        assert says or foreign.canary in content, name
    values = [value[0] for (kind, *_), value in watch.before.items() if kind == "secret"]
    assert set(values) <= foreign.secrets


async def refused(watch: Watch, cast: Cast, foreign: Planted, line: Line, role: str) -> None:
    target, nowhere = cast.target(role, foreign), str(uuid.uuid4())
    ids = foreign.ids | {"tenant_id": target}
    headers = cast.headers(role, foreign)
    answer = await watch.ask(line, ids, headers)
    assert (role, answer.status_code) == (role, line.answers[role]), answer.text
    if answer.status_code == 404 and role not in MEMBERS:  # as if no tenant were there
        missing = {name: absent(value) for name, value in ids.items()}
        other = headers | {"X-Tenant-Id": nowhere}
        gone = await watch.ask(line, missing | {"tenant_id": nowhere}, other)
        assert (role, shown(answer)) == (role, shown(gone))


@pytest.mark.parametrize("line", ACCESSED, ids=named)
async def test_b01_b18_c01_c02_nobody_gets_further_than_the_policy_says(
    watch: Watch, cast: Cast, foreign: Planted, line: Line
) -> None:
    roles = [role for role in ROLES if not line.lets_in(role)]
    await asyncio.gather(*(refused(watch, cast, foreign, line, role) for role in roles))
    told = [(row["actor_name"], row["tenant_id"]) for row in await watch.denials()]
    named_one = line.audience != "platform" or "{tenant_id}" in line.path
    assert told == [(cast.own.canary, cast.own.tenant_id)] * named_one


@pytest.mark.parametrize("line", WITH_IDS, ids=named)
async def test_b02_b07_b08_ids_of_others_are_as_good_as_none(
    watch: Watch, cast: Cast, own: Planted, foreign: Planted, line: Line
) -> None:
    if line.audience == "platform":
        pytest.skip("no tenant's route: which subscription is shared is the platform's decision")
    for role in TENANT_ROLES:
        headers = cast.headers(role, own)
        for place, name in line.spots():
            theirs = foreign.ids[name]
            there = await watch.ask(line, own.ids, headers, foreign=(place, name, theirs))
            gone = await watch.ask(line, own.ids, headers, foreign=(place, name, absent(theirs)))
            case = (role, place, name)
            if not line.lets_in(role):
                assert (case, there.status_code) == (case, line.answers[role])
            elif place == "path":
                assert (case, there.status_code) == (case, 404)
            elif place != "query":  # 412: it was made for another state, whatever it names
                assert there.status_code in {404, 412}, case
            assert (case, shown(there, sent=theirs)) == (case, shown(gone, sent=absent(theirs)))


async def test_b05_lists_hold_nothing_of_others(watch: Watch, cast: Cast, own: Planted) -> None:
    for line in LINES.values():
        if line.method == "GET" and line.lets_in("admin"):
            answer = await watch.ask(line, own.ids, cast.headers("admin", own))
            assert answer.status_code in {200} | line.also, (line.name, answer.text)


async def end_to_end(
    cellar: Cellar,
    wire: httpx.AsyncClient,
    cast: Cast,
    planted: Planted,
    role: str,
    *,
    pages: bool,
) -> tuple[Mapping[str, int], set[str]]:
    """The statuses of all routes that are open to a role, with good requests in the policy's order, and the changes
    among them that were done and are not in the tenant's audit trail."""
    found, untold = {}, set()
    for line in LINES.values():
        if line.lets_in(role) and line.is_page == pages:
            before = await cellar.audit_of(planted.tenant_id) if line.changes else []
            made = line.request(planted.ids | {"tenant_id": cast.target(role, planted)})
            made["headers"] |= cast.headers(role, planted)
            answer = await wire.request(**made)
            found[line.name] = answer.status_code
            assert answer.status_code in REACHED | line.also, (line.name, answer.text)
            done = line.changes and answer.status_code < 300
            if done and len(await cellar.audit_of(planted.tenant_id)) == len(before):
                untold.add(line.name)
    return found, untold


@pytest.mark.parametrize("role", ROLES)
async def test_policy_lets_in_whom_it_says(
    cellar: Cellar,
    wire: httpx.AsyncClient,
    cast: Cast,
    lodging: Planted,
    settle: Settle,
    role: str,
) -> None:
    """The twin of the refusals: the same requests reach what they are for."""
    # A platform operator ends the tenant. From outside the API shows it nothing of what is in one.
    tenant = await settle() if role in {"inside", "outside"} else lodging
    for pages in (True, False):
        await renew(tenant)
        statuses, untold = await end_to_end(cellar, wire, cast, tenant, role, pages=pages)
        done = [name for name, status in statuses.items() if status < 300]
        assert len(done) > len(statuses) / 2
        assert untold <= UNTOLD.keys()


def test_every_id_of_the_policy_is_one_that_is_tried() -> None:
    known = {*CHILD_IDS, "tenant_id", "directory_id", "client_id", "new_id"}
    ids = dict.fromkeys(known, "x")
    for line in LINES.values():
        line.request(ids)  # KeyError: give tests/isolation/planted.py an id of that kind
