"""From a folder of installed packages to data files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dev.facts.generation import UNWRITTEN, generate

URL = "/subscriptions/{s}/providers/Microsoft.X/"

MODELS = """
class Thing(_Model):
    id: str = rest_field(visibility=["read"])
    state: str = rest_field(visibility=["read"])
    size: int = rest_field(visibility=["read", "create"])
"""

OPERATIONS = f'''
def build_get(**kwargs):
    _url = "{URL}things/{{n}}"
    return HttpRequest(method="GET", url=_url)

def build_put(**kwargs):
    _url = "{URL}things/{{n}}"
    return HttpRequest(method="PUT", url=_url)

def build_run(**kwargs):
    _url = "{URL}things/{{n}}/runs/{{r}}"
    return HttpRequest(method="GET", url=_url)

def build_part(**kwargs):
    _url = "{URL}things/{{n}}/parts/{{r}}"
    return HttpRequest(method="GET", url=_url)

class Operations:
    def get(self) -> _models.Thing:
        build_get()
    def put(self, body: _models.Thing) -> _models.Thing:
        build_put()
    def run(self) -> _models.Thing:
        build_run()
    def part(self) -> _models.Thing:
        build_part()
'''


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    folder = tmp_path / "packages"
    module = folder / "azure" / "mgmt" / "x"
    info = folder / "azure_mgmt_x-1.2.3.dist-info"
    for path in (module / "models", module / "operations", info):
        path.mkdir(parents=True)
    (module / "models" / "_models.py").write_text(MODELS)
    (module / "operations" / "_operations.py").write_text(OPERATIONS)
    (info / "RECORD").write_text("azure/mgmt/x/models/__init__.py,sha256=x,1\n")
    return folder


def run(packages: Path, tmp_path: Path) -> tuple[int, Path]:
    overrides = tmp_path / "overrides.jsonl"
    overrides.write_text('{"type":"*","path":"id","reason":"identity"}\n')
    target = tmp_path / "readonly"
    return generate(packages, target, overrides), target


def entries(target: Path) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = json.loads((target / "microsoft.x.json").read_text())[
        "types"
    ]
    return found


def test_each_type_has_its_paths_and_its_source(packages: Path, tmp_path: Path) -> None:
    count, target = run(packages, tmp_path)
    assert count == 2
    assert entries(target)["microsoft.x/things"] == {
        "source": "azure-mgmt-x 1.2.3",
        "paths": {"state": 0},
    }


def test_record_that_no_request_writes_has_no_configuration(packages: Path, tmp_path: Path) -> None:
    _, target = run(packages, tmp_path)
    assert entries(target)["microsoft.x/things/runs"]["paths"] == UNWRITTEN


def test_part_that_no_request_writes_is_left_alone(packages: Path, tmp_path: Path) -> None:
    _, target = run(packages, tmp_path)
    assert "microsoft.x/things/parts" not in entries(target)


def test_file_of_a_namespace_that_is_gone_is_removed(packages: Path, tmp_path: Path) -> None:
    _, target = run(packages, tmp_path)
    (target / "microsoft.gone.json").write_text("{}")
    run(packages, tmp_path)
    assert [path.name for path in target.iterdir()] == ["microsoft.x.json"]


def test_same_packages_give_the_same_bytes(packages: Path, tmp_path: Path) -> None:
    _, target = run(packages, tmp_path)
    before = (target / "microsoft.x.json").read_bytes()
    run(packages, tmp_path)
    assert (target / "microsoft.x.json").read_bytes() == before
