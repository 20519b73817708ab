"""What is known about Azure's resource types: which paths are configuration, and how their values are read.

Data with reasons, not code: a fact that hides something a person can configure is worse than noise, so each
one says why it holds and where that is written. Nothing here compares anything.
"""

from drift.engine.facts.catalogue import facts_for, fingerprint
from drift.engine.facts.explanation import condition_of, explain
from drift.engine.facts.model import Explanation, Fact, FactKind, TypeFacts

__all__ = [
    "Explanation",
    "Fact",
    "FactKind",
    "TypeFacts",
    "condition_of",
    "explain",
    "facts_for",
    "fingerprint",
]
