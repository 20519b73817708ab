"""The vocabulary of facts: what is known about a path of a resource type, why, and who says so."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from drift.engine.model import Json


class FactKind(StrEnum):
    """What a fact says about the value at its path.

    Kinds answer three independent questions, and each question has its own winner: is the value compared
    (`DROPPING`, `VOLATILE_DATE`, `KEPT`), what does an array mean (`SET`, `ORDERED`, `IDENTITY`, and beside
    them `ALLOW_LIST`), and how is a value read (the rest).
    """

    READ_ONLY = "readOnly"  # Azure computes it; no request can set it
    VOLATILE = (
        "volatile"  # changes without anybody's doing: stamps, tags of entities, versions of a run
    )
    STATE = "state"  # how it is doing, not how it is configured
    BACK_REFERENCE = "backReference"  # another resource's configuration, seen from here
    PLATFORM_TAG = "platformTag"  # a tag that Azure writes for itself
    VOLATILE_DATE = "volatileDate"  # dropped when the value is an instant, compared otherwise
    KEPT = "kept"  # compared, although a wider fact would drop it
    SET = "set"  # an array whose order means nothing; also what is assumed where nothing is said
    ORDERED = "ordered"  # an array whose order is configuration
    IDENTITY = "identity"  # `keys` together name an item of the array
    ALLOW_LIST = "allowList"  # [] means "nobody" and is not the same as missing
    CASE_INSENSITIVE = "caseInsensitive"
    LOCATION = "location"  # "West Europe" is westeurope
    SECRET = "secret"  # noqa: S105  # the word, not one
    SHOWN = "shown"  # secrets here are answered with: one that is missing was taken away
    DEFAULT = "default"  # what a missing member means: equal to `value`, it says nothing
    IMPLIED = "implied"  # what a missing member means, too, but shown where it is: between the two nothing changed
    REFERENCE = "reference"  # names another resource; only the `id` counts, the rest is that one's configuration
    OWNED = "owned"  # Azure's own while the sibling `keys` has one of the texts in `value`
    PRESENCE = "presence"  # that it is there is configuration, even when nothing else of it is
    CONTENT = "content"  # a person wrote it as a whole (a workflow): no name in it is noise
    AUTOSCALED = "autoscaled"  # moves by itself within the band that the siblings `keys` hold

    @property
    def is_dropping(self) -> bool:
        """Whether the value, and everything below it, is left out of the canonical form."""
        return self in _DROPPING


_DROPPING = frozenset(
    {
        FactKind.READ_ONLY,
        FactKind.VOLATILE,
        FactKind.STATE,
        FactKind.BACK_REFERENCE,
        FactKind.PLATFORM_TAG,
    }
)


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is known about a path.

    `segments` are lower case, for Azure's keys come in several letter cases. `*` is any item of an array or
    any member of an object; `*` inside a segment stands for any text (`last*`, `*time`); a first `**` is any
    depth, none included. A fact about an array sits on the array, one about its items ends in `*`.
    """

    segments: tuple[str, ...]
    kind: FactKind
    reason: str
    source: str
    keys: tuple[str, ...] = ()
    """IDENTITY: the naming members. AUTOSCALED: minimum, maximum, switch. OWNED: the sibling."""
    value: Json = None
    """DEFAULT and IMPLIED: the value that a missing member stands for. OWNED: the sibling's texts, lower case."""

    @property
    def path(self) -> str:
        return "/" + "/".join(self.segments)


@dataclass(frozen=True, slots=True)
class TypeFacts:
    """Everything known about one resource type.

    `facts` go from weak to strong: global ones, those generated from Microsoft's models, those written for the
    type. Of the facts of one question that match a path, the last one wins.
    """

    resource_type: str  # lower case
    facts: tuple[Fact, ...]
    generated_from: (
        str  # the package and version that the read-only paths come from; '' where there is none
    )


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a path of a resource type is compared or not."""

    resource_type: str
    path: str
    compared: bool
    reason: str
    facts: tuple[Fact, ...]  # those that decide, the one that drops the path first
