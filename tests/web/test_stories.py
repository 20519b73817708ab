"""What people do with the pages, in a real browser: understand and accept, ignore by a rule, watch a scan, onboard."""

from __future__ import annotations

import json
import uuid
from typing import Any

from playwright.async_api import expect

from dev.demo.client import principal_header
from tests.drift.watched import Watched
from tests.web.conftest import OpenPage
from tests.web.operators import operator_header


async def test_find_understand_and_accept(drifted: Watched, open_page: OpenPage) -> None:
    zone = "America/New_York"  # where a day of UTC ends the evening before
    page = await open_page(drifted.organisation.admin_header, timezone_id=zone)
    await page.wait_for_url(f"**/t/{drifted.tenant_id}/")
    await expect(page.locator("main")).to_contain_text("2 findings to deal with")
    await expect(page.locator("main")).to_contain_text("just now, which read everything")
    first = page.locator("section", has_text="Needs attention first")
    await first.get_by_role("link").first.click()

    (finding,) = await drifted.findings("?severity=high&status=open")
    change = finding["changes"][0]
    main = page.locator("main")
    for said in (change["title"], change["reason"], change["action"]):
        await expect(main).to_contain_text(said)
    await expect(page.locator(".properties tbody tr")).to_contain_text("false")
    await expect(page.locator(".diff")).to_contain_text('"allowBlobPublicAccess": true')
    await expect(page.locator("#undo-1")).to_have_text(
        f"az resource update --ids {finding['resourceId']} --set properties.allowBlobPublicAccess=false"
    )

    await page.get_by_role("link", name="Its timeline").click()
    await expect(page.locator(".timeline li")).to_have_count(1)
    await expect(page.locator(".timeline")).to_contain_text("allowBlobPublicAccess")
    await page.get_by_role("link", name="Its finding: open").click()

    await page.get_by_role("button", name="Accept").click()
    await expect(page.get_by_role("alert")).to_have_text("Fill in reason.")
    await page.get_by_label("Accept until").fill("2098-12-31")
    await page.get_by_label("Reason others will ask why").fill("the shop window is public")
    await page.get_by_role("button", name="Accept").click()
    decision = page.locator("#decision")
    await expect(decision).to_contain_text("Accepted by Ada")
    await expect(decision).to_contain_text("until Dec 31, 2098; any other value opens it again")
    await expect(decision).to_contain_text("the shop window is public")
    stored = await drifted.api.request("GET", f"/api/findings/{finding['id']}")
    assert stored["status"] == "accepted"
    assert stored["steps"][-1]["reason"] == "the shop window is public"

    await page.goto(f"/t/{drifted.tenant_id}/")
    await expect(page.locator("main")).to_contain_text("1 finding to deal with")


async def test_a_page_that_is_out_of_date_decides_nothing(
    drifted: Watched, open_page: OpenPage
) -> None:
    (finding,) = await drifted.findings("?severity=high&status=open")
    path = f"/t/{drifted.tenant_id}/findings/{finding['id']}"
    page = await open_page(drifted.organisation.admin_header, path)
    await drifted.decide(finding, "acknowledge", reason="I was quicker")
    await page.get_by_label("Reason others will ask why").fill("mine")
    await page.get_by_role("button", name="Accept").click()
    await expect(page.get_by_role("alert")).to_contain_text("was changed meanwhile")
    stored = await drifted.api.request("GET", f"/api/findings/{finding['id']}")
    assert stored["status"] == "acknowledged"


