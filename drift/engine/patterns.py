"""Patterns on paths, resource ids and names: `*` stands for any text, `**` for any number of segments.

Tenants write them, so there is no regular expression here: the cost is at most the product of both lengths.
Letter case never matters, as in Azure Resource Manager.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from errors import Invalid

MAX_LENGTH = 600  # the longest ids seen are a little over 400 characters
MAX_WILDCARDS = 12

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class SegmentPattern:
    """A pattern of segments divided by `/`, for JSON Pointers and resource ids."""

    segments: tuple[str, ...]

    def matches(self, text: str) -> bool:
        return _match(self.segments, split(text), _is_deep, like)

    def covers(self, text: str) -> bool:
        """Whether the pattern matches the text or something above it, as a resource group is above its resources."""
        return _match((*self.segments, "**"), split(text), _is_deep, like)


@lru_cache(maxsize=4096)
def compile_segments(text: str, *, field: str) -> SegmentPattern:
    """Raises Invalid, naming the field, for a pattern that cannot mean anything or could cost too much."""
    check_name(text, field=field)
    if not text.startswith("/"):
        raise Invalid("A pattern starts with '/', such as /properties/siteConfig/*.", field=field)
    if text == "/":
        raise Invalid("A pattern needs at least one segment; /** matches everything.", field=field)
    segments = split(text)
    if any("**" in segment and segment != "**" for segment in segments):
        raise Invalid("'**' stands alone between slashes; inside a segment use '*'.", field=field)
    return SegmentPattern(segments)


def check_name(text: str, *, field: str) -> None:
    """The bounds that hold for every pattern."""
    if len(text) > MAX_LENGTH:
        raise Invalid(f"A pattern has at most {MAX_LENGTH} characters.", field=field)
    if text.count("*") > MAX_WILDCARDS:
        raise Invalid(f"A pattern has at most {MAX_WILDCARDS} asterisks.", field=field)
    if any(not character.isprintable() for character in text):
        raise Invalid("A pattern has printable characters only.", field=field)


def split(text: str) -> tuple[str, ...]:
    """The segments of a pointer or id, folded. '' is the whole resource and has none."""
    trimmed = text.strip("/").lower()
    return tuple(trimmed.split("/")) if trimmed else ()


def like(pattern: str, text: str) -> bool:
    """Whether a folded text is what a folded pattern describes."""
    if "*" not in pattern:
        return pattern == text
    return _match(pattern, text, _is_star, str.__eq__)


def _is_star(character: str) -> bool:
    return character == "*"


def _is_deep(segment: str) -> bool:
    return segment == "**"


def _match(
    pattern: Sequence[Item],
    text: Sequence[Item],
    is_star: Callable[[Item], bool],
    equal: Callable[[Item, Item], bool],
) -> bool:
    """Greedy matching that only ever returns to the last star, so that no pattern is exponential."""
    at = seen = resume = 0
    star = -1
    while seen < len(text):
        if at < len(pattern) and is_star(pattern[at]):
            star, resume = at, seen
            at += 1
        elif at < len(pattern) and equal(pattern[at], text[seen]):
            at, seen = at + 1, seen + 1
        elif star >= 0:
            resume += 1
            at, seen = star + 1, resume
        else:
            return False
    return all(is_star(item) for item in pattern[at:])
