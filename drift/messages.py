"""The queue messages: ids and `traceparent` only. A consumer re-reads everything else, and the tenant first.

Fields are never renamed or removed and new ones have a default, so that old and new workers understand each other.
"""

from __future__ import annotations

import re
from typing import Literal, TypeVar

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from errors import Invalid

GUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
ROW_KEY = r"^[0-9a-z.-]{1,120}$"
LARGEST_MESSAGE = 4096
LARGEST_EVENT = 64 * 1024  # what a queue holds; most of it is claims
LONGEST_ID = 1500
RESOURCE_ID = (
    r"^/[sS]ubscriptions/([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})"
    r"/[^\x00-\x1f]+$"
)
CHANGES = frozenset(
    {"Microsoft.Resources.ResourceWriteSuccess", "Microsoft.Resources.ResourceDeleteSuccess"}
)


class TooNew(Invalid):
    """A newer version of the app sent it, and means something else by it: it is for that one."""


class Message(BaseModel):
    # Unknown fields are of a newer version and are left alone.
    model_config = ConfigDict(extra="ignore", frozen=True)

    version: Literal[1] = 1
    tenant_id: str = Field(pattern=GUID)
    traceparent: str = Field(default="", max_length=64)
    parked: int = Field(default=0, ge=0)  # how often it was put back for a newer version


class ScanTenant(Message):
    scan_id: str = Field(pattern=ROW_KEY)


class ScanSubscription(ScanTenant):
    subscription_id: str = Field(pattern=GUID)


class RunJob(Message):
    job: str = Field(pattern=ROW_KEY)


class DeliverNotice(Message):
    notice_id: str = Field(pattern=ROW_KEY)


class RecheckResource(Message):
    """One resource to be looked at soon, because an event spoke of it."""

    subscription_id: str = Field(pattern=GUID)
    resource_id: str = Field(pattern=RESOURCE_ID, max_length=LONGEST_ID)
    attempt: int = Field(default=0, ge=0, le=9)


class ResourceEvent(BaseModel):
    """What is read of an event of Event Grid, in its own schema or as a CloudEvent. Claims and all else are left."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    kind: str = Field(validation_alias=AliasChoices("eventType", "type"), max_length=200)
    subject: str = Field(max_length=LONGEST_ID)

    @property
    def is_change(self) -> bool:
        return self.kind in CHANGES

    @property
    def subscription_id(self) -> str:
        """'' when the subject is no resource of a subscription."""
        found = re.match(RESOURCE_ID, self.subject)
        return found[1].lower() if found else ""


class KeepTenant(Message):
    """The daily upkeep."""


class EraseTenant(Message):
    """Of a tenant that was deleted: who serves it finds it closed, so this one alone is not dropped for that."""


M = TypeVar("M", bound=Message)
B = TypeVar("B", bound=BaseModel)


def read_message(body: bytes, shape: type[M]) -> M:
    """Raises Invalid for anything that is not such a message; it then ends on the poison queue, visibly. TooNew is for
    one in which nothing is wrong but its version."""
    return _read(body, shape, LARGEST_MESSAGE)


def read_event(body: bytes) -> ResourceEvent | RecheckResource:
    """A message of the queue of events: one that Event Grid put there, or one of our own. Raises Invalid for others."""
    try:
        return _read(body, RecheckResource, LARGEST_MESSAGE)
    except Invalid:
        return _read(body, ResourceEvent, LARGEST_EVENT)


def _read(body: bytes, shape: type[B], largest: int) -> B:
    if len(body) > largest:
        raise Invalid("The queue message is too large.", field="message")
    try:
        return shape.model_validate_json(body)
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, item["loc"])) or "message" for item in error.errors())
        kind = TooNew if _is_newer(error) else Invalid
        raise kind(f"The queue message is malformed: {fields}.", field="message") from error


def _is_newer(error: ValidationError) -> bool:
    (first, *others) = error.errors()
    version = first["input"]
    return not others and first["loc"] == ("version",) and isinstance(version, int) and version > 1
