"""`python -m dev.facts`: installs the packages into a scratch folder, reads them, rewrites or audits the facts."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from dev.facts.audit import audit
from dev.facts.generation import generate

HERE = Path(__file__).parent
TARGET = HERE.parents[1] / "drift" / "engine" / "facts" / "readonly"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m dev.facts", description=__doc__)
    parser.add_argument(
        "--packages", type=Path, help="a folder that the requirements are already installed into"
    )
    parser.add_argument(
        "--audit",
        action="store_true",
        help="change nothing; list the written facts that hide what a request takes",
    )
    arguments = parser.parse_args()
    act = report_audit if arguments.audit else report
    if arguments.packages is not None:
        act(arguments.packages)
        return
    with tempfile.TemporaryDirectory(prefix="drift-facts-") as scratch:
        install(Path(scratch))
        act(Path(scratch))


def install(target: Path) -> None:
    """Sources only: they are read, never imported, so none of their own requirements are needed."""
    requirements = HERE / "requirements.txt"
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run([*command, "--target", target, "--requirement", requirements], check=True)


def report(packages: Path) -> None:
    types = generate(packages, TARGET, HERE / "overrides.jsonl")
    size = sum(path.stat().st_size for path in TARGET.glob("*.json"))
    print(f"{types} resource types, {size / 1024:.0f} KiB in {TARGET}")


def report_audit(packages: Path) -> None:
    for suspicion in audit(packages):
        fact = suspicion.fact
        print(f"{fact.path} ({fact.kind}: {fact.reason}) hides {len(suspicion.hidden)}")
        for hidden in suspicion.hidden[:5]:
            print(f"    {hidden}")


if __name__ == "__main__":
    main()
