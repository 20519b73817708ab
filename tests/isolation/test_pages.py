"""What only pages have: a tenant in the path, forms instead of JSON, and a browser that other sites can send here."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx2 as httpx

from settings import Settings
from tenancy import development
from tests.api.instances import running
from tests.isolation.cast import Cast
from tests.isolation.planted import Cellar, Planted
from tests.isolation.policy import ANY_ETAG, FORM, LINES, Line
from tests.isolation.test_functions import PROTECTED, STORAGE, asker
from tests.isolation.test_objects import REFUSED, SPELLINGS, raw
from tests.isolation.watch import Watch

CHANGES = [line for line in LINES.values() if line.changes and line.is_page]
PAGES = [line for line in LINES.values() if line.is_page and "{tenant_id}" in line.path]
FORMS = [line for line in LINES.values() if line.form is not None]
WITH_ETAG = [
    line for line in FORMS if "etag" in (line.form or {}) and not line.path.endswith("/preview")
]
ODD_TEXTS = ("", "\x00", "x" * 20_000, "<script>alert(1)</script>", "../../x|0")
OWN_HEADERS = ("X-Requested-With", "X-Tenant-Id")


async def send(
    watch: Watch, cast: Cast, line: Line, own: Planted, form: Any, **changes: Any
) -> httpx.Response:
    """A form with other fields, as somebody who is let in."""
    made = line.request(own.ids)
    made["headers"] |= cast.headers(asker(line), own)
    return watch.look(await watch.wire.request(**{**made, "data": form, **changes}), line.name)


def good_form(line: Line, own: Planted) -> dict[str, Any]:
    return dict(line.request(own.ids)["data"])


async def test_a21_change_that_another_site_sends_is_refused(
    watch: Watch, cast: Cast, cellar: Cellar, own: Planted
) -> None:
    """The browser brings the session along; the headers of our own script no form of another site can send."""
    before = await cellar.state_of(own.tenant_id)
    for line in CHANGES:
        made = line.request(own.ids)
        signed_in = cast.headers(asker(line), own)["X-MS-CLIENT-PRINCIPAL"]
        made["headers"] |= {"X-MS-CLIENT-PRINCIPAL": signed_in, "Origin": "https://evil.example"}
        for name in OWN_HEADERS:
            made["headers"].pop(name, None)
        answer = watch.look(await watch.wire.request(**made), line.name)
        assert answer.status_code == 403, (line.name, answer.text)
    assert await cellar.state_of(own.tenant_id) == before


async def test_a01_forged_sign_in_opens_no_page_where_authentication_is_off(
    watch: Watch, cast: Cast, own: Planted, settings: Settings
) -> None:
    """Neither the header nor the cookie of the development sign-in, which is not there either."""
    azure = replace(settings, development_sign_in=False)
    async with (
        running(azure, lambda: datetime.now(UTC)) as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        for line in LINES.values():
            if not line.is_page:
                continue
            made = line.request(own.ids)
            forged = cast.headers(asker(line), own)["X-MS-CLIENT-PRINCIPAL"]
            cookie = f"{development.COOKIE}={development.encode(forged)}"
            for header in ({"X-MS-CLIENT-PRINCIPAL": forged}, {"Cookie": cookie}):
                tried = made | {"headers": made["headers"] | header}
                answer = watch.look(await client.request(**tried), line.name)
                open_to_all = 404 if line.path == "/development/sign-in" else 200
                expected = open_to_all if line.audience == "anybody" else 401
                assert answer.status_code == expected, (line.name, header.keys())
                assert own.tenant_id not in answer.text, line.name
                assert "set-cookie" not in answer.headers


async def test_b03_path_and_header_name_one_tenant(
    watch: Watch, cast: Cast, own: Planted, foreign: Planted
) -> None:
    """Neither of two counts. Of a platform page only an operator learns that much."""
    for line in PAGES:
        for path, header in ((own, foreign), (foreign, own)):
            for role in ("admin", "inside"):
                headers = cast.headers(role, own) | {"X-Tenant-Id": header.tenant_id}
                answer = await watch.ask(line, own.ids | {"tenant_id": path.tenant_id}, headers)
                expected = 422 if line.audience != "platform" or role == "inside" else 404
                assert answer.status_code == expected, (line.name, role, answer.text)


async def test_b16_tenant_in_a_path_has_one_spelling(
    watch: Watch, url: str, cast: Cast, own: Planted, foreign: Planted
) -> None:
    headers = {"X-MS-CLIENT-PRINCIPAL": cast.headers("admin", own)["X-MS-CLIENT-PRINCIPAL"]}
    platform = cast.headers("outside", own)
    for spell in SPELLINGS:
        for tenant_id in (own.tenant_id, foreign.tenant_id):
            for path, who in (("/t/{}/", headers), ("/platform/tenants/{}", platform)):
                status, answer = await raw(url, "GET", path.format(spell(tenant_id)), who)
                assert status in REFUSED, (path, spell(tenant_id))
                assert foreign.canary not in answer


async def test_c06_c07_field_that_no_page_asks_for_is_stored_nowhere(
    watch: Watch, cast: Cast, cellar: Cellar, own: Planted
) -> None:
    """Whose it is, who made it, how it is stored: a form says none of that."""
    odd = f"odd-{uuid.uuid4().hex}"
    asked_by_nobody = dict.fromkeys([*PROTECTED, *STORAGE, "tenant", "actor_name"], odd)
    for line in FORMS:
        answer = await send(watch, cast, line, own, asked_by_nobody | good_form(line, own))
        assert odd not in answer.text + str(answer.headers), line.name
    assert odd not in str(await cellar.state_of(own.tenant_id))


async def test_b04_c10_form_says_each_thing_once_and_is_a_form(
    watch: Watch, cast: Cast, cellar: Cellar, own: Planted
) -> None:
    before = await cellar.lasting(own.tenant_id)
    for line in FORMS:
        good = good_form(line, own)
        for name in [name for name, value in good.items() if isinstance(value, str)]:
            answer = await send(watch, cast, line, own, good | {name: [good[name]] * 2})
            # 412: that the etag is old is found before what else is wrong.
            assert answer.status_code in {412, 422}, (line.name, name, answer.text)
        headers = line.request(own.ids)["headers"] | cast.headers(asker(line), own)
        for body, said in (
            ({"json": good}, {}),
            ({"files": {"a": b"b"}}, {}),
            ({"content": json.dumps(good).encode()}, {"Content-Type": "text/plain"}),
            ({"content": b"a=%ff&" * 2000}, {"Content-Type": FORM}),
            ({"content": b"\xff=\xfe"}, {"Content-Type": FORM}),
        ):
            changed = {**body, "headers": headers | said}
            answer = await send(watch, cast, line, own, None, **changed)
            assert answer.status_code == 422, (line.name, body, answer.text)
    assert await cellar.lasting(own.tenant_id) == before


async def test_c08_odd_value_of_a_field_is_refused_or_text(
    watch: Watch, cast: Cast, own: Planted
) -> None:
    """No value breaks anything: an answer below 500 that shows nothing of anybody else."""
    for line in FORMS:
        good = good_form(line, own)
        for nth, (name, value) in enumerate(good.items()):
            for one in ODD_TEXTS if nth == 0 else ODD_TEXTS[-2:]:
                changed = [one] if isinstance(value, list) else one
                answer = await send(watch, cast, line, own, good | {name: changed})
                assert "<script>alert" not in answer.text, (line.name, name, one)
        assert (await send(watch, cast, line, own, None)).status_code == 422, line.name


async def test_b13_change_without_what_was_seen_changes_nothing(
    watch: Watch, cast: Cast, cellar: Cellar, own: Planted
) -> None:
    """`*` is If-Match for whatever is there."""
    before = await cellar.lasting(own.tenant_id)
    for line in WITH_ETAG:
        good = good_form(line, own)
        for etag in ("", "*", 'W/"*"', "x", ANY_ETAG):
            answer = await send(watch, cast, line, own, good | {"etag": etag})
            assert answer.status_code in {403, 409, 412, 422, 428}, (line.name, etag)
        del good["etag"]
        assert (await send(watch, cast, line, own, good)).status_code in {422, 428}, line.name
    assert await cellar.lasting(own.tenant_id) == before


async def test_b09_decision_about_several_with_one_of_another_decides_nothing(
    watch: Watch, cast: Cast, own: Planted, foreign: Planted
) -> None:
    line = LINES["POST /t/{tenant_id}/findings/decide"]
    finding = await own.watched.finding()
    (row,) = [
        row
        for (kind, table, _), row in (await watch.cellar.state_of(own.tenant_id)).items()
        if kind == "row" and table == "finding" and row["RowKey"] == f"f.{finding['id']}"
    ]
    mine = f"{finding['id']}|{row['current_digest']}"
    theirs = f"{foreign.ids['finding_id']}|{row['current_digest']}"
    decision = {"action": "ignore", "reason": "noise"}
    for chosen in ([mine, theirs], [theirs, mine]):
        answer = await send(watch, cast, line, own, decision | {"finding": chosen})
        assert answer.status_code == 404
    assert await own.watched.finding() == finding
    answer = await send(watch, cast, line, own, decision | {"finding": [mine]})
    assert answer.status_code == 200
    ignored = await own.watched.finding()
    assert ignored["status"] == "ignored"
    await own.watched.decide(ignored, "reopen", reason="again")
    await own.watched.decide(await own.watched.finding(), "acknowledge", reason=own.canary)
