"""An export has everything that is a tenant's, says what it means, and ends."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from datetime import timedelta
from typing import Any

import pytest

from drift.backups import exporting, making, zips
from drift.backups.jobs import Job, JobStatus
from drift.backups.kinds import KINDS
from drift.backups.members import ExportKind, members_of
from drift.saved_views import save_view
from errors import Conflict, NotFound
from tenancy.rows import Row
from tenancy.store import Table
from tests.drift.backups.conftest import Vaulted, now

# Rows that say nothing of their own: leases, lists and counts that are made of findings, codes that work once.
DERIVED = {
    Table.FINDING: ("c.", "w.", "n.", "o."),
    Table.SUBSCRIPTION: ("lease.", "pace.", "slot.", "versions."),
    Table.SETTINGS: ("slot.",),
    Table.DELIVERY: ("p.",),
    Table.USER: ("guard", "invitation."),
}


async def export(vaulted: Vaulted) -> Job:
    job = await exporting.request_export(await vaulted.context(), now=now())
    return await vaulted.run(job)


async def files(vaulted: Vaulted, job: Job) -> dict[str, list[Any]]:
    """What is in the parts: name -> lines."""
    found: dict[str, list[Any]] = {}
    for part in job.parts:
        data = await vaulted.blob(part.blob)
        assert (len(data), hashlib.sha256(data).hexdigest()) == (part.size, part.sha256)
        archive = zipfile.ZipFile(io.BytesIO(data))
        assert archive.testzip() is None
        for name in archive.namelist():
            text = archive.read(name).decode()
            lines = text.splitlines()
            found[name] = [json.loads(one) for one in lines] if name.endswith(".jsonl") else lines
    return found


async def test_everything_of_the_tenant_is_in_it(vaulted: Vaulted) -> None:
    await vaulted.watched.change_settings(fourEyes=True)
    await vaulted.watched.api.request("POST", "/api/approvals/four-eyes-off", {"reason": "x"})
    job = await export(vaulted)
    assert job.status is JobStatus.DONE, job.reason
    found = await files(vaulted, job)
    subscription = vaulted.watched.subscription_id
    (finding,) = found["findings.jsonl"]
    assert finding["resource_id"] == vaulted.watched.account("alpha")["id"]
    assert finding["status"] == "acknowledged"
    assert finding["changes"][0]["path"] == "/properties/allowBlobPublicAccess"
    assert [one["reason"] for one in found["rules.jsonl"]] == ["noise"]
    assert {one["name"] for one in found["users.jsonl"]} == {"Ada", "Olga"}
    (settings,) = found["settings.jsonl"]
    assert (settings["retention"]["scans"], settings["four_eyes"]) == (90, True)
    assert found["settings-history.jsonl"][0]["after"] == settings
    assert {one["action"] for one in found["audit.jsonl"]} >= {"baseline.activate", "rule.add"}
    assert len(found["approvals-of-settings.jsonl"]) == 1
    assert {one["status"] for one in found["scans.jsonl"]} == {"complete"}
    live = {one["resource_id"]: one for one in found[f"resources/{subscription}.jsonl"]}
    account = live[vaulted.watched.account("alpha")["id"]]
    assert account["configuration"]["properties"]["allowBlobPublicAccess"] is True
    baselines = {one["name"]: one["id"] for one in found["baselines.jsonl"]}
    agreed = {one["resource_id"]: one for one in found[f"baselines/{baselines['agreed']}.jsonl"]}
    before = agreed[vaulted.watched.account("alpha")["id"]]
    assert before["configuration"]["properties"]["allowBlobPublicAccess"] is False
    assert len(agreed) == 4


async def test_every_member_of_every_row_is_described_or_left_out_for_a_reason(
    vaulted: Vaulted,
) -> None:
    """By this a kind of row that is new, or a member, is in the export or consciously not."""
    await vaulted.watched.change_settings(fourEyes=True)
    await vaulted.watched.api.request("POST", "/api/approvals/four-eyes-off", {"reason": "x"})
    await talk(vaulted)
    context = await vaulted.context()
    for table in Table:
        if table in {Table.TENANT, Table.PACK, Table.CONFIGURATION, Table.USAGE, Table.BACKUP}:
            continue
        async for row in context.store.rows(table):
            if row.key.startswith(DERIVED.get(table, ("\0",))):
                continue
            kind = kind_of(table, row)
            unknown = members_of(row).keys() - kind.fields.keys() - kind.left_out
            assert unknown == set(), (kind.name, unknown)


async def talk(vaulted: Vaulted) -> None:
    """What is said of a finding, kept of the list, and told to others."""
    api, context = vaulted.watched.api, await vaulted.context()
    (finding, *_) = await vaulted.watched.findings()
    path = f"/api/findings/{finding['id']}"
    await api.request("POST", f"{path}/comments", {"text": "seen"})
    until = (now() + timedelta(days=1)).isoformat()
    await api.request("POST", f"{path}/snooze", {"until": until})
    await save_view(context, "mine", "show=all", now=now())
    target = {"url": "https://localhost:1/x", "key": "routing"}
    channel = {"name": "pager", "kind": "pagerduty", "target": target}
    made = await api.request("POST", "/api/channels", channel)
    await api.request("POST", f"/api/channels/{made['id']}/test")
    window = {"startsAt": "2099-01-01T00:00:00Z", "endsAt": "2099-01-02T00:00:00Z"}
    window |= {"name": "release"}
    await api.request("POST", "/api/maintenance-windows", {**window, "deployers": ["ada"]})


def kind_of(table: Table, row: Row) -> ExportKind:
    (kind,) = [
        kind
        for kind in KINDS
        if kind.table is table
        and row.key.startswith(kind.prefix)
        and (not kind.below or row.key < kind.below)
    ]
    return kind


async def test_g06_export_is_no_spreadsheet_and_says_what_it_means(vaulted: Vaulted) -> None:
    job = await export(vaulted)
    found = await files(vaulted, job)
    assert {name.rpartition(".")[2] for name in found} == {"md", "jsonl"}
    text = "\n".join(found["README.md"])
    for kind in KINDS:
        assert f"## {kind.name}.jsonl" in text
        assert f"{kind.name}.jsonl" in found
        for line in found[f"{kind.name}.jsonl"]:
            assert line.keys() <= {*kind.fields, kind.key}
            for member in line:
                assert f"- `{member}`: " in text
    for secret in (vaulted.watched.organisation.secret, "secret_name"):
        assert secret not in json.dumps(found)


async def test_large_export_is_cut_into_zip_files_that_are_whole(
    vaulted: Vaulted, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = await files(vaulted, await export(vaulted))
    monkeypatch.setattr(zips, "PART", 3_000)
    job = await export(vaulted)
    assert len(job.parts) > 2
    assert all(part.size < 20_000 for part in job.parts)
    found = await files(vaulted, job)
    assert any(name.endswith(".2.jsonl") for name in found)
    audits = [name for name in found if name.startswith("audit.")]
    lines = [one for name in sorted(audits) for one in found[name]]
    known = {one["id"] for one in whole["audit.jsonl"]}
    assert known <= {one["id"] for one in lines}


async def test_download_is_told_is_for_admins_and_ends(vaulted: Vaulted) -> None:
    job = await export(vaulted)
    http = vaulted.watched.http
    path = f"/api/export/archives/{job.job_id}"
    listed = (await http.get(path)).json()
    assert (listed["status"], listed["parts"][0]["number"]) == ("done", 1)
    answer = await http.get(f"{path}/parts/1")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"] == 'attachment; filename="drift-export-1.zip"'
    assert hashlib.sha256(answer.content).hexdigest() == listed["parts"][0]["sha256"]
    audit = await vaulted.watched.api.every("/api/audit?action=export.download")
    assert [(one["target"], one["detail"]) for one in audit] == [(job.job_id, {"part": "1"})]
    for part in ("2", "0", "-1", "x", "1.zip"):
        assert (await http.get(f"{path}/parts/{part}")).status_code == 404
    context = await vaulted.context()
    over = now() + timedelta(days=7, minutes=1)
    with pytest.raises(NotFound, match="over"):
        await exporting.open_part(context, job.job_id, "1", now=over)
    assert await making.tidy(context, now=over) == 1
    assert await context.blobs.list("exports/") == []
    assert (await http.get(path)).status_code == 404


async def test_g08_name_of_a_download_is_made_of_nothing_that_somebody_chose(
    vaulted: Vaulted,
) -> None:
    job = await export(vaulted)
    path = f"/api/export/archives/{job.job_id}/parts/"
    for part in ('1";x="', "1%0d%0aX-Evil:1", "..%2f1", "1;a"):
        answer = await vaulted.watched.http.get(path + part)
        assert answer.status_code in {404, 422}
        assert "content-disposition" not in answer.headers
        assert "x-evil" not in answer.headers


async def test_one_export_at_a_time(vaulted: Vaulted) -> None:
    context = await vaulted.context()
    await exporting.request_export(context, now=now())
    with pytest.raises(Conflict, match="being made already"):
        await exporting.request_export(context, now=now())
