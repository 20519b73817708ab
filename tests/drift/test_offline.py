from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from drift.__main__ import main

ROOT = Path(__file__).parents[2]
GROUP = "/subscriptions/1/resourceGroups/a/providers"
Run = Callable[..., "Outcome"]


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def findings(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


def account(name: str, **properties: Any) -> dict[str, Any]:
    resource_id = f"{GROUP}/Microsoft.Storage/storageAccounts/{name}"
    kind = "Microsoft.Storage/storageAccounts"
    return {"id": resource_id, "name": name, "type": kind, "properties": properties}


BEFORE = [
    account("one", allowBlobPublicAccess=False),
    account("two", minimumTlsVersion="TLS1_2"),
    account("three", supportsHttpsTrafficOnly=True),
]
AFTER = [
    account("four"),
    account("two", minimumTlsVersion="TLS1_2"),
    account("one", allowBlobPublicAccess=True),
]


def lines(documents: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(document) + "\n" for document in documents)


@pytest.fixture
def run(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> Run:
    """Runs `compare` on two texts, as JSON if not told otherwise."""

    def run(before: str, after: str, *options: str, form: str = "json") -> Outcome:
        for name, text in (("before", before), ("after", after)):
            (tmp_path / name).write_text(text, encoding="utf-8")
        files = [str(tmp_path / "before"), str(tmp_path / "after")]
        code = main(["compare", *files, "--format", form, *options])
        out, err = capsysbinary.readouterr()
        return Outcome(code, out.decode(), err.decode())

    return run


def test_equal_inventories_have_no_drift(run: Run) -> None:
    assert run(lines(BEFORE), lines(BEFORE[::-1])) == Outcome(0, "", "")


def test_a_child_that_its_parent_embeds_is_one_finding(run: Run) -> None:
    network = f"{GROUP}/Microsoft.Network/virtualNetworks/net"
    kind = "Microsoft.Network/virtualNetworks"

    def inventory(prefix: str, flag: bool) -> str:
        properties = {"addressPrefix": prefix}
        subnets = [{"name": "web", "properties": properties}]
        child = {"id": f"{network}/subnets/web", "type": f"{kind}/subnets"}
        whole = {"subnets": subnets, "enableDdosProtection": flag}
        parent = {"id": network, "type": kind, "properties": whole}
        return lines([parent, child | {"properties": properties}])

    one = run(inventory("10.0.0.0/24", True), inventory("10.0.0.0/16", True)).findings
    assert [f["resourceId"] for f in one] == [f"{network}/subnets/web"]
    two = run(inventory("10.0.0.0/24", True), inventory("10.0.0.0/16", False)).findings
    assert [[change["path"] for change in f["changes"]] for f in two] == [
        ["/properties/enableDdosProtection"],
        ["/properties/addressPrefix"],
    ]


def test_drift_is_one_line_a_finding(run: Run) -> None:
    outcome = run(lines(BEFORE), lines(AFTER))
    assert outcome.code == 2
    assert [(f["resourceId"][-4:], f["change"]) for f in outcome.findings] == [
        ("four", "added"),
        ("/one", "modified"),
        ("hree", "removed"),
    ]
    assert outcome.findings[1] == {
        "resourceId": f"{GROUP}/Microsoft.Storage/storageAccounts/one",
        "resourceType": "microsoft.storage/storageaccounts",
        "change": "modified",
        "severity": "high",
        "changes": [
            {
                "path": "/properties/allowBlobPublicAccess",
                "kind": "modified",
                "before": False,
                "after": True,
                "severity": "high",
            }
        ],
    }


@pytest.mark.parametrize(
    "form",
    [
        json.dumps,
        lambda documents: json.dumps(documents, indent=2),
        lambda documents: json.dumps({"count": 3, "data": documents, "skip_token": None}),
        lambda documents: json.dumps({"count": 3, "data": documents}, indent=4),
        lambda documents: json.dumps({"value": documents, "nextLink": ""}),
        lambda documents: "\ufeff\n\n" + lines(documents),
        lambda documents: lines(documents).replace("\n", "\r\n\r\n").rstrip(),
    ],
    ids=["array", "pretty", "graph", "pretty-graph", "list", "mark", "crlf"],
)
def test_every_form_of_inventory_reads_alike(
    run: Run, form: Callable[[list[dict[str, Any]]], str]
) -> None:
    expected = run(lines(BEFORE), lines(AFTER)).out
    assert run(form(BEFORE), form(AFTER)).out == expected
    assert run(lines(BEFORE), form(AFTER)).out == expected


def test_empty_list_is_an_inventory_and_an_empty_file_is_none(run: Run) -> None:
    assert [f["change"] for f in run("[]", lines(BEFORE)).findings] == ["added"] * 3
    outcome = run("", lines(BEFORE))
    assert (outcome.code, outcome.out) == (1, "")
    assert "is empty" in outcome.err


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        ('{"id": ', "line 2: not valid JSON"),
        ('{"id": "/a"} x', "line 2: not valid JSON"),
        ("[1]", "line 2: not a JSON object"),
        ('{"name": "a"}', "line 2: no id"),
        ('{"id": 7}', "line 2: no id"),
        ('{"id":"/a","x":' + "[" * 200_000 + "]" * 200_000 + "}", "line 2: nested too deep"),
    ],
)
def test_broken_line_is_named_and_nothing_is_printed(run: Run, broken: str, problem: str) -> None:
    text = lines(BEFORE[:1]) + broken + "\n" + lines(BEFORE[1:])
    for outcome in (run(text, lines(AFTER)), run(lines(AFTER), text)):
        assert (outcome.code, outcome.out) == (1, "")
        assert problem in outcome.err
    lenient = run(text, lines(AFTER), "--lenient", "--stats")
    assert lenient.code == 2
    assert len(lenient.findings) == 3
    assert json.loads(lenient.err)["skipped"] == {problem.partition(": ")[2]: 1}


