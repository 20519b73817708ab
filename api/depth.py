"""How deep a body may be nested.

Parsers recurse: the standard library's gives up at about 1,000 levels, msgspec at the same, pydantic's at 200, each
with an error of its own. One limit below all of them, and below the engine's for a resource, answers first and says
what is wrong. The deepest document of Azure's that was seen has sixteen levels.

It looks at the bytes, because it must answer before anything parses them: without strings and what is in them, brackets
alone say how deep a document is.
"""

from __future__ import annotations

from itertools import accumulate

LARGEST_DEPTH = 100
_OPENING = b"[{"
_STEPS = bytes(
    {**dict.fromkeys(_OPENING, 1), **dict.fromkeys(b"]}", 255)}.get(n, 0) for n in range(256)
)
_OTHERS = bytes(set(range(256)) - set(b"[]{}"))


def is_too_deep(body: bytes) -> bool:
    """Whether a JSON document goes deeper than LARGEST_DEPTH. What is no JSON may be said to, or not: it is refused
    either way. The body is UTF-8; in other encodings quotes and brackets are not these bytes."""
    if sum(body.count(bytes([one])) for one in _OPENING) <= LARGEST_DEPTH:
        return False
    # Escapes exist in strings only, so a quote that is left begins or ends one: every second piece lies outside.
    outside = body.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2]
    steps = b"".join(outside).translate(_STEPS, _OTHERS)
    depths = accumulate(memoryview(steps).cast("b"))  # 255 is -1 there
    return any(map(LARGEST_DEPTH.__lt__, depths))
