"""The grammar of ARM ids. Ids are case-insensitive: `key` is what two spellings of one id share."""

from __future__ import annotations

from dataclasses import dataclass


def fold(resource_id: str) -> str:
    return resource_id.rstrip("/").lower()


@dataclass(frozen=True, slots=True)
class ArmId:
    """A path below /subscriptions/…; `names` is one shorter than `types` for a collection."""

    text: str
    subscription_id: str
    resource_group: str
    parent: str  # what stands before the last /providers/, or before the last type and name
    namespace: str
    types: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def key(self) -> str:
        return fold(self.text)

    @property
    def resource_type(self) -> str:
        return "/".join((self.namespace, *self.types)) if self.namespace else ""

    @property
    def is_extension(self) -> bool:
        """Hangs on another resource: its id holds /providers/ twice."""
        return self.key.count("/providers/") > 1

    @property
    def is_collection(self) -> bool:
        return len(self.types) > len(self.names)


def parse_arm_id(text: str) -> ArmId | None:
    """None where the text is no id below a subscription. An id may hold /providers/ twice (extension resources)."""
    parts = text.rstrip("/").split("/")
    if len(parts) < 3 or parts[0] or parts[1].lower() != "subscriptions" or not parts[2]:
        return None
    lowered = [part.lower() for part in parts]
    group = parts[4] if len(parts) > 4 and lowered[3] == "resourcegroups" else ""
    positions = [index for index, part in enumerate(lowered) if part == "providers"]
    if not positions:
        return ArmId(text, lowered[2], group, "", "", (), ())
    last = positions[-1]
    tail = parts[last + 2 :]
    namespace = parts[last + 1] if len(parts) > last + 1 else ""
    types, names = tuple(tail[0::2]), tuple(tail[1::2])
    nested = len(types) > 1
    parent = "/".join(parts[: last + len(types) * 2] if nested else parts[:last])
    return ArmId(text, lowered[2], group, parent, namespace, types, names)
