"""docs/deploy.md names what there is: settings of the parameter file, alerts, files, commands."""

from __future__ import annotations

import json
import re

from dev.commands import COMMANDS
from tests.infra.bicep import PROJECT, read

GUIDE = (PROJECT / "docs" / "deploy.md").read_text(encoding="utf-8")


def test_every_setting_of_a_deployment_is_in_the_guide_with_its_default() -> None:
    table = GUIDE.partition("### Settings of a deployment")[2].partition("\n##")[0]
    for value in json.loads(read("main.parameters.json"))["parameters"].values():
        name, _, default = value["value"].strip("${}").partition("=")
        if name in {"AZURE_ENV_NAME", "AZURE_LOCATION", "DRIFT_BUDGET_START"}:
            continue  # azd asks for them; the hook keeps the last
        (row,) = re.findall(rf"^\|[^|\n]*`{name}`[^|\n]*\| ([^|\n]*) \|", table, re.MULTILINE)
        if default:
            assert f"`{default}`" in row, name


def test_settings_of_the_guide_exist() -> None:
    known = "".join(
        [
            read("main.parameters.json"),
            (PROJECT / "infra" / "hooks" / "registration.py").read_text(),
            read("main.bicep"),
        ]
    )
    named = set(re.findall(r"\bDRIFT_[A-Z_]+\b", GUIDE))
    assert {name for name in named if name not in known} == set()


def test_every_alert_is_in_the_guide() -> None:
    names = re.findall(r"^    name: '([a-z-]+)'$", read("app/alerts.bicep"), re.MULTILINE)
    table = GUIDE.partition("## Alerts and workbook")[2]
    assert re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE) == [*names, "storage-throttling"]


def test_files_and_commands_of_the_guide_exist() -> None:
    for file in re.findall(r"`?((?:infra|tests|docs)/[\w./-]+\.\w+)", GUIDE):
        assert (PROJECT / file).exists(), file
    for link in re.findall(r"\]\((\w+\.md)\)", GUIDE):
        assert (PROJECT / "docs" / link).exists(), link
    for command in re.findall(r"dev\.py (\w+)", GUIDE):
        assert command in COMMANDS


def test_outputs_that_the_guide_asks_azd_for_exist() -> None:
    outputs = set(re.findall(r"^output (\w+)", read("main.bicep"), re.MULTILINE))
    hooks = (PROJECT / "infra" / "hooks" / "registration.py").read_text()
    remembered = outputs | set(re.findall(r'remember\("(\w+)"', hooks))
    asked = set(re.findall(r"azd env get-value (\w+)", GUIDE))
    assert asked
    assert asked <= remembered


def test_readme_deploys_in_five_lines() -> None:
    readme = (PROJECT / "README.md").read_text()
    section = readme.partition("\n## Deploy\n")[2].partition("\n## ")[0]
    commands = re.findall(r"^```\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert len(commands) == 1
    assert len(commands[0].splitlines()) == 5
    assert "docs/deploy.md" in section
