"""What a process printed: its last lines, and no file left behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_llmbench.worker.print_log import PrintLog, forget


def test_the_last_lines_that_hold_anything() -> None:
    log = PrintLog()
    try:
        assert log.last_lines() == ()
        Path(log.path).write_bytes(b"one\n\n two \nthree\xff\n  \nfour\n")
        assert log.last_lines() == ("two", "three\ufffd", "four")
        with Path(log.path).open("ab") as process:
            process.write(b"x\n" * 2**20 + b"five\n")
        assert log.last_lines() == ("x", "x", "five")
    finally:
        log.close()


@pytest.mark.skipif(os.name != "posix", reason="elsewhere an open file keeps its name")
def test_a_forgotten_name_loses_nothing() -> None:
    log = PrintLog()
    with Path(log.path).open("a") as process:
        forget(log.path)
        assert not Path(log.path).exists()
        process.write("still here\n")
        process.flush()
        assert log.last_lines() == ("still here",)
    log.close()
    assert log.last_lines() == ()


def test_closing_removes_it_and_may_be_repeated() -> None:
    log = PrintLog()
    log.close()
    log.close()
    assert not Path(log.path).exists()