async def test_ignore_by_a_rule_after_seeing_what_it_hides(
    drifted: Watched, open_page: OpenPage
) -> None:
    (finding,) = [
        one for one in await drifted.findings() if one["changes"][0]["path"] == "/tags/team"
    ]
    path = f"/t/{drifted.tenant_id}/findings/{finding['id']}"
    page = await open_page(drifted.organisation.admin_header, path)
    await page.get_by_text("Ignore by a rule").click()
    await page.get_by_label("this type everywhere").check()
    await page.locator("#rule-reason").fill("teams change")
    await page.get_by_role("button", name="Preview what it hides").click()
    preview = page.locator("#preview")
    await expect(preview).to_contain_text("It would have hidden 1 finding")
    assert (await drifted.api.request("GET", "/api/rules"))["value"] == []
    await preview.get_by_role("button", name="Create this rule").click()
    await page.wait_for_url("**/rules#rule-*")
    await expect(page.locator("main")).to_contain_text("teams change")
    (rule,) = (await drifted.api.request("GET", "/api/rules"))["value"]
    assert (rule["path"], rule["resourceId"]) == ("/tags/team", "")
    assert rule["resourceType"] == "microsoft.network/virtualnetworks"
    await drifted.scan()
    await page.goto(f"/t/{drifted.tenant_id}/findings?show=ignored")
    await expect(page.locator("tbody tr")).to_have_count(1)


async def test_several_findings_are_decided_at_once_by_keyboard(
    drifted: Watched, open_page: OpenPage
) -> None:
    path = f"/t/{drifted.tenant_id}/findings"
    page = await open_page(drifted.organisation.admin_header, path)
    await expect(page.locator("tr[data-row]")).to_have_count(2)
    await page.keyboard.press("j")
    await page.keyboard.press("x")
    await page.keyboard.press("j")
    await page.keyboard.press("x")
    await expect(page.locator("input[name=finding]:checked")).to_have_count(2)
    await page.locator("#reason").fill("agreed in the board")
    await page.get_by_role("button", name="Accept").click()
    await expect(page.locator("main")).to_contain_text("Nothing to deal with")
    statuses = {one["status"] for one in await drifted.findings()}
    assert statuses == {"accepted"}


async def test_filters_are_in_the_address(drifted: Watched, open_page: OpenPage) -> None:
    path = f"/t/{drifted.tenant_id}/findings"
    page = await open_page(drifted.organisation.admin_header, path)
    await page.keyboard.press("/")
    await page.keyboard.type("team")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**text=team**")
    await expect(page.locator("tr[data-row]")).to_have_count(1)
    await page.reload()
    await expect(page.locator("tr[data-row]")).to_have_count(1)


async def test_watch_a_scan_and_recover_what_could_not_be_read(
    drifted: Watched, open_page: OpenPage
) -> None:
    await drifted.put_subscription(readers=[])
    page = await open_page(drifted.organisation.admin_header, f"/t/{drifted.tenant_id}/scans")
    await page.get_by_role("button", name="Scan now").click()
    await page.wait_for_url("**/scans/*")
    await expect(page.get_by_role("status")).to_contain_text("queued")
    await expect(page.get_by_role("progressbar")).to_be_visible()
    assert await drifted.host.drain() == []
    await expect(page.get_by_role("status")).to_contain_text("incomplete")
    await expect(page.get_by_role("progressbar")).to_have_count(0)
    await expect(page.locator("main")).to_contain_text("Not everything was read")
    await page.goto(f"/t/{drifted.tenant_id}/")
    await expect(page.locator("table.stack")).to_contain_text("unknown")
    await expect(page.locator("li.card", has_text="in sync")).to_contain_text("0")

    await drifted.put_subscription()
    await page.get_by_role("button", name="Scan now").click()
    await page.wait_for_url("**/scans/*")
    assert await drifted.host.drain() == []
    await expect(page.get_by_role("status")).to_contain_text("complete")


async def test_two_roles_see_different_actions(
    drifted: Watched, open_page: OpenPage, header_of: Any
) -> None:
    (finding,) = await drifted.findings("?severity=high&status=open")
    home = f"/t/{drifted.tenant_id}"
    viewer = await open_page(await header_of("viewer"), f"{home}/findings/{finding['id']}")
    operator = await open_page(await header_of("operator"), f"{home}/findings/{finding['id']}")
    await expect(operator.get_by_role("button", name="Accept")).to_be_visible()
    await expect(viewer.get_by_role("heading", name="What it means")).to_be_visible()
    await expect(viewer.get_by_role("button", name="Accept")).to_have_count(0)
    for page in (viewer, operator):
        await expect(page.get_by_role("link", name="Audit")).to_have_count(0)
        await page.goto(f"{home}/settings")
        await expect(page.get_by_role("button", name="Save")).to_have_count(0)
    await viewer.goto(f"{home}/")
    await expect(viewer.get_by_role("button", name="Scan now")).to_have_count(0)


