"""Whether a text is JSON."""

from __future__ import annotations

import json


def is_json(text: str) -> bool:
    """Whether all of *text* is one JSON value; what is nested too deep to be read is none."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
