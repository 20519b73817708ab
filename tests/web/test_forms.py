"""Forms do what they say: each is sent as its page shows it, with what somebody would fill in."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import httpx2 as httpx
import pytest

from tests.drift.watched import Watched

HeaderOf = Callable[[str], Awaitable[str]]


@dataclass
class Sent:
    """A form of a page: where it goes, and what it sends when nobody touches it."""

    path: str
    fields: dict[str, Any] = field(default_factory=dict)


class Forms(HTMLParser):
    """Every form of a page, read as a browser reads it."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Sent] = []
        self._select = self._text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.found.append(Sent(said["action"]))
        elif tag == "input" and self.found:
            self._input(said)
        elif tag == "select":
            self._select = said["name"]
        elif tag == "option" and (self._select not in self.fields or "selected" in said):
            self.fields[self._select] = said.get("value")
        elif tag == "textarea":
            self._text = said["name"]
            self.fields[self._text] = ""

    def handle_data(self, data: str) -> None:
        if self._text:
            self.fields[self._text] += data
        elif self._select and self.fields.get(self._select, "") is None:
            self.fields[self._select] = data  # an option without a value is its text

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._text = ""

    @property
    def fields(self) -> dict[str, Any]:
        return self.found[-1].fields

    def _input(self, said: dict[str, str]) -> None:
        if said.get("type") in {"checkbox", "radio"}:
            if "checked" in said:
                self.fields.setdefault(said["name"], []).append(said["value"])
        elif "name" in said:
            self.fields[said["name"]] = said.get("value", "")


async def form_on(client: httpx.AsyncClient, page: str, path: str) -> Sent:
    """The form of a page that is sent there."""
    shown = await client.get(page)
    assert shown.status_code == 200
    forms = Forms()
    forms.feed(shown.text)
    return next(one for one in forms.found if one.path == path)


async def send(client: httpx.AsyncClient, form: Sent, **filled: Any) -> httpx.Response:
    headers = {"X-Requested-With": "test", "HX-Request": "true"}
    return await client.post(form.path, data=form.fields | filled, headers=headers)


@pytest.fixture
def home(tenant: Watched) -> str:
    return f"/t/{tenant.tenant_id}"


async def test_settings_are_saved_as_they_are_filled_in(
    admin: httpx.AsyncClient, tenant: Watched, home: str
) -> None:
    before = await tenant.api.request("GET", "/api/settings")
    form = await form_on(admin, f"{home}/settings", f"{home}/settings")
    assert (await send(admin, form)).status_code == 200
    assert await tenant.api.request("GET", "/api/settings") == before  # nobody touched anything
    form = await form_on(admin, f"{home}/settings", f"{home}/settings")
    filled = {"schedule": "0 5 * * *", "retention.scans": "90", "notify": ["high"]}
    saved = await send(admin, form, **filled, excludeGroups="sandbox\n\n  lab  ")
    assert saved.headers["HX-Redirect"] == f"{home}/settings"
    after = await tenant.api.request("GET", "/api/settings")
    assert (after["schedule"], after["retention"]["scans"]) == ("0 5 * * *", 90)
    assert (after["notify"], after["scope"]["excludeGroups"]) == (["high"], ["sandbox", "lab"])
    stale = await send(admin, form, **{"retention.scans": "91"})
    assert stale.status_code == 412
    assert await tenant.api.request("GET", "/api/settings") == after


async def test_schedule_is_taken_whole_or_refused(
    admin: httpx.AsyncClient, tenant: Watched, home: str
) -> None:
    form = await form_on(admin, f"{home}/settings", f"{home}/settings")
    long = ",".join(str(minute) for minute in range(60)) + " * * * *"
    refused = await send(admin, form, schedule=long)
    assert refused.status_code == 422
    assert "schedule" in refused.text
    assert (await send(admin, form, schedule="0 5 * * *")).status_code == 200
    form = await form_on(admin, f"{home}/settings", f"{home}/settings")
    assert (await send(admin, form, schedule="")).status_code == 200
    assert (await tenant.api.request("GET", "/api/settings"))["schedule"] == ""


@pytest.mark.parametrize("text", ["x", "-1", "9.5", "1e3", "٣٠", "9" * 400, "6", "3651"])
async def test_number_that_is_none_is_refused_by_name(
    admin: httpx.AsyncClient, tenant: Watched, home: str, text: str
) -> None:
    before = await tenant.api.request("GET", "/api/settings")
    form = await form_on(admin, f"{home}/settings", f"{home}/settings")
    refused = await send(admin, form, **{"retention.scans": text})
    assert refused.status_code == 422
    assert "retention.scans" in refused.text
    assert await tenant.api.request("GET", "/api/settings") == before