async def test_onboard_a_tenant_to_its_first_finding(
    open_page: OpenPage, new_organisation: Any, settings: Any, host: Any, calm: None
) -> None:
    organisation = await new_organisation()
    page = await open_page("", "/")
    await page.get_by_label("Name").fill("Pia")
    await page.get_by_label("Directory (tenant) id").fill(settings.platform_directory_id)
    await page.get_by_label("Object id").fill(str(uuid.uuid4()))
    await page.get_by_label("with the app role").check()
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("link", name="Platform", exact=True).first.click()
    await page.get_by_role("link", name="Onboard a tenant").first.click()
    await page.get_by_label("Name of the organisation").fill("northwind")
    await page.get_by_label("Its Entra directory").fill(organisation.directory_id)
    await page.get_by_role("button", name="Go on").click()

    await expect(page.get_by_role("heading", name="northwind")).to_be_visible()
    await page.get_by_label("How", exact=True).select_option("client_secret")
    await page.get_by_label("Application (client) id").fill(organisation.client_id)
    await page.get_by_label("Secret, or certificate").fill("wrong")
    await page.get_by_role("button", name="Try it and keep it").click()
    await expect(page.get_by_role("alert")).to_contain_text("AADSTS7000215")
    await page.get_by_label("Secret, or certificate").fill(organisation.secret)
    await page.get_by_role("button", name="Try it and keep it").click()

    await page.get_by_role("button", name="Test it line by line").click()
    await expect(page.locator("#trial")).to_contain_text("Everything a scan needs works.")
    await page.get_by_label("Name", exact=True).fill("Ada")
    await page.get_by_label("Object id").fill(organisation.admin_object_id)
    await page.get_by_role("button", name="Finish").click()
    await page.wait_for_url("**/t/*/")
    await expect(page.get_by_role("note").filter(has_text="as platform operator")).to_be_visible()

    await page.get_by_role("link", name="Find subscriptions").click()
    await page.get_by_role("button", name="Ask Azure again").click()
    await expect(page.locator("tbody tr")).to_have_count(1)
    await page.get_by_role("link", name="Overview").click()
    await page.get_by_role("link", name="Start the first scan").click()
    await page.get_by_role("button", name="Scan now").click()
    await page.wait_for_url("**/scans/*")
    assert await host.drain() == []
    await expect(page.get_by_role("status")).to_contain_text("complete")
    await page.get_by_role("link", name="Capture one").click()
    await page.get_by_label("Name").first.fill("as agreed")
    await page.get_by_role("button", name="Capture").click()
    await expect(page.get_by_role("heading", name="Version 1: as agreed")).to_be_visible()


async def test_roll_back_a_baseline_after_comparing(drifted: Watched, open_page: OpenPage) -> None:
    await drifted.capture(name="the new way")
    page = await open_page(drifted.organisation.admin_header, f"/t/{drifted.tenant_id}/baselines")
    await page.get_by_role("link", name="Version 1").click()
    await page.get_by_role("button", name="Compare").click()
    await expect(page.locator("main")).to_contain_text("allowBlobPublicAccess")
    await page.get_by_role("link", name="version 1").click()
    await page.get_by_role("button", name="Roll back to this version").click()
    await expect(page.locator("main")).to_contain_text("active")
    await expect(page.get_by_role("button", name="Roll back to this version")).to_have_count(0)
    baselines = (await drifted.api.request("GET", "/api/baselines"))["value"]
    assert {one["version"]: one["active"] for one in baselines} == {1: True, 2: False}


