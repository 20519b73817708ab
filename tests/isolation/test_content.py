"""G: bodies and values that are too large, too deep or not what they seem; what they cost, and what the log says."""

from __future__ import annotations

import gzip
import json
import logging
import time
import tracemalloc
import zlib
from typing import Any

import httpx2 as httpx
import pytest
import zstandard

from api.depth import LARGEST_DEPTH
from drift.engine.packing import LARGEST_DOCUMENT, unpack
from errors import Corrupt
from tests.isolation.cast import Cast
from tests.isolation.planted import Cellar, Planted, readable
from tests.isolation.policy import ANY_ETAG, LINES
from tests.isolation.watch import Watch

MEGABYTE = 1024 * 1024
MOST_SECONDS = 20  # of this process, which is far from it; a hundredfold cost would be beyond it


async def upload(
    watch: Watch, cast: Cast, own: Planted, content: bytes, **headers: str
) -> httpx.Response:
    said = cast.headers("operator", own) | {"Content-Type": "application/json"} | headers
    started = time.process_time()
    answer = await watch.wire.post("/api/baselines", content=content, headers=said)
    assert time.process_time() - started < MOST_SECONDS
    return watch.look(answer)


def body_of(own: Planted, *resources: Any) -> bytes:
    given = {"source": "upload", "activate": False, "name": "x", "resources": list(resources)}
    return json.dumps(given | {"subscriptionId": own.ids["subscription_id"]}).encode()


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd", "br", "gzip, gzip"])
async def test_g01_compressed_body_is_not_unpacked(
    watch: Watch, cast: Cast, own: Planted, encoding: str
) -> None:
    """A few kilobytes that would be a many megabytes: nobody here unpacks a request."""
    bomb = b" " * (9 * MEGABYTE)
    packed = {
        "gzip": gzip.compress(bomb),
        "gzip, gzip": gzip.compress(gzip.compress(bomb)),
        "deflate": zlib.compress(bomb),
        "zstd": zstandard.compress(bomb),
        "br": b"\x1b\x00",
    }
    answer = await upload(watch, cast, own, packed[encoding], **{"Content-Encoding": encoding})
    assert answer.status_code in {400, 415, 422}


