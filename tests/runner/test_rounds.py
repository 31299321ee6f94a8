"""Warm-up, memory pass, rounds and the time budget, on a worker that only counts."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from pytest_llmbench.domain.case import Case, Parameters
from pytest_llmbench.domain.record import ModelFacts
from pytest_llmbench.domain.suite import Message, Prompt, Sampling
from pytest_llmbench.domain.trace import Contention, HostMemory, Memory
from pytest_llmbench.runner.progress import Quiet
from pytest_llmbench.runner.rounds import Measuring
from pytest_llmbench.worker.messages import Generated
from tests.support import token_trace

CASE = Case(
    suite="s",
    variant="v",
    prompt=Prompt(
        id="p",
        messages=(Message(role="user", content="x"),),
        task=None,
        expect=None,
        score=None,
        source="test",
    ),
    parameters=Parameters(
        max_new_tokens=2, temperature=0.0, seed=0, top_p=1.0, top_k=0, length="natural", chat=None
    ),
    sampling=Sampling(rounds=3, warmup=None, max_time_s=100.0),
)
HOST = HostMemory(rss=1, rss_anon=1, rss_file=0, rss_peak=5, system_used=9)
QUIET = Contention(
    wall_s=1.0,
    run_delay_s=0.0,
    involuntary_switches=0,
    steal_s=0.0,
    load_1m=0.0,
    gpu_clock_reasons=None,
    gpu_temperature_c=None,
)


class Counting:
    """Answers at once and remembers what it was asked."""

    def __init__(self) -> None:
        self.passes: list[str] = []

    def generate(self, _messages, _parameters, doing: str, *, memory_pass: bool = False):
        self.passes.append("memory" if memory_pass else doing.rpartition("(")[2].split()[0])
        trace = token_trace(
            stamps_ns=(10, 20 + len(self.passes)),
            token_ids=(1, 2),
            prompt_tokens=3,
            cached_prompt_tokens=0,
            tokenize_ns=1,
            text="a b",
            finish_reason="stop",
        )
        return Generated(
            trace=trace,
            contention=None if memory_pass else QUIET,
            memory=Memory(host=HOST, device=None) if memory_pass else None,
            warnings=(),
        )


def measured(device: str = "cpu", clock: Iterator[float] | None = None, **sampling: object):
    case = msgspec.structs.replace(
        CASE, sampling=msgspec.structs.replace(CASE.sampling, **sampling)
    )
    worker = Counting()
    ticks = clock or iter(range(1000))
    measuring = Measuring(
        worker,  # type: ignore[arg-type]
        ModelFacts(identity={}, settings={}, model_bytes=None, context_tokens=None, device=device),
        case,
        Quiet(),
        processors=2,
        clock=lambda: next(ticks),
    )
    return worker.passes, measuring.run()


def test_the_memory_pass_is_the_warm_up() -> None:
    passes, record = measured()
    assert passes == ["memory", "round", "round", "round"]
    assert len(record.rounds) == 3
    assert record.metrics["rss_peak_bytes"].value == 5


def test_a_device_that_compiles_itself_warms_up_twice() -> None:
    assert measured("cuda:0")[0] == ["memory", "warm-up", "round", "round", "round"]


@pytest.mark.parametrize(
    ("warmup", "passes"),
    [
        (0, ["round", "round", "round", "memory"]),
        (1, ["memory", "round", "round", "round"]),
        (3, ["memory", "warm-up", "warm-up", "round", "round", "round"]),
    ],
)
def test_warm_up_as_asked(warmup: int, passes: list[str]) -> None:
    assert measured(warmup=warmup)[0] == passes


def test_no_round_starts_after_the_budget_but_one_always_runs() -> None:
    assert len(measured(clock=iter([0.0, 0.0, 0.0, 200.0]))[1].rounds) == 1
    assert len(measured(clock=iter([0.0, 0.0, 0.0, 50.0, 99.9, 100.0]), rounds=9)[1].rounds) == 3


def test_the_text_is_the_last_round_s() -> None:
    record = measured()[1]
    assert record.text == "a b"
    assert record.finish_reason == "stop"
    assert record.metrics["itl_s"].rounds == pytest.approx((12e-9, 13e-9, 14e-9))