async def test_without_javascript_everything_can_be_read(
    drifted: Watched, open_page: OpenPage
) -> None:
    header = drifted.organisation.admin_header
    page = await open_page(header, f"/t/{drifted.tenant_id}/", java_script_enabled=False)
    await (
        page.locator("section", has_text="Needs attention first").get_by_role("link").first.click()
    )
    await expect(page.locator("main")).to_contain_text("allowBlobPublicAccess")
    await page.get_by_role("link", name="Show the resource as agreed").click()
    await expect(page.locator(".diff")).to_contain_text('"allowBlobPublicAccess": true')
    await page.goto(f"/t/{drifted.tenant_id}/findings?severity=high")
    await page.get_by_label("Resource or property").fill("nothing like this")
    await page.get_by_role("button", name="Filter").click()
    await expect(page.locator("main")).to_contain_text("No finding passes this filter")


async def test_an_invitation_lets_a_guest_in(drifted: Watched, open_page: OpenPage) -> None:
    page = await open_page(drifted.organisation.admin_header, f"/t/{drifted.tenant_id}/users")
    await page.get_by_label("For whom").fill("Gus")
    await page.get_by_role("button", name="Make a code").click()
    code = await page.locator("#invitation-code").inner_text()
    guest = await open_page(principal_header(str(uuid.uuid4()), str(uuid.uuid4()), "Gus"), "/")
    await guest.get_by_label("Code").fill(code)
    await guest.get_by_role("button", name="Join").click()
    await guest.wait_for_url(f"**/t/{drifted.tenant_id}/")
    await expect(guest.locator(".who")).to_contain_text("Gus · viewer")


async def test_a_rule_is_changed_after_seeing_what_it_would_hide_now(
    drifted: Watched, open_page: OpenPage
) -> None:
    said = {"action": "ignore", "path": "/tags/none", "reason": "a typing error"}
    made = await drifted.api.request(
        "POST", "/api/rules", {**said, "expiresAt": "2099-01-01T00:00:00Z"}
    )
    page = await open_page(drifted.organisation.admin_header, f"/t/{drifted.tenant_id}/rules")
    await page.get_by_role("link", name="Change the rule").click()
    await expect(page.get_by_label("Reason")).to_have_value("a typing error")
    await page.get_by_label("Property").fill("/tags/*")
    await page.get_by_role("button", name="Preview what it touches").click()
    await expect(page.locator("#preview")).to_contain_text("It would have hidden 1 finding")
    rule = await drifted.api.request("GET", f"/api/rules/{made['id']}")
    assert rule["path"] == "/tags/none"
    await page.get_by_role("button", name="Change the rule to this").click()
    await page.wait_for_url(f"**/rules#rule-{made['id']}")
    rule = await drifted.api.request("GET", f"/api/rules/{made['id']}")
    assert (rule["path"], rule["expiresAt"]) == ("/tags/*", "2099-01-01T23:59:59Z")
    assert (rule["author"], rule["createdAt"]) == (made["author"], made["createdAt"])


async def test_settings_go_back_to_how_they_were(drifted: Watched, open_page: OpenPage) -> None:
    before = await drifted.api.request("GET", "/api/settings")
    page = await open_page(drifted.organisation.admin_header, f"/t/{drifted.tenant_id}/settings")
    await page.get_by_label("Schedule").fill("0 3 * * *")
    async with page.expect_navigation():
        await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_label("Schedule")).to_have_value("0 3 * * *")
    await page.get_by_role("link", name="How they changed").click()
    newest = page.locator("main section").first
    await expect(newest.locator("tbody tr")).to_have_count(1)
    await expect(newest.locator("del")).to_have_text(before["schedule"])
    await expect(newest.locator("ins")).to_have_text("0 3 * * *")
    await page.get_by_role("button", name="Bring these back").first.click()
    await expect(page.locator("main section").first).to_contain_text("went back")
    assert await drifted.api.request("GET", "/api/settings") == before


