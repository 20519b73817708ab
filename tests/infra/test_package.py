"""What `azd package` puts together: the product, its locked packages, its bytecode, and nothing else."""

from __future__ import annotations

import hashlib
import re
import subprocess
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from dev.interpreters import InterpreterError, find_interpreter
from infra.hooks.commands import HookError
from infra.hooks.package import (
    PACKAGES,
    PYTHON,
    build,
    chosen_files,
    read_ignored,
)
from tests.infra.bicep import PROJECT, read

DEPLOYED = {
    "api",
    "drift",
    "tenancy",
    "errors.py",
    "function_app.py",
    "host.json",
    "requirements.txt",
    "settings.py",
    "telemetry.py",
}
# Pages come with the assets they were built into, not with what these were built from.
PAGES = {"web"} if (PROJECT / "web").exists() else set()


@pytest.fixture(scope="module")
def chosen() -> list[PurePosixPath]:
    return list(chosen_files(PROJECT))


def test_package_holds_the_product_and_nothing_else(chosen: list[PurePosixPath]) -> None:
    assert {file.parts[0] for file in chosen} == DEPLOYED | PAGES


def test_package_holds_every_module_and_fact_of_the_product(chosen: list[PurePosixPath]) -> None:
    wanted = {
        PurePosixPath(file.relative_to(PROJECT))
        for folder in (*DEPLOYED, *PAGES)
        for file in (PROJECT / folder).rglob("*.*")
        if file.is_file() and file.suffix != ".pyc"
    }
    assert wanted
    assert wanted - set(chosen) == set()
    assert PurePosixPath("drift/engine/facts/global.jsonl") in chosen


def test_package_holds_no_tools_no_tests_and_no_settings_of_this_machine(
    chosen: list[PurePosixPath],
) -> None:
    parts = {part for file in chosen for part in file.parts}
    never = {"dev", "dev.py", "tests", "bench", "infra", "docs", "node_modules", ".venv", "dist"}
    assert parts & (never | {"local.settings.json", "local.settings.sample.json", ".git"}) == set()
    assert [file for file in chosen if file.suffix in {".pyc", ".lock", ".md"}] == []


def test_azd_deploys_that_folder_as_it_is() -> None:
    text = (PROJECT / "azure.yaml").read_text()
    assert re.search(r"^    dist: dist/package\b", text, re.MULTILINE)
    assert re.search(r"^    remoteBuild: false\b", text, re.MULTILINE)
    service = text.partition("services:")[2].partition("\nhooks:")[0]
    assert "-m infra.hooks.package" in service.partition("prepackage:")[2]
    assert f"version: '{PYTHON}'" in read("app/site.bicep")


@pytest.mark.parametrize("pattern", ["!keep", "a/b", "**/x", "/a/b"])
def test_pattern_that_is_not_understood_is_refused(tmp_path: Path, pattern: str) -> None:
    file = tmp_path / ".funcignore"
    file.write_text(f"# comment\n\nfolder/\n{pattern}\n")
    with pytest.raises(HookError, match="not understood"):
        read_ignored(file)
    file.write_text("# comment\n\nfolder/\n*.txt\n")
    assert read_ignored(file) == ["folder", "*.txt"]


def test_leading_slash_is_the_projects_own_folder_and_a_name_any(tmp_path: Path) -> None:
    for file in ("dist/a.js", "web/dist/b.js", "web/__pycache__/c.pyc", "x.txt", "web/x.txt"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    (tmp_path / ".funcignore").write_text("/dist\n__pycache__/\n/*.txt\n")
    assert {str(file) for file in chosen_files(tmp_path)} == {"web/dist/b.js", "web/x.txt"}


def make_wheel(folder: Path, name: str) -> str:
    """A package of one module; returns its digest."""
    info = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": "VALUE = 41 + 1\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    wheel = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


@pytest.fixture
def python() -> Path:
    try:
        return find_interpreter(PYTHON)
    except InterpreterError:
        pytest.skip(f"no Python {PYTHON} here: the package cannot be compiled for Azure")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small function app with one locked package, which is found on this machine."""
    project, wheels = tmp_path / "project", tmp_path / "wheels"
    for folder in (project / "api", project / "tests", wheels):
        folder.mkdir(parents=True)
    (project / ".funcignore").write_text((PROJECT / ".funcignore").read_text())
    (project / "function_app.py").write_text("import locked\nfrom api import area\n")
    (project / "api" / "area.py").write_text("def fail() -> None:\n    raise ValueError\n")
    (project / "tests" / "test_it.py").write_text("")
    digest = make_wheel(wheels, "locked")
    (project / "requirements.lock").write_text(f"locked==1.0 --hash=sha256:{digest}\n")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    return project


def test_package_has_its_packages_and_bytecode_that_is_taken_as_it_is(
    project: Path, python: Path, tmp_path: Path
) -> None:
    package = tmp_path / "package"
    build(project, package)
    compiled = {str(file.relative_to(package)) for file in package.rglob("*.pyc")}
    assert {file.replace("cpython-313", "*") for file in compiled} == {
        "__pycache__/function_app.*.pyc",
        "api/__pycache__/area.*.pyc",
        f"{PACKAGES}/__pycache__/locked.*.pyc",
    }
    for file in compiled:
        flags = int.from_bytes((package / file).read_bytes()[4:8], "little")
        assert flags == 0b01  # a hash, and not checked against the source
    assert not (package / "tests").exists()
    ignored = (package / ".funcignore").read_text().splitlines()
    assert [line for line in ignored if not line.startswith("#")] == []
    # Bytecode is what runs: a source that has become newer, or other, is not even read.
    (package / "api" / "area.py").write_text("raise SystemExit('source was compiled again')\n")
    answer = subprocess.run(
        [python, "-B", "-c", "import function_app as f; print(f.locked.VALUE); f.area.fail()"],
        cwd=package,
        env={"PYTHONPATH": str(package / PACKAGES)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.stdout == "42\n"
    assert "ValueError" in answer.stderr


def test_package_that_was_tampered_with_is_not_deployed(project: Path, python: Path) -> None:
    (project / "requirements.lock").write_text(f"locked==1.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(HookError, match="pip could not install"):
        build(project, project / "dist" / "package")
    assert not (project / "dist" / "package").exists()


def test_file_that_does_not_compile_is_not_deployed(project: Path, python: Path) -> None:
    (project / "api" / "area.py").write_text("def broken(:\n")
    with pytest.raises(HookError, match="does not compile"):
        build(project, project / "dist" / "package")
    assert not (project / "dist" / "package").exists()
