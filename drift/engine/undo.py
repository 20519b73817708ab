"""What would put a finding back: `az` commands, the properties as a REST body, and as Bicep. Made here, never run.

Ids, names and values come from Azure and whoever could write there: everything is quoted for the shell or for Bicep,
and what cannot be said safely in a command is not said in one.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from drift.engine.findings import Finding
from drift.engine.model import Change, ChangeKind, Json
from drift.engine.patterns import like
from drift.engine.pointers import unescape

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_IDENTIFIED = re.compile(r"\[.*\]|\d+", re.DOTALL)
FILE = Path(__file__).parent / "irreversible.json"
SECRET = "A secret in it is not stored here: put its value in yourself."  # noqa: S105 - a sentence
DELETES = "This deletes the resource and what is in it, for good."
EMPTY = "What was stored inside the resource does not come back with it."


class Irreversible(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A property that Azure does not let one set back, and why."""

    types: tuple[str, ...]
    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Undo:
    """One way back: what it does, the command, and what to beware of."""

    title: str
    command: str
    cautions: tuple[str, ...] = ()


def undo(finding: Finding, baseline: Json) -> list[Undo]:
    """The commands that put the finding's resource back; `baseline` is the whole resource as agreed, where there is
    one. Changes that rules hide are left as they are."""
    if finding.kind is ChangeKind.ADDED:
        return [_delete(finding.resource_id)]
    if finding.kind is ChangeKind.REMOVED:
        return [_create(finding.resource_id, baseline)]
    tags = [change for change in finding.changes if change.path.startswith("/tags/")]
    others = [change for change in finding.changes if not change.path.startswith("/tags/")]
    return [*_tags(finding.resource_id, tags), *_update(finding, others, baseline)]


def properties(finding: Finding, baseline: Json) -> Json:
    """Of the resource as agreed, what differs now: a REST body. None when there is nothing to set."""
    if not isinstance(baseline, dict) or finding.kind is ChangeKind.ADDED:
        return None
    if finding.kind is ChangeKind.REMOVED:
        return baseline
    body: dict[str, Any] = {}
    for target in _targets(finding.changes):
        known, value = _value_at(baseline, target)
        if known:
            _put(body, target, value)
    return body or None


def bicep(finding: Finding, body: Json) -> str:
    """The same as Bicep, with the version of the API left to the reader; '' when there is nothing to say."""
    name = finding.resource_id.rpartition("/")[2]
    if not isinstance(body, dict):
        return ""
    lines = {"name": name, **{key: body[key] for key in body if key not in {"id", "name", "type"}}}
    kind = _bicep_text(f"{finding.resource_type}@API-VERSION")
    return f"resource drifted {kind} = {_bicep(lines, 0)}\n"


def irreversible(resource_type: str, path: str) -> str:
    """Why a property cannot be set back, '' when it can as far as is known."""
    for fact in _facts():
        here = path == fact.path or path.startswith(fact.path + "/")
        if here and any(like(pattern, resource_type.lower()) for pattern in fact.types):
            return fact.reason
    return ""


@cache
def _facts() -> tuple[Irreversible, ...]:
    return tuple(msgspec.json.decode(FILE.read_bytes(), type=list[Irreversible]))


def _delete(resource_id: str) -> Undo:
    command = _az("resource", "delete", "--ids", resource_id)
    return Undo("Delete the resource", command, (DELETES,))


def _create(resource_id: str, baseline: Json) -> Undo:
    command = _az("resource", "create", "--id", resource_id, "--is-full-object")
    cautions = (EMPTY, SECRET) if _holds_secret(baseline) else (EMPTY,)
    title = "Make it again from the body below, saved as baseline.json"
    return Undo(title, f"{command} --properties @baseline.json", cautions)


def _tags(resource_id: str, changes: Sequence[Change]) -> Iterator[Undo]:
    back = [(_tag(one), one.before) for one in changes if one.before is not None]
    away = [(_tag(one), one.after) for one in changes if one.before is None]
    for title, operation, pairs in (
        ("Set the tags back", "Merge", back),
        ("Remove the tags that were added", "Delete", away),
    ):
        if pairs:
            tags = [f"{name}={value}" for name, value in pairs]
            ways = ("--resource-id", resource_id, "--operation", operation, "--tags", *tags)
            yield Undo(title, _az("tag", "update", *ways))


