"""Makes the package that is deployed: dist/package holds the sources, the locked packages and their bytecode.

Everything is made here instead of by a build in Azure. What was tested is what runs, hash by hash; and bytecode is
compiled for the Python that Azure runs, without which a cold start costs four times the CPU: the package is read-only
there, so Python could never keep what it compiles.
"""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from dev.interpreters import InterpreterError, find_interpreter
from infra.hooks.commands import HookError, tell

PROJECT = Path(__file__).resolve().parents[2]
DESTINATION = Path("dist", "package")
PACKAGES = Path(".python_packages", "lib", "site-packages")  # where the Functions worker looks
PYTHON = "3.13"  # infra/app/site.bicep says the same
# Flex Consumption is Linux on x86-64. pip does not deduce older platforms from a newer one that is named.
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
IGNORE_FILE = ".funcignore"
SCRIPT = PurePosixPath("web", "static", "htmx.min.js")
# Without this file in it, azd would leave every __pycache__ out of a Python package.
IGNORE_NOTHING = "# Chosen by infra/hooks/package.py: all of this is deployed.\n"
_UNKNOWN_PATTERN = re.compile(r"^!|\*\*|./.")


def main() -> int:
    try:
        _require_scripts(PROJECT)
        build(PROJECT, PROJECT / DESTINATION)
    except HookError as error:
        tell(f"Package: {error}")
        return 1
    return 0


def build(project: Path, destination: Path) -> None:
    """Raises HookError, and leaves no half-made package behind."""
    python = _find_python()
    shutil.rmtree(destination, ignore_errors=True)
    try:
        count = copy_sources(project, destination)
        install_packages(python, project / "requirements.lock", destination / PACKAGES)
        compile_bytecode(python, destination)
    except HookError:
        shutil.rmtree(destination, ignore_errors=True)
        raise
    (destination / IGNORE_FILE).write_text(IGNORE_NOTHING, encoding="utf-8")
    tell(f"Package: {count} files, the locked packages and bytecode for Python {PYTHON}.")


def _require_scripts(project: Path) -> None:
    """The pages' scripts of others are no sources: dev.py puts them beside ours."""
    if not (project / SCRIPT).exists():
        raise HookError(f"{SCRIPT} is missing. Run: python3 dev.py assets")


def copy_sources(project: Path, destination: Path) -> int:
    """Copies what .funcignore lets through, and returns how many files that are."""
    count = 0
    for file in chosen_files(project):
        target = destination / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(project / file, target)
        count += 1
    return count


def chosen_files(project: Path) -> Iterator[PurePosixPath]:
    """Paths of the files that are deployed, relative to the project."""
    patterns = [*read_ignored(project / IGNORE_FILE), IGNORE_FILE]
    for folder, folders, files in os.walk(project):
        here = PurePosixPath(Path(folder).relative_to(project).as_posix())
        folders[:] = sorted(name for name in folders if not _is_ignored(here / name, patterns))
        for name in sorted(files):
            if not _is_ignored(here / name, patterns):
                yield here / name


def read_ignored(file: Path) -> list[str]:
    """The patterns of an ignore file: names with `*`, at any depth or, after a slash, of the project's own folder. What
    is more is refused, not guessed."""
    lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    patterns = [line for line in lines if line and not line.startswith("#")]
    for pattern in patterns:
        if _UNKNOWN_PATTERN.search(pattern):
            raise HookError(
                f"{IGNORE_FILE}: {pattern!r} is not understood here; name a file or folder."
            )
    return [pattern.rstrip("/") for pattern in patterns]


def install_packages(python: Path, lock: Path, target: Path) -> None:
    """The locked packages for Azure's platform, whatever this machine is; nothing is built, nothing runs."""
    command: list[str | Path] = [python, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    command += ["install", "--quiet", "--require-hashes", "--no-deps", "--no-compile"]
    command += ["--only-binary", ":all:", "--implementation", "cp", "--python-version", PYTHON]
    for platform in PLATFORMS:
        command += ["--platform", platform]
    command += ["--target", target, "--requirement", lock]
    _run(command, "pip could not install the packages")
    shutil.rmtree(target / "bin", ignore_errors=True)  # commands for people


def compile_bytecode(python: Path, folder: Path) -> None:
    """Unchecked: packing changes the times of files, after which Python would take its bytecode for stale."""
    command: list[str | Path] = [python, "-m", "compileall", "-q", "-j", "0"]
    command += ["--invalidation-mode", "unchecked-hash", folder]
    _run(command, "a file does not compile")


def _is_ignored(path: PurePosixPath, patterns: list[str]) -> bool:
    names = {path.name} if path.parent.parts else {path.name, f"/{path.name}"}
    return any(fnmatch.fnmatchcase(name, pattern) for name in names for pattern in patterns)


def _find_python() -> Path:
    try:
        return find_interpreter(PYTHON)
    except InterpreterError as error:
        raise HookError(
            f"Python {PYTHON} is needed here, because Azure runs that and bytecode is of one version: {error}"
        ) from error


def _run(command: list[str | Path], failure: str) -> None:
    ended = subprocess.run(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if ended.returncode != 0:
        raise HookError(f"{failure}:\n{ended.stdout.strip()}")


if __name__ == "__main__":
    sys.exit(main())
