"""Finds the management packages in a folder they were installed into, and reads what each declares."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dev.facts.models import Models, read_models
from dev.facts.operations import Usage, read_operations

_VERSION_FOLDER = re.compile(r"^v(\d{4}_\d{2}_\d{2})(_preview)?$")
_DIST_INFO = re.compile(r"^(azure_mgmt_.+)-([^-]+)\.dist-info$")


@dataclass(frozen=True, slots=True)
class Declarations:
    """The models and operations of one API version of a package."""

    source: str  # package and version, for people
    models: Models
    usages: dict[str, Usage]


def read_packages(folder: Path) -> Iterator[Declarations]:
    """Newest stable API version of a package first: for a type in several, the first one counts."""
    for info in sorted(folder.glob("azure_mgmt_*.dist-info")):
        match = _DIST_INFO.match(info.name)
        if match is None:
            continue
        source = f"{match.group(1).replace('_', '-')} {match.group(2)}"
        for variant in sorted(_variants(folder, info), key=_age):
            yield _read_variant(variant, source)


def _variants(folder: Path, info: Path) -> set[Path]:
    """The folders of a package that hold models and operations; packages of old style have one an API version."""
    record = (info / "RECORD").read_text(encoding="utf-8")
    found = re.findall(r"^(azure/[^,\n]+)/models/__init__\.py,", record, re.MULTILINE)
    paths = {folder / name for name in found if "/aio" not in name}
    return {path for path in paths if (path / "operations").is_dir()}


def _age(variant: Path) -> tuple[bool, int, str]:
    match = _VERSION_FOLDER.match(variant.name)
    if match is None:
        return (False, 0, variant.name)
    return (match.group(2) is not None, -int(match.group(1).replace("_", "")), variant.name)


def _read_variant(variant: Path, source: str) -> Declarations:
    typed = [variant / "models" / name for name in ("_models_py3.py", "_models.py")]
    path = next((path for path in typed if path.is_file()), None)
    modules = [path] if path else sorted((variant / "models").glob("_*models*.py"))
    models = [model for module in modules for model in read_models(_text(module))]
    operations = sorted((variant / "operations").glob("_*operations.py"))
    return Declarations(source, Models(models), read_operations(map(_text, operations)))


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def find_owners(usages: dict[str, Usage]) -> dict[str, frozenset[str]]:
    """Which resource types a model is the answer of."""
    owners: dict[str, set[str]] = defaultdict(set)
    for resource_type, usage in usages.items():
        for model in usage.results:
            owners[model].add(resource_type)
    return {model: frozenset(types) for model, types in owners.items()}