def test_document_without_a_type_is_named(run: Run) -> None:
    text = lines([*BEFORE, {"id": "/nothing"}])
    outcome = run(text, lines(BEFORE))
    assert (outcome.code, outcome.out) == (1, "")
    assert "/nothing" in outcome.err
    assert run(text, lines(BEFORE), "--lenient").code == 0


def test_item_of_an_array_is_named_by_its_line(run: Run) -> None:
    text = json.dumps([*BEFORE[:1], {"name": "x"}], indent=0)
    line = text.splitlines().index('"name": "x"')
    assert f"line {line}: no id" in run(text, "[]").err


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (json.dumps({"data": BEFORE, "skip_token": "ew0K"}), "one page of several"),
        (json.dumps({"nextLink": "https://x", "value": BEFORE}), "one page of several"),
        (json.dumps(BEFORE)[:-1], "the array does not end"),
        (json.dumps(BEFORE) + json.dumps(BEFORE), "something follows the array"),
    ],
)
def test_part_of_an_inventory_is_not_taken_for_the_whole(run: Run, text: str, problem: str) -> None:
    outcome = run(lines(BEFORE), text)
    assert (outcome.code, outcome.out) == (1, "")
    assert problem in outcome.err


def test_file_of_another_encoding_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.json"
    file.write_text(lines(BEFORE), encoding="utf-16")
    assert main(["compare", str(file), str(file)]) == 1
    assert "UTF-16" in capsys.readouterr().err


def test_missing_file_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(tmp_path / "no"), str(tmp_path / "no")]) == 1
    assert "no: No such file" in capsys.readouterr().err


def test_later_document_about_a_resource_counts(run: Run) -> None:
    changed = account("one", allowBlobPublicAccess=True)
    outcome = run(lines(BEFORE), lines([changed, *BEFORE]), "--stats")
    assert outcome.code == 0
    assert json.loads(outcome.err)["skipped"] == {"an earlier document about the same resource": 1}