async def test_one_resource_of_a_baseline_is_edited(drifted: Watched, open_page: OpenPage) -> None:
    """The network shall have the tag that it was given: the next scan has nothing to say of it."""
    page = await open_page(drifted.organisation.admin_header, f"/t/{drifted.tenant_id}/baselines")
    await page.get_by_role("link", name="Version 1").click()
    await page.get_by_role("link", name="net", exact=True).click()
    box = page.get_by_label("JSON")
    text = await box.input_value()
    await box.fill("{")
    await page.get_by_role("button", name="Save as a new version").click()
    await expect(page.get_by_role("alert")).to_contain_text("not JSON")
    resource = json.loads(text)
    resource["tags"] = {**resource.get("tags", {}), "team": "blue"}
    await box.fill(json.dumps(resource))
    await page.get_by_label("Note").first.fill("blue has it now")
    await page.get_by_role("button", name="Save as a new version").click()
    await expect(page.get_by_role("heading", name="Version 2")).to_be_visible()
    await expect(page.locator("main")).to_contain_text("blue has it now")
    await drifted.scan()
    open_paths = [one["changes"][0]["path"] for one in await drifted.findings("?status=open")]
    assert open_paths == ["/properties/allowBlobPublicAccess"]


async def test_a_second_person_approves_a_baseline(
    drifted: Watched, open_page: OpenPage, header_of: Any
) -> None:
    home = f"/t/{drifted.tenant_id}"
    page = await open_page(drifted.organisation.admin_header, f"{home}/settings")
    await page.get_by_label("Four eyes").check()
    async with page.expect_navigation():
        await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_label("Four eyes")).to_be_checked()
    await page.goto(f"{home}/baselines")
    await page.get_by_label("Name").first.fill("the new way")
    await page.get_by_role("button", name="Capture").click()
    await page.wait_for_url("**/baselines/*")
    await page.goto(f"{home}/baselines")
    waiting = page.locator("section", has_text="Waits for a second person")
    await expect(waiting.get_by_role("button", name="Withdraw")).to_be_visible()
    await expect(waiting.get_by_role("button", name="Approve")).to_have_count(0)

    second = await open_page(await header_of("operator"), f"{home}/baselines")
    waiting = second.locator("section", has_text="Waits for a second person")
    await waiting.get_by_label("Reason").fill("seen it")
    await waiting.get_by_role("button", name="Approve").click()
    await expect(waiting).to_have_count(0)
    baselines = (await drifted.api.request("GET", "/api/baselines"))["value"]
    assert {one["version"]: one["active"] for one in baselines} == {2: True, 1: False}


async def test_a_platform_operator_enters_and_leaves(
    drifted: Watched, open_page: OpenPage, settings: Any
) -> None:
    page = await open_page(operator_header(settings), "/platform")
    await page.goto(f"/t/{drifted.tenant_id}/findings")
    banner = page.get_by_role("note").filter(has_text="as platform operator")
    await expect(banner).to_be_visible()
    await banner.get_by_role("link", name="Leave").click()
    await page.wait_for_url("**/platform")
    await expect(banner).to_have_count(0)
    await expect(page.get_by_role("navigation", name="Tenant")).to_have_count(0)
    entries = (await drifted.api.request("GET", "/api/audit?action=platform"))["value"]
    assert [one["actorName"] for one in entries] == ["Pia"]


async def test_a_finding_on_paper_has_no_buttons(drifted: Watched, open_page: OpenPage) -> None:
    (finding,) = await drifted.findings("?severity=high&status=open")
    path = f"/t/{drifted.tenant_id}/findings/{finding['id']}"
    page = await open_page(drifted.organisation.admin_header, path)
    await expect(page.locator(".diff")).to_be_visible()
    await page.emulate_media(media="print")
    await expect(page.get_by_role("heading", name="What it means")).to_be_visible()
    await expect(page.locator(".diff")).to_be_visible()
    for hidden in ("header.top", "nav.side", "main form"):
        for one in await page.locator(hidden).all():
            await expect(one).to_be_hidden()
