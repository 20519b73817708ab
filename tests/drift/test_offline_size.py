"""Inventories that do not fit into memory are compared all the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

GROUP = "/subscriptions/1/resourceGroups/a/providers/Microsoft.Network/virtualNetworks"
ROOT = Path(__file__).parents[2]
DOCUMENTS = 60_000  # of 3.3 kB: 200 MB a side
LARGEST = 130 << 10  # kilobytes, Python and the engine included


def _document(number: int, *, prefix: str) -> dict[str, Any]:
    subnets = [
        {
            "name": f"subnet-{n}",
            "properties": {"addressPrefix": f"10.0.{n}.0/24", "note": "x" * 230},
        }
        for n in range(10)
    ]
    return {
        "id": f"{GROUP}/vnet-{number}",
        "type": "Microsoft.Network/virtualNetworks",
        "properties": {"addressSpace": {"addressPrefixes": [prefix]}, "subnets": subnets},
    }


def _write(file: Path, *, is_answer: bool, edited: int) -> None:
    with file.open("w") as output:
        output.write('{"data": [' if is_answer else "")
        for number in range(DOCUMENTS):
            prefix = "10.1.0.0/16" if number == edited else "10.0.0.0/16"
            output.write("," if is_answer and number else "")
            output.write(json.dumps(_document(number, prefix=prefix)) + "\n")
        output.write("]}" if is_answer else "")


@pytest.mark.slow
def test_hundreds_of_megabytes_are_streamed(tmp_path: Path) -> None:
    _write(tmp_path / "before", is_answer=False, edited=-1)
    _write(tmp_path / "after", is_answer=True, edited=DOCUMENTS // 2)
    command = [sys.executable, "-m", "drift", "compare", "before", "after", "--format", "json"]
    with (tmp_path / "found").open("wb") as output:
        process = subprocess.Popen(
            command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=output
        )
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 2
    (found,) = (tmp_path / "found").read_text().splitlines()
    assert json.loads(found)["resourceId"] == f"{GROUP}/vnet-{DOCUMENTS // 2}"
    assert usage.ru_maxrss < LARGEST
    for name in ("before", "after"):
        (tmp_path / name).unlink()  # pytest keeps the folder