def test_large_items_are_read_over_many_chunks(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drift.inventories.CHUNK", 7)
    tricky = account("one", note='}]"\\"[{ \\')
    assert run(json.dumps([tricky, *BEFORE[1:]]), lines(AFTER)).code == 2
    assert run(json.dumps([tricky], indent=1), lines([tricky])).code == 0


def test_secrets_are_compared_and_not_shown(run: Run) -> None:
    before, after = (account("one", adminPassword=f"hunter{number}") for number in (1, 2))
    outcome = run(lines([before]), lines([after]))
    assert outcome.code == 2
    assert "hunter" not in outcome.out
    assert outcome.findings[0]["changes"][0]["before"].startswith("hmac:")


def test_text_names_severity_path_values_and_meaning(run: Run) -> None:
    outcome = run(lines(BEFORE), lines(AFTER), form="text")
    assert outcome.code == 2
    assert "~ /properties/allowBlobPublicAccess false -> true" in outcome.out
    assert "high: Containers may be made readable for anybody" in outcome.out
    assert outcome.out.endswith("3 resources drifted (2 high, 1 medium); 1 are as before.\n")
    assert run(lines(BEFORE), lines(BEFORE), form="text").out.startswith("No drift: 3 resources")


def test_text_lets_no_value_steer_the_terminal(run: Run) -> None:
    evil = account("one", note="\x1b[2J\x9b2J\u202e", x="y" * 1000)
    out = run(lines([account("one")]), lines([evil]), form="text").out
    assert out.isascii() or "\u202e" not in out
    assert not {"\x1b", "\x9b"} & set(out)
    assert max(map(len, out.splitlines())) < 300


def test_sarif_has_a_result_a_change_and_the_rules_it_names(run: Run) -> None:
    log = json.loads(run(lines(BEFORE), lines(AFTER), form="sarif").out)
    (sarif_run,) = log["runs"]
    assert log["version"] == "2.1.0"
    names = [rule["id"] for rule in sarif_run["tool"]["driver"]["rules"]]
    assert names == ["added", "storage-anonymous-blobs", "removed-with-data"]
    assert [result["level"] for result in sarif_run["results"]] == ["warning", "error", "error"]
    for result in sarif_run["results"]:
        assert names[result["ruleIndex"]] == result["ruleId"]
        assert result["locations"][0]["logicalLocations"][0]["kind"] == "resource"
    states = [result["baselineState"] for result in sarif_run["results"]]
    assert states == ["new", "updated", "absent"]
    assert json.loads(run("[]", "[]", form="sarif").out)["runs"][0]["results"] == []


def rules_file(tmp_path: Path, **rule: Any) -> str:
    file = tmp_path / "rules.json"
    base = {
        "action": "ignore",
        "reason": "known",
        "author": "ada",
        "expiresAt": "2999-01-01T00:00:00Z",
    }
    file.write_text(json.dumps([base | rule]))
    return str(file)


def test_rules_hide_and_rate(run: Run, tmp_path: Path) -> None:
    before, after = lines(BEFORE[:1]), lines(AFTER[2:])
    hidden = run(before, after, "--rules", rules_file(tmp_path, path="/properties/*"), "--stats")
    assert (hidden.code, hidden.out) == (0, "")
    assert json.loads(hidden.err)["ignored"] == 1
    rated = rules_file(tmp_path, path="/properties/*", action="severity", severity="low")
    assert run(before, after, "--rules", rated).findings[0]["severity"] == "low"
    expired = rules_file(tmp_path, path="/properties/*", expiresAt="2020-01-01T00:00:00Z")
    assert run(before, after, "--rules", expired).code == 2


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ({"path": "properties"}, "rule 1, path: "),
        ({"path": "/a", "reason": ""}, "rule 1, reason: "),
        ({"path": "/a", "expiresAt": "soon"}, "expiresAt"),
        ({"path": "/a", "colour": "red"}, "colour"),
    ],
)
def test_bad_rule_is_named(run: Run, tmp_path: Path, rule: dict[str, Any], problem: str) -> None:
    outcome = run("[]", "[]", "--rules", rules_file(tmp_path, **rule))
    assert (outcome.code, outcome.out) == (1, "")
    assert problem in outcome.err


