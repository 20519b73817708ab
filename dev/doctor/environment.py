"""Where the doctor learns of the deployment: this process's environment, and below it what azd remembers."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


class UnknownEnvironmentError(Exception):
    """There is no such azd environment; the message says which there are."""


def read_environment(
    name: str = "", *, project: Path = PROJECT, process: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """The settings of the deployment. `name` is an azd environment; '' is azd's default one, if there is any."""
    return {**read_azd(name, project), **process}


def read_azd(name: str, project: Path) -> dict[str, str]:
    folder = project / ".azure"
    config = folder / "config.json"
    if not name and config.exists():
        name = json.loads(config.read_text(encoding="utf-8")).get("defaultEnvironment", "")
    if not name:
        return {}
    file = folder / name / ".env"
    if not file.exists():
        known = sorted(one.parent.name for one in folder.glob("*/.env"))
        raise UnknownEnvironmentError(
            f"There is no azd environment {name!r} here. Known: {', '.join(known) or 'none'}."
        )
    return read_lines(file.read_text(encoding="utf-8"))


def read_lines(text: str) -> dict[str, str]:
    """azd writes NAME="value", with JSON's escapes."""
    values: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if not equals or name.startswith("#"):
            continue
        quoted = value.startswith('"') and value.endswith('"') and len(value) >= 2
        values[name] = json.loads(value) if quoted else value
    return values
