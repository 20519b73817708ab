"""What azd remembers of a deployment is found where azd keeps it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dev.doctor.environment import UnknownEnvironmentError, read_environment

LINES = """\
AZURE_ENV_NAME="prod"
# a comment
DRIFT_URL="https://func.example.net"
DRIFT_NOTE="say \\"hello\\""
PLAIN=value
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in (("prod", LINES), ("test", 'DRIFT_URL="https://test.example.net"\n')):
        folder = tmp_path / ".azure" / name
        folder.mkdir(parents=True)
        (folder / ".env").write_text(text)
    (tmp_path / ".azure" / "config.json").write_text(json.dumps({"defaultEnvironment": "prod"}))
    return tmp_path


def test_default_environment_of_azd_is_read(project: Path) -> None:
    assert read_environment(project=project, process={}) == {
        "AZURE_ENV_NAME": "prod",
        "DRIFT_URL": "https://func.example.net",
        "DRIFT_NOTE": 'say "hello"',
        "PLAIN": "value",
    }


def test_process_wins_and_another_environment_can_be_named(project: Path) -> None:
    process = {"DRIFT_URL": "http://localhost:7071"}
    assert read_environment("test", project=project, process=process) == process
    assert read_environment("test", project=project, process={})["DRIFT_URL"] == (
        "https://test.example.net"
    )


def test_unknown_environment_is_refused_with_those_there_are(project: Path) -> None:
    with pytest.raises(UnknownEnvironmentError, match=r"'staging' here\. Known: prod, test"):
        read_environment("staging", project=project, process={})


def test_without_azd_the_process_is_all_there_is(tmp_path: Path) -> None:
    assert read_environment(project=tmp_path, process={"A": "b"}) == {"A": "b"}
