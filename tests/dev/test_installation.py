"""Against a project of the test's own, with real virtual environments and locks so small that nothing is downloaded."""

from __future__ import annotations

import hashlib
import stat
import sys
from pathlib import Path

import pytest

from dev.installation import Installation, InstallationError

NO_SUCH_PACKAGE = "drift-no-such-package==1 --hash=sha256:" + "0" * 64


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "requirements.lock").write_text("# nothing\n")
    (tmp_path / "dev" / "requirements-runtime.lock").write_text("# nothing\n")
    (tmp_path / "package-lock.json").write_text("{}")
    (tmp_path / "web" / "static").mkdir(parents=True)
    return tmp_path


def write_python(path: Path, script: str) -> Path:
    """A Python that says it is 3.99 and otherwise does what `script` says."""
    path.write_text(f'#!/bin/sh\ncase "$*" in *version_info*) echo 3.99; exit 0;; esac\n{script}\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_environment_is_made_once_and_renewed_when_a_lock_changes(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    interpreter = Installation(project).prepare(node=False)
    assert interpreter == project / ".venv" / "bin" / "python"
    assert "Creating .venv" in capsys.readouterr().err

    Installation(project).prepare(node=False)
    assert capsys.readouterr().err == ""

    (project / "dev" / "requirements.lock").write_text("# changed\n")
    Installation(project).prepare(node=False)
    said = capsys.readouterr().err
    assert "Installing the Python packages" in said
    assert "Creating" not in said


@pytest.mark.slow
def test_installation_that_failed_is_not_taken_for_done(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = project / "dev" / "requirements-runtime.lock"
    lock.write_text(NO_SUCH_PACKAGE)
    for _ in range(2):
        with pytest.raises(
            InstallationError, match=r"(?s)pip could not.*drift-no-such-package.*HTTPS_PROXY"
        ):
            Installation(project).prepare(node=False)
    lock.write_text("# nothing\n")
    Installation(project).prepare(node=False)


@pytest.mark.slow
def test_environment_whose_python_is_gone_is_made_again(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / ".venv" / "bin").mkdir(parents=True)
    (project / ".venv" / "bin" / "python").symlink_to(project / "removed")
    interpreter = Installation(project).prepare(node=False)
    assert interpreter.exists()


def test_python_without_ensurepip_says_what_to_install(project: Path, tmp_path: Path) -> None:
    python = write_python(tmp_path / "python", "echo 'ensurepip is not available.'; exit 1")
    with pytest.raises(InstallationError, match="apt-get install python3-venv"):
        Installation(project).prepare(str(python), node=False)
    assert not (project / ".venv-3.99").exists()


def test_another_version_gets_an_environment_of_its_own(project: Path, tmp_path: Path) -> None:
    python = write_python(tmp_path / "python", "exit 1")
    installation = Installation(project)
    assert installation.find_environment(None) == project / ".venv"
    assert installation.find_environment(sys.executable) == project / ".venv"
    assert installation.find_environment(str(python)) == project / ".venv-3.99"


def test_scripts_of_the_pages_are_put_where_the_app_serves_them(project: Path) -> None:
    source = project / "node_modules" / "htmx.org" / "dist" / "htmx.min.js"
    source.parent.mkdir(parents=True)
    source.write_text("// one")
    digest = hashlib.sha256((project / "package-lock.json").read_bytes()).hexdigest()
    (project / "node_modules" / ".installed").write_text(digest)
    target = project / "web" / "static" / "htmx.min.js"
    for version in ("// one", "// two"):
        source.write_text(version)
        Installation(project).prepare()
        assert target.read_text() == version
