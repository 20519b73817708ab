"""`dev.py demo` as a new user runs it: the findings are the edit script, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from dev.demo.edits import EDITS, WHOLE
from dev.demo.organisations import CONTOSO, FABRIKAM

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def demo() -> tuple[dict[str, Any], str]:
    """The demo's JSON and what it said meanwhile."""
    finished = subprocess.run(
        [sys.executable, "-m", "dev.demo", "--once", "--json", "--port", "0"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert finished.returncode == 0, finished.stderr[-4000:]
    return json.loads(finished.stdout), finished.stderr


def test_findings_equal_the_edit_script(demo: tuple[dict[str, Any], str]) -> None:
    report, _ = demo
    assert report["missed"] == []
    assert report["false"] == []
    for organisation in (CONTOSO, FABRIKAM):
        script = [edit for edit in EDITS if edit.organisation is organisation and edit.paths]
        tenant = next(one for one in report["tenants"] if one["name"] == organisation.name)
        found = sorted(
            sorted(change["path"] for change in finding["changes"])
            for finding in tenant["findings"]
        )
        assert found == sorted(sorted(edit.paths) for edit in script)
        subscriptions = {subscription_id for subscription_id, _ in organisation.subscriptions}
        assert {finding["subscriptionId"] for finding in tenant["findings"]} <= subscriptions


def test_edits_that_are_no_drift_were_silent(demo: tuple[dict[str, Any], str]) -> None:
    report, _ = demo
    assert report["silent"] == [edit.title for edit in EDITS if not edit.paths]
    assert len(report["silent"]) == 2


def test_every_finding_is_confirmed_and_attributed(demo: tuple[dict[str, Any], str]) -> None:
    report, _ = demo
    findings = [finding for tenant in report["tenants"] for finding in tenant["findings"]]
    assert {finding["evidence"] for finding in findings} == {"confirmed"}
    who = {finding["attribution"]["changedBy"] for finding in findings}
    assert who == {edit.by for edit in EDITS if edit.paths}


def test_before_and_after_are_told(demo: tuple[dict[str, Any], str]) -> None:
    report, _ = demo
    changes = {
        change["path"]: (change["before"], change["after"])
        for tenant in report["tenants"]
        for finding in tenant["findings"]
        for change in finding["changes"]
        if change["path"] != WHOLE
    }
    ssh = "/properties/securityRules/[name=allow-ssh-bastion]/properties/sourceAddressPrefix"
    assert changes[ssh] == ("10.0.250.0/27", "*")
    assert changes["/properties/httpsOnly"] == (True, False)
    assert changes["/properties/sku/capacity"] == (1, 2)
    assert changes["/tags/owner"][1] is None


def test_a_webhook_of_each_organisation_was_told_of_what_is_loud(
    demo: tuple[dict[str, Any], str],
) -> None:
    report, _ = demo
    for tenant in report["tenants"]:
        told = [one for one in report["notices"] if one["tenant"] == tenant["name"]]
        loud = [
            finding["resourceId"].rpartition("/")[2]
            for finding in tenant["findings"]
            if finding["severity"] in {"critical", "high"}
        ]
        assert loud
        assert sorted(name for one in told for name in one["resources"]) == sorted(loud)
        assert sum(one["total"] for one in told) == len(loud)
        assert all(one["headline"].startswith("New drift: ") for one in told)


def test_nothing_is_left_running(demo: tuple[dict[str, Any], str]) -> None:
    report, _ = demo
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{report['url']}/healthz", timeout=5)
