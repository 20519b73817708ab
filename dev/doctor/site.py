"""The deployed app from outside: does it answer, does its timer run, and is nobody let in who did not sign in."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime

import httpx2 as httpx

from dev.doctor.verdicts import Verdict, bad, explain, good

LATE_SECONDS = 600
REFUSED = frozenset({401, 403})
REDIRECTS = frozenset({301, 302, 303, 307, 308})
BROWSER = {"Accept": "text/html", "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) doctor"}
ABOUT_TICKS = 'docs/deploy.md, "When timers stand still"'
TURN_ON = "azd provision turns App Service authentication on; nobody may turn it off in the portal"
# Paths that belong to the Functions host, and must want a key.
HOST_PATHS = ("/admin/host/status", "/admin/functions", "/runtime/webhooks/blobs")


class Site:
    def __init__(self, url: str, *, now: datetime | None = None) -> None:
        self._client = httpx.AsyncClient(base_url=url, timeout=30, follow_redirects=False)
        self._now = now or datetime.now(UTC)

    async def close(self) -> None:
        await self._client.aclose()

    async def check_health(self) -> list[Verdict]:
        """address and last-tick."""
        try:
            answer = await self._client.get("/healthz")
        except httpx.HTTPError as error:
            return [explain("address", error), bad("last-tick", "unknown.", "mend address first")]
        if answer.status_code != 200:
            found = f"/healthz answers {answer.status_code}."
            fix = "the log stream of the function app has the one line that stops its start"
            return [bad("address", found, fix), bad("last-tick", "unknown.", "mend address first")]
        return [
            good("address", "/healthz answers, so the app has started with its settings."),
            self._judge_tick(answer),
        ]

    def _judge_tick(self, answer: httpx.Response) -> Verdict:
        """The tick is written to storage by the app: a fresh one proves its identity and its roles, too."""
        try:
            text = answer.json().get("lastTick")
        except ValueError:
            return bad("last-tick", "/healthz is not this app's.", "check DRIFT_URL")
        if not text:
            return bad("last-tick", "the timer never ran.", ABOUT_TICKS)
        age = (self._now - datetime.fromisoformat(text)).total_seconds()
        if age > LATE_SECONDS:
            return bad("last-tick", f"the timer last ran {age / 60:.0f} minutes ago.", ABOUT_TICKS)
        return good(
            "last-tick", f"{max(age, 0):.0f} s ago: the app's identity reads and writes storage."
        )

    async def check_anonymous_api(self) -> Verdict:
        """The API without any sign-in."""
        return await self._refused("anonymous-api", "/api/me", {"Accept": "application/json"})

    async def check_anonymous_page(self) -> Verdict:
        """A person with a browser, who should be sent to sign in."""
        return await self._refused("anonymous-page", "/", BROWSER)

    async def check_forged_principal(self) -> Verdict:
        """The header by which the platform names a signed-in person, sent from outside."""
        headers = {"X-MS-CLIENT-PRINCIPAL": _forged(), "Accept": "application/json"}
        return await self._refused("forged-principal", "/api/me", headers)

    async def check_host_keys(self) -> Verdict:
        for path in HOST_PATHS:
            try:
                answer = await self._client.get(path)
            except httpx.HTTPError as error:
                return explain("host-keys", error)
            if answer.status_code < 300:
                return bad("host-keys", f"{path} answers {answer.status_code} to anybody.", TURN_ON)
        return good("host-keys", "the host's own paths are shut.")

    async def _refused(self, check: str, path: str, headers: Mapping[str, str]) -> Verdict:
        try:
            answer = await self._client.get(path, headers=dict(headers))
        except httpx.HTTPError as error:
            return explain(check, error)
        if _is_the_apps_own(answer):
            found = f"{path} reached the app without a sign-in (it answered {answer.status_code})."
            return bad(check, found, TURN_ON)
        if answer.status_code in REFUSED:
            return good(check, f"{path} is refused by the platform ({answer.status_code}).")
        if answer.status_code in REDIRECTS and _leads_to_sign_in(answer):
            return good(check, f"{path} leads to the sign-in ({answer.status_code}).")
        return bad(check, f"{path} answers {answer.status_code} without a sign-in.", TURN_ON)


def _is_the_apps_own(answer: httpx.Response) -> bool:
    """Every answer of the app has a request id and a policy of its own (api/middleware.py); the platform's have not."""
    return "x-ms-request-id" in answer.headers and "content-security-policy" in answer.headers


def _leads_to_sign_in(answer: httpx.Response) -> bool:
    target = answer.headers.get("location", "")
    return "/.auth/login/" in target or "/oauth2/" in target


def _forged() -> str:
    claims = [
        {"typ": "tid", "val": "00000000-0000-4000-8000-000000000001"},
        {"typ": "oid", "val": "00000000-0000-4000-8000-000000000002"},
        {"typ": "roles", "val": "Platform.Operator"},
    ]
    return base64.b64encode(json.dumps({"auth_typ": "aad", "claims": claims}).encode()).decode()
