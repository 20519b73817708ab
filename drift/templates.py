"""The settings that a tenant starts with: named templates, each with its reason. Data, not code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from drift.engine.model import Severity
from drift.preferences import Preferences
from drift.retention import Retention
from errors import Invalid


@dataclass(frozen=True, slots=True)
class Template:
    reason: str
    preferences: Preferences


STANDARD = "standard"
HALF = Retention(scans=90, findings=365, history=180, audit=730, notices=90)
THREE_YEARS = Retention(1096, 1096, 1096, 1827, 1096, 1096)  # and the trail for five
TEMPLATES: Mapping[str, Template] = {
    STANDARD: Template(
        "What most organisations want: every hour, and a word about what weakens protection.",
        Preferences(),
    ),
    "quiet": Template(
        "Where nobody is on call: once a day before work, and a word about the worst only.",
        Preferences(schedule="0 5 * * *", notify=(Severity.CRITICAL,), retention=HALF),
    ),
    "strict": Template(
        "For audited estates: every quarter of an hour, more is told, and it is kept three years.",
        Preferences(
            schedule="*/15 * * * *",
            notify=(Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM),
            retention=THREE_YEARS,
        ),
    ),
}


def preferences_of(name: str) -> Preferences:
    """The settings of a template. Raises Invalid for a name that there is not."""
    template = TEMPLATES.get(name)
    if template is None:
        raise Invalid(f"template must be one of {', '.join(TEMPLATES)}.", field="template")
    return template.preferences
