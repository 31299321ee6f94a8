"""Whether what draws reports is installed: asked before anything is measured; loads none of it."""

from __future__ import annotations

import importlib.util
from typing import Final

from pytest_llmbench.errors import ConfigError

_LIBRARIES: Final = {"jinja2": "Jinja2", "altair": "altair", "vl_convert": "vl-convert-python"}


def check_libraries(asked: str) -> None:
    """Check that the libraries of the extra ``report`` are there.

    Raises:
        ConfigError: one is not; says what *asked* for it, and the line to type.
    """
    absent = [n for module, n in _LIBRARIES.items() if importlib.util.find_spec(module) is None]
    if absent:
        raise ConfigError(
            f"{asked} needs {', '.join(absent)}, which is not installed; type: "
            "pip install 'pytest-llmbench[report]'"
        )