def _tag(change: Change) -> str:
    return unescape(change.path.removeprefix("/tags/"))


def _update(finding: Finding, changes: Sequence[Change], baseline: Json) -> Iterator[Undo]:
    """One command for everything that can be set; an array goes back as a whole, for `az` knows no names in it."""
    arguments: list[str] = []
    cautions: dict[str, None] = {}
    for target in _targets(changes):
        known, value = _value_at(baseline, target)
        single = next((one for one in changes if _segments(one.path) == list(target)), None)
        if single is not None:
            known, value = single.before is not None, single.before
        elif baseline is None:
            continue
        dotted = ".".join(target)
        written = json.dumps(value, separators=(",", ":"))  # ASCII: nothing in it can hide
        arguments += ["--set", f"{dotted}={written}"] if known else ["--remove", dotted]
        if _holds_secret(value):
            cautions[SECRET] = None
    for change in changes:
        if reason := irreversible(finding.resource_type, change.path):
            cautions[reason] = None
    if arguments:
        command = _az("resource", "update", "--ids", finding.resource_id, *arguments)
        yield Undo("Set the properties back", command, tuple(cautions))


def _targets(changes: Iterable[Change]) -> list[tuple[str, ...]]:
    """The members that `az` can name which hold the changes: each path up to the first thing it cannot."""
    found: dict[tuple[str, ...], None] = {}
    for change in changes:
        target: list[str] = []
        for segment in _segments(change.path):
            if not _PLAIN.fullmatch(segment) or _IDENTIFIED.fullmatch(segment):
                break
            target.append(segment)
        if target:
            found[tuple(target)] = None
    # What lies within another target is set with it.
    return [one for one in found if not any(one[: len(o)] == o for o in found if o != one)]


def _segments(path: str) -> list[str]:
    return [unescape(segment) for segment in path.split("/")[1:]]


def _value_at(document: Json, target: Sequence[str]) -> tuple[bool, Json]:
    for name in target:
        if not isinstance(document, dict) or name not in document:
            return False, None
        document = document[name]
    return True, document


def _put(body: dict[str, Any], target: Sequence[str], value: Json) -> None:
    for name in target[:-1]:
        body = body.setdefault(name, {})
    body[target[-1]] = value


def _holds_secret(value: Json) -> bool:
    if isinstance(value, dict):
        return any(_holds_secret(item) for item in value.values())
    if isinstance(value, list):
        return any(_holds_secret(item) for item in value)
    return isinstance(value, str) and value.startswith(("hmac:", "<redacted>"))


def _az(*words: str) -> str:
    """A command of which every word stays one word, whatever is in it."""
    return " ".join(["az", *(shlex.quote(_printable(word)) for word in words)])


def _printable(text: str) -> str:
    """Without control characters and what turns writing round: a terminal shows what it runs."""
    return "".join(character for character in text if character.isprintable())


def _bicep(value: Json, depth: int) -> str:
    pad = "  " * (depth + 1)
    if isinstance(value, dict):
        lines = [
            f"{pad}{_bicep_key(key)}: {_bicep(item, depth + 1)}" for key, item in value.items()
        ]
        return "{\n" + "\n".join(lines) + "\n" + "  " * depth + "}" if lines else "{}"
    if isinstance(value, list):
        lines = [f"{pad}{_bicep(item, depth + 1)}" for item in value]
        return "[\n" + "\n".join(lines) + "\n" + "  " * depth + "]" if lines else "[]"
    if isinstance(value, str):
        return _bicep_text(value)
    if isinstance(value, float):
        return f"json({_bicep_text(repr(value))})"  # Bicep has whole numbers only
    return msgspec.json.encode(value).decode()


def _bicep_key(key: str) -> str:
    return key if _PLAIN.fullmatch(key) else _bicep_text(key)


def _bicep_text(text: str) -> str:
    escaped = _printable(text).replace("\\", "\\\\").replace("'", "\\'").replace("${", "\\${")
    return f"'{escaped}'"