async def test_role_of_a_user_is_changed_and_the_user_taken_out(
    admin: httpx.AsyncClient, tenant: Watched, home: str, header_of: HeaderOf
) -> None:
    await header_of("viewer")
    key = next(u["id"] for u in await tenant.api.every("/api/users") if u["role"] == "viewer")
    page, path = f"{home}/users", f"{home}/users/{key}"
    form = await form_on(admin, page, f"{path}/role")
    assert form.fields["role"] == "viewer"
    assert (await send(admin, form, role="operator")).status_code == 200
    assert (await tenant.api.request("GET", f"/api/users/{key}"))["role"] == "operator"
    assert (await send(admin, await form_on(admin, page, f"{path}/remove"))).status_code == 200
    assert key not in {user["id"] for user in await tenant.api.every("/api/users")}


async def test_last_admin_is_not_taken_out_by_a_page(
    admin: httpx.AsyncClient, tenant: Watched, home: str
) -> None:
    (user,) = await tenant.api.every("/api/users")
    form = await form_on(admin, f"{home}/users", f"{home}/users/{user['id']}/remove")
    refused = await send(admin, form)
    assert refused.status_code == 409
    assert "This is the last admin." in refused.text


async def test_user_is_added_and_app_roles_are_allowed_and_forbidden(
    admin: httpx.AsyncClient, tenant: Watched, home: str
) -> None:
    form = await form_on(admin, f"{home}/users", f"{home}/users")
    who = str(uuid.uuid4())
    assert (await send(admin, form, name="Olga", objectId=who.upper())).status_code == 200
    users = {user["objectId"]: user for user in await tenant.api.every("/api/users")}
    assert (users[who]["name"], users[who]["role"]) == ("Olga", "viewer")
    for allowed in (True, False):
        form = await form_on(admin, f"{home}/users", f"{home}/users/app-roles")
        assert (await send(admin, form)).status_code == 200
        read = await tenant.api.request("GET", "/api/users/app-roles")
        assert read == {"allowed": allowed}


async def test_subscription_is_watched_no_longer_and_again(
    admin: httpx.AsyncClient, tenant: Watched, home: str
) -> None:
    page = f"{home}/subscriptions"
    for monitored in (False, True):
        form = await form_on(admin, page, f"{page}/{tenant.subscription_id}")
        assert (await send(admin, form)).status_code == 200
        (seen,) = await tenant.api.every("/api/subscriptions")
        assert seen["monitored"] is monitored


async def test_connection_is_replaced(admin: httpx.AsyncClient, tenant: Watched, home: str) -> None:
    form = await form_on(admin, f"{home}/settings", f"{home}/settings/connection")
    assert tenant.organisation.secret not in str(form.fields)
    refused = await send(admin, form, secret="wrong")
    assert refused.status_code == 422
    assert "AADSTS7000215" in refused.text
    made = {"secret": tenant.organisation.secret, "secretExpiresAt": "2100-01-01"}
    assert (await send(admin, form, **made)).status_code == 200
    read = await tenant.api.request("GET", "/api/connection")
    assert read["secretExpiresAt"].startswith("2100-01-01")
    assert (await send(admin, form, **made)).status_code == 412


async def test_rule_is_made_and_deleted(
    admin: httpx.AsyncClient, tenant: Watched, home: str
) -> None:
    page = f"{home}/rules"
    form = await form_on(admin, page, f"{page}/preview")
    preview = await send(admin, form, reason="noise", path="/tags/*")
    assert preview.status_code == 200
    forms = Forms()
    forms.feed(preview.text)
    for shown, refresh in (("/rules#rule-x", "true"), ("/rules/x", None)):
        admin.headers["HX-Current-URL"] = f"https://drift.example.com{home}{shown}"
        made = await send(admin, forms.found[-1])
        assert made.headers["HX-Redirect"].startswith(f"{home}/rules#rule-")
        assert (
            made.headers.get("HX-Refresh") == refresh
        )  # it is there already, and would only scroll
    rules = await tenant.api.every("/api/rules")
    assert [(rule["path"], rule["reason"]) for rule in rules] == [("/tags/*", "noise")] * 2
    for rule in rules:
        form = await form_on(admin, page, f"{page}/{rule['id']}/delete")
        assert (await send(admin, form)).status_code == 200
    assert await tenant.api.every("/api/rules") == []


async def test_second_person_approves_what_the_first_asked_for(
    admin: httpx.AsyncClient, url: str, tenant: Watched, home: str, header_of: HeaderOf
) -> None:
    form = await form_on(admin, f"{home}/settings", f"{home}/settings")
    assert (await send(admin, form, fourEyes="yes")).status_code == 200
    form = await form_on(admin, f"{home}/baselines", f"{home}/baselines")
    assert (await send(admin, form, name="next")).status_code == 200
    (waiting,) = await tenant.api.every("/api/approvals?status=pending")
    path = f"{home}/approvals/{waiting['id']}"
    own = await send(admin, await form_on(admin, f"{home}/baselines", path), action="approve")
    assert own.status_code == 403
    headers = {"X-MS-CLIENT-PRINCIPAL": await header_of("operator"), "Accept": "text/html"}
    async with httpx.AsyncClient(base_url=url, headers=headers) as second:
        form = await form_on(second, f"{home}/baselines", path)
        assert (await send(second, form, action="approve")).status_code == 200
    baseline = await tenant.api.request("GET", f"/api/baselines/{waiting['baselineId']}")
    assert baseline["active"] is True
