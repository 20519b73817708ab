"""Two tenants at once in one process: nothing of a request, a message or a credential stays for the next one. D08, D09,
E07, E10."""

from __future__ import annotations

import ast
import asyncio
import random
import re

import httpx2 as httpx
import pytest

from tests.drift.host import Host
from tests.isolation.cast import Cast
from tests.isolation.conftest import WatchNew
from tests.isolation.planted import Cellar, Planted, bare, readable
from tests.isolation.watch import Watch
from tests.source import module_name, parse, product

REQUESTS = 1000
AT_ONCE = 40
PATHS = (
    "/api/me",
    "/api/settings",
    "/api/rules",
    "/api/users",
    "/api/subscriptions",
    "/t/{tenant_id}/settings",
)

# Functions whose answers the whole process shares, and why none of them is a tenant's.
SHARED = {
    "function_app.deployment": "the connections of the deployment; takes nothing",
    "function_app.http": "the one app; takes nothing",
    "drift.channels.posting.trust": "the machine's certificates; takes nothing",
    "web.assets.address": "where a file of the package is published; takes its name",
    "web.assets.published": "the files of the package",
    "web.rendering.environment": "the templates of the package; takes nothing",
    "web.report_file.style": "a file of the package; takes nothing",
    "drift.engine.*": "pure: what they are asked with decides alone, and no key is among it",
}
# Memory between requests in the layers that know tenants. Each is keyed by tenant, or holds nothing of one.
MEMORIES = {
    "tenancy.blobs.Blobs._ready": "names of containers, one a tenant",
    "tenancy.connections.Credentials._known": "by tenant",
    "tenancy.rates.Rates._shares": "by tenant and principal",
    "tenancy.signing_keys.SigningKeys._keys": "public keys of the cloud",
    "tenancy.sightings.Sightings._known": "by tenant, principal, way and role",
    "tenancy.store.Tables._ready": "names of tables",
    "tenancy.usage.Usage._tallies": "by tenant",
    "tenancy.vault.Vault._cache": "by tenant and secret",
}


@pytest.mark.usefixtures("watch")
async def test_d09_thousand_interleaved_requests_never_mix(
    wire: httpx.AsyncClient, cast: Cast, own: Planted, foreign: Planted
) -> None:
    order = random.Random(9)
    free = asyncio.Semaphore(AT_ONCE)

    async def ask(one: Planted, other: Planted, path: str) -> None:
        async with free:
            where = path.format(tenant_id=one.tenant_id)
            answer = await wire.get(where, headers=cast.headers("admin", one))
        assert answer.status_code == 200, answer.text
        assert one.canary in answer.text, path
        assert [text for text in other.canaries if text in answer.text] == [], path

    pairs = ((own, foreign), (foreign, own))
    tries = [ask(*order.choice(pairs), order.choice(PATHS)) for _ in range(REQUESTS)]
    await asyncio.gather(*tries)


async def test_e07_messages_of_two_tenants_in_one_batch_stay_apart(
    quiet: Host, cellar: Cellar, watch_new: WatchNew
) -> None:
    """Each subscription is read with its own tenant's identity, and rows of one name nothing of the other."""
    both = [bare(await watch_new(f"canary-{number}-batch"), "") for number in range(2)]
    for one in both:
        await one.watched.add(one.watched.account(f"st{one.tenant_id[:8]}"), one.watched.lock())
    azure = both[0].watched.azure
    await azure.clear_requests()
    for _ in range(2):
        for one in both:
            await one.watched.request_scan()
    assert await quiet.drain() == []
    log = (await azure.requests())["log"]
    for one, other in (both, both[::-1]):
        scans = await one.watched.api.every("/api/scans")
        assert "complete" in {scan["status"] for scan in scans}
        identity = one.watched.organisation.object_id
        mine = [line for line in log if one.ids["subscription_id"] in line["path"]]
        assert {line["principal"] for line in mine} == {identity}
        found = "".join(readable(await cellar.state_of(one.tenant_id)).values())
        for text in {*other.ids.values(), f"st{other.tenant_id[:8]}"}:
            assert text not in found


async def test_e10_credential_is_of_one_tenant_and_generation(
    watch: Watch, own: Planted, foreign: Planted
) -> None:
    """Both tenants in one process: two objects, and a changed connection is a third."""
    credentials = watch.cellar.deployment.credentials
    for one in (own, foreign):
        await one.watched.http.post("/api/connection/test")
    known = credentials._known
    mine, theirs = known[own.tenant_id], known[foreign.tenant_id]
    assert mine.credential.token_source is not theirs.credential.token_source
    assert mine.generation != theirs.generation
    (await own.watched.put_connection()).raise_for_status()
    await own.watched.http.post("/api/connection/test")
    assert known[own.tenant_id].credential.token_source is not mine.credential.token_source
    assert known[foreign.tenant_id] is theirs


def cached_functions() -> set[str]:
    found = set()
    for module, file in product().items():
        for node in ast.walk(parse(file)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for decorator in node.decorator_list:
                    if re.search(r"\b(lru_)?cache\b", ast.unparse(decorator)):
                        found.add(f"{module}.{node.name}")
    return found


def memories() -> set[str]:
    """Attributes that are made as an empty collection and live as long as their object, outside the engine."""
    found = set()
    for module, file in product().items():
        if module.split(".")[0] not in {"tenancy", "api"}:
            continue
        for kind in (node for node in ast.walk(parse(file)) if isinstance(node, ast.ClassDef)):
            for node in (one for one in ast.walk(kind) if isinstance(one, ast.AnnAssign)):
                target, made_of = ast.unparse(node.target), ast.unparse(node.annotation)
                collection = re.match(r"(dict|set|OrderedDict|defaultdict)\[", made_of)
                if target.startswith("self.") and collection:
                    found.add(f"{module}.{kind.name}.{target[5:]}")
    return found


def test_d08_nothing_is_remembered_without_its_tenant() -> None:
    shared = {name for name in cached_functions() if not name.startswith("drift.engine.")}
    assert shared == {name for name in SHARED if not name.endswith("*")}, (
        "say why it is no tenant's"
    )
    assert memories() == set(MEMORIES), "say whose it is"


def test_d08_memories_of_tenants_have_the_tenant_in_their_key() -> None:
    for name, why in MEMORIES.items():
        module, kind, attribute = name.rsplit(".", 2)
        text = product()[module].read_text(encoding="utf-8")
        line = next(one for one in text.splitlines() if f"self.{attribute}:" in one)
        assert kind in text
        assert "TenantId" in line or not why.startswith("by tenant"), line
        assert module_name(product()[module]) == module
