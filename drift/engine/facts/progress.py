"""Whether Azure is still working on a resource. What is read meanwhile is neither the old configuration nor the new.

A resource provider says so in `provisioningState`, a backup in `protectionState`. Every other value than these is
final, among them `Succeeded`, `Failed` and `Canceled` (Azure Resource Manager resource provider contract,
asynchronous operations).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from drift.engine.model import Json

_STATES = frozenset(
    {
        "provisioningstate",
        "provisioningstatus",
        "customhttpsprovisioningstate",
        "currentprotectionstate",
        "protectionstate",
    }
)
_WORDS = """
accepted activating adding allocating applying attaching building configuring configuringprotection
connecting creating deleting deploying detaching disabling enabling initializing
initialreplicationinprogress initialreplicationrecoverycompletionpending inprogress irpending
linking migrating moving new notspecified ongoing patching pending preparing provisioning queued
regenerating registering removing renewing resizing resolvingdns restarting restoring resuming rotating
running scaling starting stopping submitted transitioning unlinking unprovisioning updating updatingprotection upgrading
validating waiting waitingtoprovision
"""
_UNFINISHED = frozenset(_WORDS.split())


def unfinished_state(document: Mapping[str, Json]) -> str:
    """The state that says an operation is running on the resource or on a part of it; '' when it has settled."""
    return next(_unfinished(document, 0), "")


def _unfinished(value: Json | Mapping[str, Json], depth: int) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, member in value.items():
            if isinstance(member, str):
                if name.lower() in _STATES and _fold(member) in _UNFINISHED:
                    yield member
            elif depth < _DEEPEST:
                yield from _unfinished(member, depth + 1)
    elif isinstance(value, list) and depth < _DEEPEST:
        for item in value:
            yield from _unfinished(item, depth + 1)


def _fold(state: str) -> str:
    return state.replace(" ", "").replace("_", "").lower()


_DEEPEST = 5  # properties, an array, its item, the item's properties: the parts that providers give a state
