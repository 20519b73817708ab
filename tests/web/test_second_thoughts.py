"""What cannot be taken back by a click is not done by one: a question comes first, or a name to be typed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from playwright.async_api import Dialog, expect

from tests.drift.watched import Watched
from tests.web.conftest import OpenPage

TEMPLATES = Path(__file__).resolve().parents[2] / "web" / "templates"
FORM = re.compile(r"{% call m\.form\((.*?)%}(.*?){% endcall %}", re.DOTALL)


def test_every_dangerous_button_has_a_question_or_a_name_before_it() -> None:
    dangerous = [
        (path.name, opening, body)
        for path in TEMPLATES.rglob("*.html")
        for opening, body in FORM.findall(path.read_text())
        if 'class="danger"' in body
    ]
    assert len(dangerous) >= 9
    rash = [
        (name, opening)
        for name, opening, body in dangerous
        if "ask=" not in opening and 'name="confirm"' not in body
    ]
    assert rash == []


async def test_nothing_happens_to_who_says_no(
    drifted: Watched, open_page: OpenPage, header_of: Any
) -> None:
    await header_of("viewer")
    path = f"/t/{drifted.tenant_id}/users"
    page = await open_page(drifted.organisation.admin_header, path, answers=False)
    asked: list[str] = []

    async def refuse(dialog: Dialog) -> None:
        asked.append(dialog.message)
        await dialog.dismiss()

    page.on("dialog", refuse)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    remove = page.get_by_role("button", name="Remove Viewer")
    await remove.click()
    assert asked == ["Take Viewer out of this tenant?"]
    await expect(remove).to_be_visible()
    assert "POST" not in sent
