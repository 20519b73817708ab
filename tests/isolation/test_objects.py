"""B: ids, tenants and paths, spelled in every way that may lead somewhere else."""

from __future__ import annotations

import asyncio
import json
import uuid
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx2 as httpx
import pytest

from dev.demo.client import Product
from tests.isolation.cast import Cast
from tests.isolation.planted import Planted, shown
from tests.isolation.policy import ANY_ETAG, FORM, LINES, Line
from tests.isolation.proxy import Shaky
from tests.isolation.watch import Watch

REFUSED = {400, 404, 405, 422}
OPEN_LISTS = [
    line for line in LINES.values() if line.lets_in("admin") and line.path.count("{") == 0
    if line.method == "GET" and line.audience not in {"anybody", "signed-in"}
]  # fmt: skip
WITH_PATH_IDS = [line for line in LINES.values() if any(one == "path" for one, _ in line.spots())]
LITERALS = (
    "{tenant_id}", ":id", "*", "all", "AllTenants", "null", "undefined", "%20", "-", "%00", "0", "true", "$all",
)  # fmt: skip
SPELLINGS = (
    lambda guid: guid.upper(),
    lambda guid: "{" + guid + "}",
    lambda guid: guid.replace("-", ""),
    lambda guid: f"urn:uuid:{guid}",
    lambda guid: guid.translate({ord("0") + n: 0x660 + n for n in range(10)}),  # Arabic-Indic
    lambda guid: guid.translate({ord("0") + n: 0xFF10 + n for n in range(10)}),  # full-width
    lambda guid: f"{guid};x=1",
    lambda guid: f"{guid}%00",
    lambda guid: f"{guid}\u200b",
)
PATHS = (
    "/api/findings/",
    "//api/findings",
    "/api//findings",
    "/api/findings;x=1",
    "/api/findings%2f",
    "/API/findings",
    "/api/./findings",
    "/api/me/../findings",
    "/api/%2e%2e/api/findings",
    "/api/findings/..;/users",
    "/api\\findings",
    "/api/findings%00",
    "/api/findings%20",
    "http://127.0.0.1/api/findings",
    "/%61pi/findings/",
    "/.",
    "*",
)


def named(line: Line) -> str:
    return line.name


def with_body(line: Line) -> bool:
    return isinstance(line.body, dict)


