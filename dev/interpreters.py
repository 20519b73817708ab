"""Finds an installed Python by its version. Standard library only.

Run by itself it answers scripts: `python3 -m dev.interpreters 3.13` prints the path, or says why not and exits with 1.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

OLDEST = (3, 11)


class InterpreterError(Exception):
    """No such Python here; the message says what was tried."""


def find_interpreter(wanted: str) -> Path:
    """`wanted` is a version such as 3.13, or the path of an interpreter."""
    if os.sep in wanted:
        return _accept(Path(wanted))
    if not re.fullmatch(r"3\.\d+", wanted):
        raise InterpreterError(f"--python takes a version such as 3.13 or a path, not {wanted!r}.")
    tried: list[str] = []
    for candidate in _candidates(wanted):
        if read_version(candidate) == wanted:
            return _accept(candidate)
        tried.append(str(candidate))
    raise InterpreterError(
        f"no Python {wanted} was found. Tried: {', '.join(tried) or f'python{wanted} on PATH'}. "
        f"Install it (for example: pyenv install {wanted}) or name its path: --python /path/to/python{wanted}"
    )


def read_version(interpreter: Path) -> str | None:
    """Such as "3.13". None if it does not run: pyenv's shims exist for versions that are not switched on."""
    program = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        answer = subprocess.run(
            [interpreter, "-I", "-c", program],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


def _accept(interpreter: Path) -> Path:
    version = read_version(interpreter)
    if version is None:
        raise InterpreterError(f"{interpreter} is not a Python that runs.")
    if tuple(int(part) for part in version.split(".")) < OLDEST:
        raise InterpreterError(
            f"{interpreter} is Python {version}; 3.11 is the oldest that will do."
        )
    return interpreter


def _candidates(version: str) -> Iterator[Path]:
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        yield Path(sys.executable)
    on_path = shutil.which(f"python{version}")
    if on_path:
        yield Path(on_path)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    yield from sorted(pyenv.glob(f"{version}*/bin/python{version}"), key=_patch, reverse=True)


def _patch(interpreter: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", interpreter.parent.parent.name)]


if __name__ == "__main__":
    try:
        print(find_interpreter(sys.argv[1]))
    except InterpreterError as error:
        sys.exit(str(error))
