"""A tenant with findings, and browsers that are signed in as somebody of it."""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import httpx2 as httpx
import pytest
from playwright.async_api import Browser, Dialog, Page, async_playwright, expect

from dev.browser import ADVICE, ARGUMENTS, find_browser
from dev.demo.client import principal_header
from tenancy import development
from tenancy.access import serve
from tenancy.deployment import Deployment
from tenancy.ids import DirectoryId, ObjectId, TenantId
from tenancy.roles import Role
from tenancy.store import Table
from tenancy.tenants import User
from tests.drift.conftest import calm, host, new_tenant, tables, tenant
from tests.drift.watched import Watched

__all__ = ["calm", "host", "new_tenant", "tables", "tenant"]  # fixtures of whole scans

SECONDS = 30  # that a page may take on a busy machine
OpenPage = Callable[..., Awaitable[Page]]


@pytest.fixture(autouse=True)
def patient() -> None:
    expect.set_options(timeout=SECONDS * 1000)


@pytest.fixture
async def drifted(tenant: Watched) -> Watched:
    """Anybody can read a storage account's blobs, and a network has another tag."""
    opened = {"/properties/allowBlobPublicAccess": True}
    await tenant.azure.edit(tenant.account("alpha")["id"], set=opened)
    await tenant.azure.edit(tenant.network("net")["id"], set={"/tags/team": "blue"})
    await tenant.scan()
    return tenant


@pytest.fixture
async def header_of(deployment: Deployment, tenant: Watched) -> Callable[[str], Awaitable[str]]:
    """Makes somebody with a role in the tenant and returns the sign-in."""

    async def make(role: str) -> str:
        directory = DirectoryId(tenant.organisation.directory_id)
        who = ObjectId(str(uuid.uuid4()))
        user = User(directory, who, role.title(), Role(role), datetime.now(UTC), "test")
        context = await serve(deployment, TenantId(tenant.tenant_id))
        await context.store.put(Table.USER, user.key, user.values())
        await deployment.registry.link(user.key, TenantId(tenant.tenant_id))
        return principal_header(directory, who, user.name)

    return make


@pytest.fixture
async def admin(url: str, tenant: Watched) -> AsyncIterator[httpx.AsyncClient]:
    """The tenant's admin, who opens pages without running their scripts."""
    headers = {"X-MS-CLIENT-PRINCIPAL": tenant.organisation.admin_header, "Accept": "text/html"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as client:
        yield client


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """A real Chromium."""
    program = find_browser()
    if program is None:
        if os.environ.get("CI"):
            pytest.fail(ADVICE)
        pytest.skip(ADVICE)
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        yield started
        await started.close()


@pytest.fixture
async def open_page(browser: Browser, url: str) -> AsyncIterator[OpenPage]:
    """`open_page(header, path)`: a window of somebody's own, who says yes to every question unless `answers` is False.
    Whatever a page complains of fails the test."""
    complaints: list[str] = []

    async with AsyncExitStack() as opened:

        async def make(
            header: str = "", path: str = "/", *, answers: bool = True, **options: Any
        ) -> Page:
            context = await browser.new_context(base_url=url, **options)
            opened.push_async_callback(context.close)
            context.set_default_timeout(SECONDS * 1000)
            if header:
                value = development.encode(header)
                await context.add_cookies(
                    [{"name": development.COOKIE, "value": value, "url": url}]
                )
            page = await context.new_page()
            if answers:
                page.on("dialog", _agree)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("console", lambda line: _note(complaints, line.type, line.text))
            await page.goto(path)
            return page

        yield make
    assert complaints == []


async def _agree(dialog: Dialog) -> None:
    await dialog.accept()


def _note(complaints: list[str], kind: str, text: str) -> None:
    # An answer of 4xx is the test's own affair; everything else, such as what the policy blocks, is not.
    if kind == "error" and "Failed to load resource" not in text:
        complaints.append(text)
