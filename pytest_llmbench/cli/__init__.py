"""The command ``llmbench``: what there is to measure, and whether measuring can be trusted here.

:mod:`.parser` says what can be typed and which module answers; the module is imported only
then, so that ``llmbench --help`` loads nothing heavy. A module's ``run`` takes the parsed
arguments and returns the exit code; what is wrong with the question is a
:class:`.LlmbenchError`.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

from pytest_llmbench.cli.exits import Exit
from pytest_llmbench.cli.parser import build_parser
from pytest_llmbench.errors import LlmbenchError

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code (see :class:`.Exit`).

    Args:
        argv: the words after ``llmbench``; those of this process where not given.
    """
    arguments = build_parser().parse_args(argv)
    try:
        code: int = importlib.import_module(arguments.module).run(arguments)
        sys.stdout.flush()
    except LlmbenchError as exc:
        sys.stdout.flush()
        sys.stderr.write(f"llmbench: {exc}\n")
        return Exit.USAGE
    except BrokenPipeError:
        _forget_output()
        return Exit.BROKEN_PIPE
    except KeyboardInterrupt:
        sys.stderr.write("llmbench: interrupted\n")
        return Exit.INTERRUPTED
    return code


def _forget_output() -> None:
    """Send what is still buffered nowhere: the interpreter would complain of it at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
