"""What a pipeline is told of a tenant: an exit code, and why, as text, JSON or JUnit.

Drift that is there outweighs what is unknown, which outweighs that nothing was found: a run never passes on a state
that nobody looked at.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

import msgspec

from drift.engine.model import Severity
from drift.exports import xml_attribute as attribute
from drift.remote import Remote
from drift.renderings import plain
from errors import Unavailable

NO_DRIFT, ERROR, DRIFT, UNKNOWN = 0, 1, 2, 3
ENDED = frozenset({"complete", "incomplete", "failed", "cancelled"})
EVERY = 3.0  # seconds between two looks at a scan
INCOMPLETE = "Not everything is known: what is not said here may have drifted too."
WORDS = {NO_DRIFT: "no drift", DRIFT: "drift", UNKNOWN: "unknown"}


class Standing(msgspec.Struct, rename="camel", frozen=True):
    subscription_id: str
    name: str
    state: str
    reason: str
    findings: dict[str, int]


class Scan(msgspec.Struct, frozen=True):
    id: str
    status: str


class Status(msgspec.Struct, rename="camel", frozen=True):
    """What GET /api/status answers, as far as it is needed here."""

    tenant_id: str
    name: str
    complete: bool
    subscriptions: list[Standing]
    scan: Scan | None


@dataclass(frozen=True, slots=True)
class Verdict:
    status: Status
    threshold: Severity  # what is milder counts as nothing

    def weight(self, one: Standing) -> int:
        """Findings of a subscription that count."""
        if one.state == "paused":
            return 0
        counting = (name for name in Severity if name.rank >= self.threshold.rank)
        return sum(one.findings.get(name, 0) for name in counting)

    @property
    def findings(self) -> int:
        return sum(self.weight(one) for one in self.status.subscriptions)

    @property
    def code(self) -> int:
        if self.findings:
            return DRIFT
        return NO_DRIFT if self.status.complete else UNKNOWN


async def judge(
    remote: Remote, threshold: Severity, *, scan: bool, wait: bool, patience: float
) -> Verdict:
    """Starts a scan, or waits for one that is running, if that is wanted; then says how the tenant stands."""
    status = _understand(await remote.ask("/api/status"))
    running = status.scan.id if status.scan and status.scan.status not in ENDED else ""
    if scan and not running:
        running = str((await remote.ask("/api/scans", "POST")).get("id", ""))
    if running and (scan or wait):
        await _await_end(remote, running, patience)
        status = _understand(await remote.ask("/api/status"))
    return Verdict(status, threshold)


async def _await_end(remote: Remote, scan_id: str, patience: float) -> None:
    deadline = time.monotonic() + patience
    while (await remote.ask(f"/api/scans/{scan_id}")).get("status") not in ENDED:
        if time.monotonic() + EVERY > deadline:
            raise Unavailable(f"Scan {scan_id} did not end within {patience:g} seconds.")
        await asyncio.sleep(EVERY)


def _understand(answer: Mapping[str, Any]) -> Status:
    try:
        return msgspec.convert(answer, Status)
    except msgspec.ValidationError as error:
        raise Unavailable(f"The app's answer is not one that this command knows: {error}") from None


def as_text(verdict: Verdict) -> str:
    status = verdict.status
    lines = [f"{status.name}: {WORDS[verdict.code]}"]
    for one in status.subscriptions:
        number = verdict.weight(one)
        found = f", {number} to deal with" if number else ""
        why = f": {one.reason}" if one.reason else ""
        lines.append(
            f"  {one.state.replace('_', ' '):<13} {one.name or one.subscription_id}{found}{why}"
        )
    if not status.complete:
        lines.append(f"  {INCOMPLETE}")
    return "".join(f"{plain(line)}\n" for line in lines)


def as_json(verdict: Verdict) -> str:
    said = {
        "verdict": WORDS[verdict.code],
        "exitCode": verdict.code,
        "threshold": verdict.threshold,
        "findings": verdict.findings,
        **msgspec.to_builtins(verdict.status),
    }
    return msgspec.json.encode(said).decode() + "\n"


def as_junit(verdict: Verdict) -> str:
    """A case a subscription, and one for whether all of them are known."""
    missing = "" if verdict.status.complete else f"<error message={attribute(INCOMPLETE)}/>"
    cases = [_case(verdict, one) for one in verdict.status.subscriptions]
    cases.append(_wrapped("everything is known", missing))
    name = attribute(verdict.status.name)
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return f"{head}<testsuites>\n<testsuite name={name}>\n{''.join(cases)}</testsuite>\n</testsuites>\n"


FORMATS = {"text": as_text, "json": as_json, "junit": as_junit}


def _case(verdict: Verdict, one: Standing) -> str:
    number = verdict.weight(one)
    inner = ""
    if number:
        listed = ", ".join(f"{count} {name}" for name, count in one.findings.items() if count)
        message = attribute(f"{number} to deal with")
        inner = f"<failure message={message}>{escape(listed)}</failure>"
    elif one.state in {"unknown", "never_scanned"}:
        inner = f"<error message={attribute(one.reason or one.state)}/>"
    elif one.state == "paused":
        inner = f"<skipped message={attribute(one.reason or one.state)}/>"
    return _wrapped(one.name or one.subscription_id, inner)


def _wrapped(name: str, inner: str) -> str:
    return f'<testcase classname="drift" name={attribute(name)}>{inner}</testcase>\n'
