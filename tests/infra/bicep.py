"""What tests read out of the Bicep files: declarations with their decorators, and lists of names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
INFRA = PROJECT / "infra"
DEPLOYMENT = (INFRA / "main.bicep", *sorted((INFRA / "app").glob("*.bicep")))
CUSTOMER = INFRA / "customer" / "lighthouse.bicep"  # what customers deploy in theirs
FILES = (*DEPLOYMENT, CUSTOMER)
_DECLARATION = re.compile(r"^(param|output) (\w+) (\w+)(?: = (.*))?$")


@dataclass(frozen=True, slots=True)
class Declaration:
    file: str
    kind: str
    name: str
    type: str
    value: str
    decorators: tuple[str, ...]

    @property
    def place(self) -> str:
        return f"{self.file}: {self.kind} {self.name}"

    @property
    def description(self) -> str:
        found = (re.fullmatch(r"@description\('(.+)'\)", one) for one in self.decorators)
        return next((one[1] for one in found if one), "")


def read(name: str) -> str:
    return (INFRA / name).read_text(encoding="utf-8")


def declarations() -> Iterator[Declaration]:
    for file in FILES:
        decorators: list[str] = []
        for line in file.read_text(encoding="utf-8").splitlines():
            found = _DECLARATION.match(line)
            if found:
                kind, name, type_, value = found.groups()
                yield Declaration(file.name, kind, name, type_, value or "", tuple(decorators))
            decorators = [*decorators, line] if line.startswith("@") else []


def names_in(text: str, variable: str) -> list[str]:
    """The strings of `var NAME = [...]`."""
    block = re.search(rf"^var {variable} = \[\n(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    assert block, variable
    return re.findall(r"'([^']+)'", block[1])


def block_of(text: str, start: str) -> str:
    """From `start` to the brace that closes it."""
    at = text.index(start)
    depth = 0
    for offset, letter in enumerate(text[at:]):
        depth += {"{": 1, "}": -1}.get(letter, 0)
        if letter == "}" and depth == 0:
            return text[at : at + offset + 1]
    raise AssertionError(f"{start} is never closed")
