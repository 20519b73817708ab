"""What the SARIF 2.1.0 specification (sections 3.13 to 3.58) says of the parts that this product writes, as a schema:
names, types, which members are required, and that there are no others."""

from __future__ import annotations

from typing import Any

URI = {"type": "string", "format": "uri-reference"}
LEVEL = {"enum": ["none", "note", "warning", "error"]}
BAG = {"type": "object"}  # a property bag: anything


def closed(required: list[str], **members: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": required,
        "properties": members,
    }


MESSAGE = closed(["text"], text={"type": "string", "minLength": 1})
LOCATION = closed(
    [],
    physicalLocation=closed(["artifactLocation"], artifactLocation=closed(["uri"], uri=URI)),
    logicalLocations={
        "type": "array",
        "uniqueItems": True,
        "items": closed([], fullyQualifiedName={"type": "string"}, kind={"type": "string"}),
    },
)
RESULT = closed(
    ["message", "ruleId", "partialFingerprints", "baselineState"],
    ruleId={"type": "string"},
    ruleIndex={"type": "integer", "minimum": -1},
    level=LEVEL,
    message=MESSAGE,
    baselineState={"enum": ["new", "unchanged", "updated", "absent"]},
    locations={"type": "array", "items": LOCATION},
    partialFingerprints={"type": "object", "additionalProperties": {"type": "string"}},
    suppressions={
        "type": "array",
        "uniqueItems": True,
        "items": closed(
            ["kind"],
            kind={"enum": ["inSource", "external"]},
            status={"enum": ["accepted", "underReview", "rejected"]},
            justification={"type": "string"},
        ),
    },
    properties=BAG,
)
RULE = closed(
    ["id"],
    id={"type": "string"},
    shortDescription=MESSAGE,
    fullDescription=MESSAGE,
    help=MESSAGE,
    defaultConfiguration=closed([], level=LEVEL),
    properties=BAG,
)
NOTIFICATION = closed(["message"], level=LEVEL, message=MESSAGE)
RUN = closed(
    ["tool"],
    tool=closed(
        ["driver"],
        driver=closed(
            ["name"],
            name={"type": "string"},
            rules={"type": "array", "uniqueItems": True, "items": RULE},
        ),
    ),
    invocations={
        "type": "array",
        "items": closed(
            ["executionSuccessful"],
            executionSuccessful={"type": "boolean"},
            toolExecutionNotifications={"type": "array", "items": NOTIFICATION},
        ),
    },
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
    results={"type": "array", "items": RESULT},
)
SARIF = closed(
    ["version", "runs"],
    **{"$schema": {"type": "string", "format": "uri"}},
    version={"const": "2.1.0"},
    runs={"type": "array", "items": RUN},
)
