"""Measuring one case: the memory pass that also warms up, further warm-up, timed rounds."""

from __future__ import annotations

import time
from collections.abc import Callable

from pytest_llmbench.domain.case import Case
from pytest_llmbench.domain.record import CaseRecord, ModelFacts
from pytest_llmbench.domain.trace import Memory, Round
from pytest_llmbench.metrics.case import case_metrics
from pytest_llmbench.runner.progress import Progress
from pytest_llmbench.worker import Worker
from pytest_llmbench.worker.messages import Generated


class Measuring:
    """One case under way on one worker.

    Args:
        worker: runs the case's variant, its model loaded.
        facts: of the loaded model: devices that compile or tune themselves warm up longer, and
            what random weights say is not scored.
        case: what is generated.
        progress: told what is done, between rounds only.
        processors: how many the machine has, to tell disturbed rounds.
        clock: seconds, for the time budget.
    """

    def __init__(
        self,
        worker: Worker,
        facts: ModelFacts,
        case: Case,
        progress: Progress,
        *,
        processors: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._worker = worker
        self._case = case
        self._progress = progress
        self._processors = processors
        self._clock = clock
        self._warmup_s = 0.0
        wanted = case.sampling.warmup
        self._warmups = wanted if wanted is not None else _warmups_for(facts.device)
        self._quality = not facts.random_weights

    def run(self) -> CaseRecord:
        """Return the case, measured.

        The first warm-up is the memory pass; without warm-up the memory pass comes last, so that
        the first timed round is as cold as was asked for.
        """
        memory = self._memory_pass() if self._warmups else None
        for number in range(1, self._warmups):
            self._untimed(f"warm-up {number + 1}/{self._warmups}")
        rounds = self._timed_rounds()
        memory = memory or self._memory_pass()
        last = rounds[-1].trace
        return CaseRecord(
            case=self._case,
            rounds=rounds,
            memory=memory,
            metrics=case_metrics(
                rounds,
                self._case.prompt,
                memory,
                processors=self._processors,
                quality=self._quality,
            ),
            text=last.text,
            finish_reason=last.finish_reason,
            error=None,
            warmup_s=self._warmup_s,
        )

    def _timed_rounds(self) -> tuple[Round, ...]:
        sampling, rounds = self._case.sampling, list[Round]()
        deadline = self._clock() + sampling.max_time_s
        while len(rounds) < sampling.rounds and (not rounds or self._clock() < deadline):
            reply = self._generate(f"round {len(rounds) + 1}/{sampling.rounds}")
            assert reply.contention is not None, "a timed round reads contention"
            rounds.append(Round(trace=reply.trace, contention=reply.contention))
        return tuple(rounds)

    def _memory_pass(self) -> Memory:
        memory = self._untimed("memory pass", memory_pass=True).memory
        assert memory is not None, "a memory pass reads memory"
        return memory

    def _untimed(self, what: str, *, memory_pass: bool = False) -> Generated:
        began = self._clock()
        reply = self._generate(what, memory_pass=memory_pass)
        self._warmup_s += self._clock() - began
        return reply

    def _generate(self, what: str, *, memory_pass: bool = False) -> Generated:
        self._progress.say(f"{self._case.key}: {what}")
        return self._worker.generate(
            self._case.prompt.messages,
            self._case.parameters,
            f"generating {self._case.key} ({what})",
            memory_pass=memory_pass,
        )


def _warmups_for(device: str) -> int:
    return 1 if device == "cpu" else 2
