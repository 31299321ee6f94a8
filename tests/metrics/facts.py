"""Traces, rounds and prompts with the one thing that a test is about."""

from __future__ import annotations

from pytest_llmbench.domain.suite import Message, Prompt
from pytest_llmbench.domain.trace import (
    Contention,
    DeviceMemory,
    HostMemory,
    Memory,
    Round,
)
from pytest_llmbench.metrics.taint import Machine
from tests.support import token_trace

HERE = Machine(processors=2)


def make_trace(stamps_ms=(10, 12, 15), *, prompt_tokens=20, cached=0, text="hello", ns=False):
    scale = 1 if ns else 1_000_000
    return token_trace(
        stamps_ns=tuple(round(stamp * scale) for stamp in stamps_ms),
        token_ids=tuple(range(len(stamps_ms))),
        prompt_tokens=prompt_tokens,
        cached_prompt_tokens=cached,
        tokenize_ns=500_000,
        text=text,
        finish_reason="stop",
    )


def make_contention(
    *, wall_s=1.0, run_delay_s=0.0, steal_s=0.0, reasons=(), celsius=60.0, paces_s=None
):
    return Contention(
        wall_s=wall_s,
        run_delay_s=run_delay_s,
        involuntary_switches=0,
        steal_s=steal_s,
        load_1m=0.5,
        gpu_clock_reasons=reasons,
        gpu_temperature_c=celsius,
        paces_s=paces_s,
    )


def make_round(
    stamps_ms=(10, 12, 15),
    *,
    run_delay_s=0.0,
    paces_s=None,
    cached=0,
    text="hello",
    launch=0,
    turn=0,
):
    return Round(
        trace=make_trace(stamps_ms, cached=cached, text=text),
        contention=make_contention(run_delay_s=run_delay_s, paces_s=paces_s),
        launch=launch,
        turn=turn,
    )


def make_prompt(score=None, expect=None):
    return Prompt(
        id="sum",
        messages=(Message(role="user", content="What is 2 + 2?"),),
        task="qa",
        expect=expect,
        score=score,
        source="suite.toml",
    )


def make_memory(*, rss=100, rss_peak=150, system=1000, device=None, anon=60, file=40):
    host = HostMemory(rss=rss, rss_anon=anon, rss_file=file, rss_peak=rss_peak, system_used=system)
    return Memory(host=host, device=device)


DEVICE = DeviceMemory(alloc_peak=7, reserved_peak=9, process=11, process_is_difference=False)
