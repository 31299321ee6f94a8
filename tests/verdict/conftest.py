"""How examples are tried: without a deadline, which a busy machine breaks and no code does."""

from __future__ import annotations

import hypothesis

hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")