async def raw(
    url: str, method: str, target: str, headers: dict[str, str], body: str = ""
) -> tuple[int, str]:
    """One request with exactly these bytes as its target: clients tidy paths up. Status, and all of the answer."""
    where = urlsplit(url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    lines = [f"{method} {target} HTTP/1.1", f"Host: {where.netloc}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {len(body)}"] if body else []
    writer.write(("\r\n".join(lines) + "\r\n\r\n" + body).encode())
    answer = (await reader.read()).decode()
    writer.close()
    return int(answer.split(" ")[1]), answer


@pytest.mark.parametrize("other", ["query", "body", "header"])
async def test_b03_tenant_is_named_in_one_place(
    watch: Watch, cast: Cast, own: Planted, foreign: Planted, other: str
) -> None:
    """Path against header is refused (test_hostile_requests). In other places no tenant is looked for."""
    headers = cast.headers("admin", own)
    for line in OPEN_LISTS:
        wanted = await watch.ask(line, own.ids, headers)
        made = line.request(own.ids)
        added = {"tenantId": foreign.tenant_id, "tenant_id": foreign.tenant_id}
        if other == "query":
            made["params"] = dict(made["params"]) | added
        elif other == "body":
            made["json"] = added
        else:
            for name in ("Cookie", "X_Tenant_Id", "X-Forwarded-Tenant", "X-Tenant"):
                made["headers"][name] = foreign.tenant_id
        made["headers"] |= headers
        answer = watch.look(await watch.wire.request(**made), line.name)
        if answer.status_code not in REFUSED:
            assert answer.status_code == wanted.status_code, line.name
            assert own.canary not in wanted.text or own.canary in answer.text, line.name


async def test_b04_tenant_named_twice_is_refused_in_either_order(
    watch: Watch, cast: Cast, own: Planted, foreign: Planted
) -> None:
    sign_in = cast.headers("admin", own)["X-MS-CLIENT-PRINCIPAL"]
    for pair in ((own, foreign), (foreign, own)):
        for name in ("X-Tenant-Id", "x-tenant-id"):
            headers = [("X-MS-CLIENT-PRINCIPAL", sign_in)]
            headers += [(name, one.tenant_id) for one in pair]
            for line in OPEN_LISTS:
                answer = await watch.wire.get(line.path, headers=headers)
                assert watch.look(answer).status_code == 422, line.name


async def string_parameters(wire: httpx.AsyncClient) -> list[tuple[str, str]]:
    """(path, query parameter) of every list that takes text."""
    paths = (await wire.get("/api/openapi.json")).json()["paths"]
    return [
        (path, one["name"])
        for path, methods in paths.items()
        for one in methods.get("get", {}).get("parameters", ())
        if one.get("in") == "query" and "{" not in path  # shared ones ($ref) are headers
    ]


@pytest.mark.parametrize(
    "text",
    [
        "tenant_id ne ''",
        "x' or PartitionKey ne '' or 'a' eq 'a",
        "{canary}",
    ],
)
async def test_b06_d01_no_filter_widens_a_list(
    watch: Watch, cast: Cast, own: Planted, foreign: Planted, text: str
) -> None:
    headers = cast.headers("admin", own)
    for path, name in [
        *await string_parameters(watch.wire),
        ("/api/findings", "$filter"),
        ("/api/users", "search"),
    ]:
        params = {name: text.replace("{canary}", foreign.canary)}
        answer = await watch.wire.get(path, params=params, headers=headers)
        assert answer.status_code in {200, 404, 422}, (path, name)
        asked = {foreign.canary} if text == "{canary}" else set()  # which the caller knew
        held = [one for one in foreign.canaries - asked if one in answer.text]
        assert held == [], (path, name)


async def test_b10_operation_of_another_leads_nowhere(
    watch: Watch, cast: Cast, own: Planted, foreign: Planted
) -> None:
    """The operation of a tenant's making is its id; the status of a scan is a route of the matrix."""
    line = LINES["POST /api/tenants"]
    headers = cast.headers("admin", own) | {"Operation-Id": str(uuid.uuid4())}
    assert (await watch.ask(line, foreign.ids, headers)).status_code == 404
    lists = await watch.ask(LINES["GET /api/scans"], own.ids, cast.headers("admin", own))
    assert foreign.ids["scan_id"] not in lists.text


async def test_b11_deleting_again_tells_nothing(
    watch: Watch, cast: Cast, own: Planted, foreign: Planted
) -> None:
    for line in LINES.values():
        if line.method != "DELETE" or line.path == "/api/connection":
            continue
        for role, ids in (
            ("neighbour", foreign.ids),
            ("admin", foreign.ids | {"tenant_id": own.tenant_id}),
        ):
            headers = cast.headers(role, own if role == "admin" else foreign)
            answers = [await watch.ask(line, ids, headers) for _ in range(3)]
            assert [one.status_code for one in answers] == [404] * 3, line.name
            assert len({one.content for one in answers}) == 1


@pytest.mark.parametrize("path", ["/api/settings", "/t/{}/settings"])
async def test_b12_absent_and_foreign_cost_the_same(
    shaky: Shaky, watch: Watch, cast: Cast, foreign: Planted, path: str
) -> None:
    """No clock: storage is asked the same number of times, so the time can tell nothing either."""
    tables = shaky.proxies[0]

    async def cost(role: str, tenant_id: str) -> int:
        headers = cast.headers(role, foreign) | {"X-Tenant-Id": tenant_id}
        tables.asked.clear()
        answer = await shaky.client.get(path.format(tenant_id), headers=headers)
        assert watch.look(answer).status_code == 404
        return len(tables.asked)

    for role in ("stranger", "neighbour", "daemon", "impostor"):
        await cost(role, foreign.tenant_id)  # the first request meets tables
        costs = [
            await cost(role, one)
            for one in (foreign.tenant_id, str(uuid.uuid4()), cast.shut["deleted"].tenant_id)
        ]
        assert len(set(costs)) == 1, (role, costs)


async def test_b13_etags_of_others_are_no_oracle(
    watch: Watch, cast: Cast, own: Planted, foreign: Planted
) -> None:
    api = foreign.watched.api
    real = (await api.request("GET", f"/api/rules/{foreign.ids['rule_id']}"))["etag"]
    headers = cast.headers("admin", own)
    for line in WITH_PATH_IDS:
        if line.audience == "platform":
            continue
        ids = foreign.ids | {"tenant_id": own.tenant_id}
        answers = []
        for etag in (real, ANY_ETAG, "*"):
            conditions = {"If-Match": etag, "If-None-Match": etag}
            answers.append(await watch.ask(line, ids | {"etag": etag}, headers | conditions))
        found = [one.status_code for one in answers]
        assert found[:2] == [404, 404], line.name
        assert 304 not in found
        assert shown(answers[0]) == shown(answers[1])


@pytest.mark.parametrize("line", WITH_PATH_IDS, ids=named)
async def test_b14_b15_b16_id_has_one_spelling(
    watch: Watch, url: str, cast: Cast, own: Planted, foreign: Planted, line: Line
) -> None:
    headers = cast.headers("inside" if line.audience == "platform" else "admin", own)
    good = line.request(own.ids)
    headers = good["headers"] | headers
    body = json.dumps(good["json"]) if "json" in good else urlencode(good.get("data", {}), True)
    headers |= {"Content-Type": FORM if "data" in good else "application/json"}
    place, name = next(spot for spot in line.spots() if spot[0] == "path")
    theirs = foreign.ids[name]
    tricks = (
        f"{theirs}/../{theirs}", f"..%2f{theirs}", f"%2e%2e/{theirs}", f"..%252f{theirs}", f"/{theirs}", f"{theirs}\\",
    )  # fmt: skip
    odd = [*LITERALS, *(spell(theirs) for spell in SPELLINGS), *tricks]
    if line is not next(one for one in WITH_PATH_IDS if name in str(list(one.spots()))):
        odd = odd[::4]  # one line has them all; the type of an id is the same everywhere
    targets = [line.request(own.ids, (place, name, value))["url"] for value in odd]
    answers = await asyncio.gather(
        *(raw(url, line.method, target.replace(" ", "%20"), headers, body) for target in targets)
    )
    for value, (status, answer) in zip(odd, answers, strict=True):
        assert status in REFUSED, (value, answer)
        assert [one for one in foreign.canaries if one in answer] == [], value


async def test_b16_tenant_has_one_spelling(
    watch: Watch, url: str, cast: Cast, own: Planted
) -> None:
    headers, platform = cast.headers("admin", own), cast.headers("outside", own)
    for spell in SPELLINGS:
        spelled = spell(own.tenant_id)
        answer = await raw(url, "GET", "/api/settings", headers | {"X-Tenant-Id": spelled})
        assert answer[0] == 422, spelled
        assert (await raw(url, "GET", f"/api/tenants/{spelled}", platform))[0] in REFUSED


async def test_b15_path_has_one_spelling(
    watch: Watch, url: str, cast: Cast, own: Planted, foreign: Planted
) -> None:
    """Nothing answers for another spelling, and no redirect says where a forged Host leads."""
    headers = cast.headers("neighbour", foreign)
    for target in PATHS:
        status, answer = await raw(url, "GET", target, headers)
        assert status in REFUSED, target
        assert [one for one in foreign.canaries if one in answer] == [], target
        forged = {"X-Forwarded-Host": "evil.example", "X-Original-URL": "/api/users"}
        assert "location:" not in (await raw(url, "GET", target, forged))[1].lower(), target


async def test_b17_other_methods_do_nothing(
    watch: Watch, cast: Cast, own: Planted, foreign: Planted
) -> None:
    known = {line.path for line in LINES.values()}
    methods = {path: {one.method for one in LINES.values() if one.path == path} for path in known}
    override = dict.fromkeys(
        ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"), "DELETE"
    )
    for path in known - {"/api/openapi.json"}:
        line = next(one for one in LINES.values() if one.path == path)
        made = line.request(foreign.ids)
        others = (
            {"HEAD", "TRACE"} if line.is_page else {"HEAD", "OPTIONS", "TRACE", "PROPFIND", "PURGE"}
        )
        for method in others - methods[path]:
            answer = await watch.wire.request(
                method, made["url"], headers=cast.headers("neighbour", foreign)
            )
            assert watch.look(answer).status_code == 405, (method, path)
        if "GET" in methods[path] and LINES[f"GET {path}"].lets_in("admin"):
            made = LINES[f"GET {path}"].request(own.ids)
            made["headers"] |= cast.headers("admin", own) | override
            answer = watch.look(await watch.wire.request(**made))
            assert answer.status_code in {200} | LINES[f"GET {path}"].also, path


async def test_b19_neighbours_of_an_id_lead_nowhere(
    watch: Watch, cast: Cast, own: Planted, foreign: Planted
) -> None:
    """An id that somebody counts up to is not enough, in the caller's tenant and in none."""
    assert uuid.UUID(own.tenant_id).version == uuid.UUID(foreign.tenant_id).version == 4
    headers = cast.headers("admin", own)
    for line in WITH_PATH_IDS:
        place, name = next(spot for spot in line.spots() if spot[0] == "path")
        value = foreign.ids[name]
        last = int(value[-4:], 16)
        near = [f"{value[:-4]}{(last + step) % 65536:04x}" for step in (-1, 1)]
        for one in near:
            answer = await watch.ask(line, own.ids, headers, foreign=(place, name, one))
            assert answer.status_code == 404, line.name


async def test_b20_what_is_open_to_all_names_no_tenant(
    watch: Watch, url: str, operator: Product, foreign: Planted
) -> None:
    for target in (
        "/",
        "/healthz",
        "/api/openapi.json",
        "/nothing",
        "/api/nothing",
        "/metrics",
        "/docs",
    ):
        for headers in ({}, {"X-Tenant-Id": foreign.tenant_id}):
            status, answer = await raw(url, "GET", target, headers)
            assert status in {200, 404}
            texts = foreign.canaries - ({foreign.tenant_id} if headers else set())
            assert [one for one in texts if one in answer] == [], target
    now = datetime.now(UTC)
    assert str(now.year) not in (await raw(url, "POST", "/healthz", {}))[1].split("\r\n\r\n")[1]


async def test_b09_upload_with_one_resource_of_another_stores_nothing(
    watch: Watch, cast: Cast, own: Planted, foreign: Planted, cellar: Any
) -> None:
    """The one request that takes many things at once: all or nothing."""
    mine = own.watched.account("mine")
    theirs = foreign.watched.account("alpha")
    body = {"source": "upload", "subscriptionId": own.ids["subscription_id"], "name": "x"}
    before = await cellar.state_of(own.tenant_id)
    for resources in ([mine, theirs], [theirs, mine]):
        made: dict[str, Any] = {"json": body | {"resources": resources}}
        answer: httpx.Response = await watch.wire.post(
            "/api/baselines", headers=cast.headers("admin", own), **made
        )
        assert answer.status_code == 422
        assert [one for one in foreign.texts if one in answer.text] == []
    assert await cellar.state_of(own.tenant_id) == before