@pytest.mark.parametrize("declared", [True, False], ids=["declares its size", "does not"])
def test_g01_stored_pack_that_is_a_bomb_is_corrupt(declared: bool) -> None:
    compressor = zstandard.ZstdCompressor(write_content_size=declared)
    bomb = compressor.compress(b"\x00" * (300 * MEGABYTE))
    assert len(bomb) < MEGABYTE
    tracemalloc.start()
    with pytest.raises(Corrupt):
        unpack(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2.5 * LARGEST_DOCUMENT


def deep(depth: int) -> str:
    return '{"a":' * depth + "1" + "}" * depth


ODD = {
    "deep": deep(100_000),
    "deep list": "[" * 100_000 + "]" * 100_000,
    "fairly deep": deep(900),
    "NaN": '{"a": NaN}',
    "Infinity": '{"a": Infinity}',
    "1e999": '{"a": 1e999}',
    "long number": '{"a": ' + "9" * 5000 + "}",
    "surrogate": '{"a": "\\ud800"}',
    "surrogate name": '{"\\ud800": "a"}',
    "twice": '{"a": 1, "a": 2}',
}


@pytest.mark.parametrize("tags", ODD.values(), ids=ODD)
async def test_g02_g03_odd_document_is_refused_or_stored_as_it_is(
    watch: Watch, cast: Cast, cellar: Cellar, own: Planted, tags: str
) -> None:
    resource = {**own.watched.account("odd"), "tags": "TAGS"}
    content = body_of(own, resource).replace(b'"TAGS"', tags.encode())
    before = await cellar.rows_of(own.tenant_id)
    answer = await upload(watch, cast, own, content)
    if answer.status_code == 201:
        listed = await watch.wire.get(
            f"/api/baselines/{answer.json()['id']}/resources", headers=cast.headers("admin", own)
        )
        assert listed.status_code == 200
        assert len(listed.json()["value"]) == 1
    else:
        assert answer.status_code in {400, 413, 422}, answer.text
        assert await cellar.rows_of(own.tenant_id) == before


@pytest.mark.parametrize("tags", ODD.values(), ids=ODD)
async def test_g02_g03_odd_document_in_a_form_is_as_odd(
    watch: Watch, cast: Cast, cellar: Cellar, own: Planted, tags: str
) -> None:
    """A text area holds JSON that nobody parsed before: the limits of bodies hold for it too."""
    resource = json.dumps([{**own.watched.account("odd"), "tags": "TAGS"}]).replace('"TAGS"', tags)
    home, headers = f"/t/{own.tenant_id}/baselines", cast.headers("operator", own)
    made = {"source": "upload", "subscriptionId": own.ids["subscription_id"], "name": "x"}
    before = await cellar.rows_of(own.tenant_id)
    answer = await watch.wire.post(home, data=made | {"inventory": resource}, headers=headers)
    if watch.look(answer).status_code == 200:
        shown = await watch.wire.get(answer.headers["HX-Redirect"], headers=headers)
        assert shown.status_code == 200
        assert "odd" in shown.text
    else:
        assert answer.status_code == 422, answer.text
        assert await cellar.rows_of(own.tenant_id) == before
    edit = {"resource": resource[1:-1], "etag": ANY_ETAG}
    path = f"{home}/{own.ids['baseline_id']}/resources"
    answer = await watch.wire.post(path, data=edit, headers=headers)
    assert watch.look(answer).status_code in {412, 422}, answer.text


async def test_g02_json_in_a_form_is_as_deep_as_a_body_may_be(
    watch: Watch, cast: Cast, own: Planted
) -> None:
    path, headers = f"/t/{own.tenant_id}/baselines", cast.headers("operator", own)
    form = {"source": "upload", "inventory": deep(LARGEST_DEPTH + 1)}
    answer = watch.look(await watch.wire.post(path, data=form, headers=headers))
    assert answer.status_code == 422
    assert f"nested deeper than {LARGEST_DEPTH} levels" in answer.text


async def test_g03_body_over_the_limit_is_refused_before_it_is_read(
    watch: Watch, cast: Cast, own: Planted
) -> None:
    resource = {**own.watched.account("large"), "tags": {"a": "x" * (10 * MEGABYTE)}}
    answer = await upload(watch, cast, own, body_of(own, resource))
    assert answer.status_code == 413


async def test_g03_very_many_members_are_borne(watch: Watch, cast: Cast, own: Planted) -> None:
    many = {**own.watched.account("many"), "tags": {f"k{n}": "v" for n in range(30_000)}}
    answer = await upload(watch, cast, own, body_of(own, many))
    assert answer.status_code in {201, 413, 422}, answer.text


async def test_g04_ten_thousand_items_in_another_order_are_compared_in_seconds(
    watch: Watch, cast: Cast, own: Planted
) -> None:
    network = own.watched.network("wide")
    items = [
        {"name": f"s{n}", "properties": {"addressPrefix": f"10.0.{n}.0"}} for n in range(10_000)
    ]
    made = []
    for order in (items, items[::-1]):
        document = {**network, "properties": network["properties"] | {"subnets": order}}
        answer = await upload(watch, cast, own, body_of(own, document))
        assert answer.status_code == 201, answer.text
        made.append(answer.json()["id"])
    started = time.process_time()
    path = f"/api/baselines/{made[0]}/diff?to={made[1]}"
    answer = await watch.wire.get(path, headers=cast.headers("viewer", own))
    assert time.process_time() - started < MOST_SECONDS
    assert watch.look(answer).json()["value"] == []


@pytest.mark.parametrize(
    "pattern",
    ["/" + "(a+)+" * 50 + "$", "/" + "**/" * 12 + "x", "/" + "*a" * 12 + "b", "/" + "a" * 500, "/*/" * 100],
)  # fmt: skip
async def test_g04_pattern_of_a_rule_costs_little_or_is_refused(
    watch: Watch, cast: Cast, own: Planted, pattern: str
) -> None:
    line = LINES["POST /api/rules/preview"]
    made = line.request(own.ids)
    made["json"]["path"] = pattern
    started = time.process_time()
    answer = await watch.wire.request(
        **{**made, "headers": made["headers"] | cast.headers("operator", own)}
    )
    assert time.process_time() - started < 5
    assert watch.look(answer).status_code in {200, 422}


FORGED = 'x\r\n2026-01-01 CRITICAL forged\x1b[31m \u2028 "}, {"level": "ERROR'


async def test_g07_nobody_writes_lines_into_the_log(
    watch: Watch, cast: Cast, own: Planted, caplog: pytest.LogCaptureFixture
) -> None:
    """Messages of the log are constant; what people send is in fields of it or nowhere."""
    caplog.set_level(logging.DEBUG, logger="api")
    caplog.set_level(logging.DEBUG, logger="drift")
    caplog.set_level(logging.DEBUG, logger="tenancy")
    for line in LINES.values():
        kind = "json" if isinstance(line.body, dict) else "data"
        made = line.request(own.ids)
        if kind not in made or not line.lets_in("admin"):
            continue
        made["headers"] |= cast.headers("admin", own)
        for name, value in made[kind].items():
            if isinstance(value, str):
                answer = await watch.wire.request(**{**made, kind: made[kind] | {name: FORGED}})
                assert watch.look(answer).status_code < 500
    for path in ("/api/findings/%0d%0aforged", "/api/audit?action=%0d%0aforged%1b[31m"):
        watch.look(await watch.wire.get(path, headers=cast.headers("admin", own)))
    ours = [one for one in caplog.records if one.name.split(".")[0] in {"api", "drift", "tenancy"}]
    assert [one.getMessage() for one in ours if "forged" in one.getMessage()] == []


async def test_g09_secret_of_a_resource_rests_nowhere(
    watch: Watch, cast: Cast, cellar: Cellar, own: Planted
) -> None:
    """In an upload as in a scan (tests/drift/test_rows.py): neither stored nor shown."""
    secrets = [f"Zq3!{number}" + "s3cr3t" * 6 for number in range(2)]
    made = []
    for secret in secrets:
        values = {"adminPassword": secret, "connectionString": f"AccountKey={secret};"}
        answer = await upload(watch, cast, own, body_of(own, own.watched.account("keys", **values)))
        assert answer.status_code == 201, answer.text
        made.append(answer.json()["id"])
    path = f"/api/baselines/{made[0]}/diff?to={made[1]}"
    shown = (await watch.wire.get(path, headers=cast.headers("viewer", own))).text
    assert shown.count("hmac:") == 4
    stored = "".join(readable(await cellar.state_of(own.tenant_id)).values())
    assert "adminPassword" in stored
    for secret in secrets:
        assert secret not in shown + stored
