"""From ``llmbench.toml`` and suite files to domain facts.

:func:`load_config` is the way in; everything it raises is a :class:`.ConfigError` that names the
file, the key and what to type.
"""

from pytest_llmbench.config.load import (
    Config,
    EngineOptions,
    check_variants,
    find_config,
    load_config,
    load_variants,
)
from pytest_llmbench.config.suite_files import BUILTIN_SUITES, read_builtin, read_suite_file

__all__ = [
    "BUILTIN_SUITES",
    "Config",
    "EngineOptions",
    "check_variants",
    "find_config",
    "load_config",
    "load_variants",
    "read_builtin",
    "read_suite_file",
]
