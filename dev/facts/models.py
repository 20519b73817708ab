"""Reads the models of a management package from its source text: which members exist, and which a request may set.

The packages come in two styles. Older ones declare `_attribute_map` and `_validation`; newer ones declare
`rest_field(visibility=[...])`. Nothing is imported, so that reading needs none of their dependencies.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

_TARGET = re.compile(r"_models\.(\w+)")
_OLD_TYPE = re.compile(r"^[\[\{]*(\w+)[\]\}]*$")


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a model as it is on the wire: `segments` has several names where the package flattens."""

    segments: tuple[str, ...]
    read_only: bool
    target: str = ""  # the model of its value, of its items or of its members; '' for a plain value
    depth: int = 0  # arrays and maps around the target


@dataclass(slots=True)
class Model:
    name: str
    bases: tuple[str, ...]
    members: dict[str, Member] = field(default_factory=dict)
    discriminated: bool = False


class Models:
    """The models of one package, with inheritance and subtypes resolved."""

    def __init__(self, models: Iterable[Model]) -> None:
        self._models = {model.name: model for model in models}
        self._children: dict[str, list[str]] = defaultdict(list)
        for model in self._models.values():
            for base in model.bases:
                self._children[base].append(model.name)

    def __contains__(self, name: str) -> bool:
        return name in self._models

    def members(self, name: str) -> Iterator[Member]:
        """The members of a model and of what may stand in its place: a value of a base type is one of its subtypes."""
        for candidate in (name, *self._subtypes(name)):
            yield from self._inherited(candidate).values()

    def _inherited(self, name: str) -> dict[str, Member]:
        model = self._models.get(name)
        if model is None:
            return {}
        found: dict[str, Member] = {}
        for base in reversed(model.bases):
            found.update(self._inherited(base))
        return found | model.members

    def _subtypes(self, name: str) -> Iterator[str]:
        for child in self._children[name]:
            if self._models[child].discriminated:
                yield child
                yield from self._subtypes(child)


def read_models(source: str) -> list[Model]:
    """Every model that a module's source declares, in either style."""
    classes = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    models = [_read_class(node) for node in classes]
    discriminated = {name for node in classes for name in _named_subtypes(node)}
    for model in models:
        model.discriminated = model.discriminated or model.name in discriminated
    return models


def _read_class(node: ast.ClassDef) -> Model:
    model = Model(
        name=node.name,
        bases=tuple(base for base in map(_last_name, node.bases) if base not in ("", node.name)),
        discriminated=any(keyword.arg == "discriminator" for keyword in node.keywords),
    )
    literals = _literals(node)
    if "_attribute_map" in literals:
        model.members = _old_members(literals["_attribute_map"], literals.get("_validation", {}))
    for statement in node.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.value, ast.Call):
            _add_rest_field(model, statement, statement.value)
    return model


def _literals(node: ast.ClassDef) -> dict[str, dict[str, dict[str, object]]]:
    """The class's own dictionaries of the older style, by name."""
    return {
        target.id: ast.literal_eval(statement.value)
        for statement in node.body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name)
        and target.id in {"_attribute_map", "_validation", "_subtype_map"}
    }


def _named_subtypes(node: ast.ClassDef) -> Iterator[str]:
    for subtypes in _literals(node).get("_subtype_map", {}).values():
        yield from map(str, subtypes.values())


def _old_members(
    attributes: dict[str, dict[str, object]], validation: dict[str, dict[str, object]]
) -> dict[str, Member]:
    members = {}
    for name, attribute in attributes.items():
        shape = str(attribute["type"])
        match = _OLD_TYPE.match(shape)
        target = match.group(1) if match else ""
        members[name] = Member(
            segments=_split_key(str(attribute["key"])),
            read_only=bool(validation.get(name, {}).get("readonly")),
            target=target if target[:1].isupper() else "",
            depth=shape.count("[") + shape.count("{"),
        )
    return members


def _split_key(key: str) -> tuple[str, ...]:
    """`properties.x` is x in properties; a dot of the name itself is written `\\.`."""
    return tuple(part.replace("\\.", ".") for part in re.split(r"(?<!\\)\.", key))


def _add_rest_field(model: Model, statement: ast.AnnAssign, call: ast.Call) -> None:
    if _last_name(call.func) not in {"rest_field", "rest_discriminator"}:
        return
    if not isinstance(statement.target, ast.Name):
        return
    arguments = {keyword.arg: keyword.value for keyword in call.keywords}
    wire = arguments.get("name")
    shape = ast.unparse(statement.annotation)
    target = _TARGET.search(shape)
    before = shape[: target.start()] if target else ""
    name = statement.target.id
    model.members[name] = Member(
        segments=(str(wire.value) if isinstance(wire, ast.Constant) else name,),
        read_only=_visibility(arguments.get("visibility")) == {"read"},
        target=target.group(1) if target else "",
        depth=len(re.findall(r"\b(?:list|List|dict|Dict)\[", before)),
    )


def _visibility(node: ast.expr | None) -> set[str]:
    return set(ast.literal_eval(node)) if node is not None else set()


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
