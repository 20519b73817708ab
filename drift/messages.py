"""The queue messages: ids and `traceparent` only. A consumer re-reads everything else, and the tenant first.

Fields are never renamed or removed and new ones have a default, so that old and new workers understand each other.
"""

from __future__ import annotations

from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from errors import Invalid

GUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
ROW_KEY = r"^[0-9a-z.-]{1,120}$"
LARGEST_MESSAGE = 4096


class Message(BaseModel):
    # Unknown fields are of a newer version and are left alone.
    model_config = ConfigDict(extra="ignore", frozen=True)

    version: Literal[1] = 1
    tenant_id: str = Field(pattern=GUID)
    traceparent: str = Field(default="", max_length=64)


class ScanTenant(Message):
    scan_id: str = Field(pattern=ROW_KEY)


class ScanSubscription(ScanTenant):
    subscription_id: str = Field(pattern=GUID)


class RunJob(Message):
    job: str = Field(pattern=ROW_KEY)


class DeliverNotice(Message):
    notice_id: str = Field(pattern=ROW_KEY)


M = TypeVar("M", bound=Message)


def read_message(body: bytes, shape: type[M]) -> M:
    """Raises Invalid for anything that is not such a message; it then ends on the poison queue, visibly."""
    if len(body) > LARGEST_MESSAGE:
        raise Invalid("The queue message is too large.", field="message")
    try:
        return shape.model_validate_json(body)
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, item["loc"])) or "message" for item in error.errors())
        raise Invalid(f"The queue message is malformed: {fields}.", field="message") from error
