from __future__ import annotations

from hypothesis import settings

# A busy machine is no fault of the engine: what is slow is the bench's business.
settings.register_profile("engine", deadline=None)
settings.load_profile("engine")