def test_stats_count_documents_bytes_and_seconds(run: Run) -> None:
    before = lines(BEFORE)
    stats = json.loads(run(before, lines(AFTER), "--stats").err)
    assert stats["documents"] == {"before": 3, "after": 3}
    assert stats["bytes"]["before"] == len(before) - 3  # without the line ends
    assert stats["seconds"] > 0
    assert stats["findings"] == {"medium": 1, "high": 2}
    assert stats["unchanged"] == 1


def test_explain_says_what_becomes_of_a_secret(capsys: pytest.CaptureFixture[str]) -> None:
    main(["explain", "Microsoft.Compute/virtualMachines", "/properties/osProfile/adminPassword"])
    assert "leaves it out, nothing is said" in capsys.readouterr().out
    main(["explain", "Microsoft.Web/sites/config", "/properties/DB_PASSWORD"])
    assert "changed, added or removed, never shown" in capsys.readouterr().out
    main(["explain", "Microsoft.Web/sites/config", "/properties/MODE"])
    assert "secret" not in capsys.readouterr().out


def test_explain_says_why_a_path_is_compared_or_not(capsys: pytest.CaptureFixture[str]) -> None:
    network = "Microsoft.Network/virtualNetworks"
    assert main(["explain", network, "/properties/subnets/[name=web]/etag"]) == 0
    assert "not compared: " in capsys.readouterr().out
    assert main(["explain", network, "/properties/addressSpace/addressPrefixes"]) == 0
    assert "\ncompared: " in capsys.readouterr().out


def test_wrong_usage_is_an_error_and_not_drift(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["compare", "one"])
    assert caught.value.code == 1
    assert "AFTER" in capsys.readouterr().err


def turned_round(value: Any) -> Any:
    """The same members, in the opposite order."""
    if isinstance(value, dict):
        return {name: turned_round(value[name]) for name in reversed(value)}
    return [turned_round(one) for one in value] if isinstance(value, list) else value


def compare_in_a_process(folder: Path, *options: str, seed: int) -> bytes:
    command = [sys.executable, "-m", "drift", "compare", "before", "after", *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": str(seed)}
    told = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
    assert told.returncode == 2, told.stderr
    return told.stdout


@pytest.mark.parametrize("form", ["text", "json", "sarif"])
def test_same_states_and_rules_give_the_same_bytes(tmp_path: Path, form: str) -> None:
    """I09: in any process, whatever order documents and their members come in."""
    rules = rules_file(tmp_path, path="/tags/a*")
    tags = {"tags": {f"{letter}{number}": "x" for letter in "abc" for number in range(9)}}
    found = set()
    for seed in (1, 2, 3):
        before, after = BEFORE, [one | tags for one in AFTER]
        if seed > 1:
            before, after = turned_round(before[::-1]), turned_round(after[::-1])
        (tmp_path / "before").write_text(lines(before))
        (tmp_path / "after").write_text(lines(after))
        found.add(compare_in_a_process(tmp_path, "--rules", rules, "--format", form, seed=seed))
    assert len(found) == 1


def test_reader_that_has_seen_enough_is_no_crash(tmp_path: Path) -> None:
    (tmp_path / "before").write_text("[]")
    (tmp_path / "after").write_text(lines([account(f"n{n}", x="y" * 99) for n in range(3000)]))
    command = [sys.executable, "-m", "drift", "compare", "before", "after", "--format", "json"]
    read, write = os.pipe()
    os.close(read)
    process = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=write,
        stderr=subprocess.PIPE, check=False, timeout=60,
    )  # fmt: skip
    os.close(write)
    assert b"Traceback" not in process.stderr
