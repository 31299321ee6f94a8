"""One case under way in one launch: warm-up, the memory pass, and how many rounds it takes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Final

from pytest_llmbench.domain.case import Case
from pytest_llmbench.domain.record import ModelFacts
from pytest_llmbench.domain.trace import Memory, Round, Trace
from pytest_llmbench.errors import LlmbenchError
from pytest_llmbench.metrics.rounds import round_metrics
from pytest_llmbench.metrics.taint import Machine, crowding, taint
from pytest_llmbench.runner.progress import Progress
from pytest_llmbench.worker import Worker
from pytest_llmbench.worker.messages import Generated

LEAST_ROUNDS: Final = 4
"""Undisturbed rounds of a case whose number of rounds depends on what they show, at least."""

MOST_ROUNDS: Final = 20
"""Rounds of such a case, disturbed ones among them, at most."""

TIMES_AS_MANY: Final = 2
"""So many times the wanted rounds are made at most, where disturbed ones have to be repeated."""

MOST_WARMING: Final = 4
"""So many first rounds can be warm-up, where the suite leaves warm-up to what they show."""

STEADY: Final = 0.05
"""A first round is warm-up where the next one is faster by more than this share of it."""

_WARMING: Final = ("ttft_s", "itl_s", "icl_s")

Enough = Callable[[Sequence[Round]], bool]
"""Whether a case's rounds suffice to decide what can be decided of it."""


class Sampled:
    """The rounds of one case in one launch.

    Args:
        case: what is generated.
        worker: runs the case's variant, its model loaded.
        facts: of the loaded model: devices that compile or tune themselves warm up longer.
        machine: where it runs, to tell disturbed rounds.
        launch: which of the session's launches this is.
        memory_wanted: whether memory is to be read; a further launch need not.
        enough: asked where the suite leaves the number of rounds open.
        progress: told what is done, between rounds only.
        clock: seconds, for the time budget.

    Attributes:
        rounds: those that count, disturbed ones among them.
        memory: what the memory pass read.
        warmup_s: seconds of untimed generations, and of first rounds that were warm-up.
        token_s: how long a token took the last time, where that is known.
        output_tokens: how many there were then.
        device: where the weights are.
        error: why it ended early.
    """

    def __init__(
        self,
        case: Case,
        worker: Worker,
        facts: ModelFacts,
        machine: Machine,
        progress: Progress,
        *,
        launch: int,
        memory_wanted: bool,
        enough: Enough,
        clock: Callable[[], float],
    ) -> None:
        self.case = case
        self.worker = worker
        self.rounds: list[Round] = []
        self.memory: Memory | None = None
        self.warmup_s = 0.0
        self.token_s: float | None = None
        self.output_tokens: int | None = None
        self.error: LlmbenchError | None = None
        self._machine = machine
        self._progress = progress
        self._launch = launch
        self._memory_wanted = memory_wanted
        self._enough = enough
        self._clock = clock
        self._spent_s = 0.0
        self._dropped = 0
        self._freshens = False
        wanted = case.sampling.warmup
        self._adapts = wanted is None
        self.device = facts.device
        self._warmups = wanted if wanted is not None else _warmups_for(facts.device)

    @property
    def wants_more(self) -> bool:
        """Whether another round is due: too few, too many disturbed, or not yet decided."""
        sampling, total = self.case.sampling, len(self.rounds)
        if self.error is not None or (total and self._spent_s >= sampling.max_time_s):
            return False
        clean = sum(taint(entry.contention, self._machine) is None for entry in self.rounds)
        wanted = sampling.rounds or LEAST_ROUNDS
        if total >= TIMES_AS_MANY * max(wanted, clean):
            return False
        if clean < wanted:
            return True
        if sampling.rounds is not None or total >= MOST_ROUNDS:
            return False
        return not self._enough(self.rounds)

    @property
    def crowded(self) -> bool:
        """Whether other work kept the last round from its processors, and another is due."""
        crowded = bool(self.rounds) and crowding(self.rounds[-1].contention) is not None
        return crowded and self.wants_more

    def warm_up(self) -> None:
        """Have fresh buffers and generate untimed, unless no warm-up was asked for.

        The first generation is the memory pass.
        """
        if self._warmups:
            with self._asking("fresh buffers") as doing:
                self._freshens = self.worker.reallocate(doing) and self.device == "cpu"
        for number in range(1, self._warmups + 1):
            memory_pass = number == 1 and self._memory_wanted
            what = "memory pass" if memory_pass else f"warm-up {number}/{self._warmups}"
            self._untimed(what, memory_pass=memory_pass)

    @property
    def freshens(self) -> bool:
        """Whether the next round is to have fresh buffers as well.

        So it is on a CPU, if the engine keeps any and a warm-up is wanted: where they lie decides
        how long a round takes. Another device would have to warm up again.
        """
        return self._freshens and self.error is None

    def freshen(self) -> None:
        """Have fresh buffers for the next round, if it is to have them, on its time budget."""
        if self.freshens:
            began = self._clock()
            with self._named("fresh buffers") as doing:
                self.worker.reallocate(doing)
            self._spent_s += self._clock() - began

    def round(self, turn: int, *, slice_tokens: int | None = None) -> Generator[None]:
        """Generate once, timed; yield wherever it pauses, after so many tokens."""
        what = f"round {len(self.rounds) + 1}{self._of()}"
        if slice_tokens is None:
            reply = self._asked(what)
        else:
            reply = yield from self._in_slices(what, slice_tokens)
        if reply is None:
            return
        assert reply.contention is not None, "a timed round reads contention"
        self._spent_s += reply.contention.wall_s
        self.rounds.append(
            Round(trace=reply.trace, contention=reply.contention, launch=self._launch, turn=turn)
        )
        self._drop_warming()

    def finish(self) -> None:
        """Read memory where that was not the warm-up: the first round was to be cold."""
        if self.memory is None and self.error is None and self._memory_wanted:
            self._untimed("memory pass", memory_pass=True)

    def _of(self) -> str:
        rounds = self.case.sampling.rounds
        return f"/{rounds}" if rounds else ""

    def _drop_warming(self) -> None:
        """Take the first round for warm-up where the second was faster."""
        if not self._adapts or len(self.rounds) != 2 or self._dropped >= MOST_WARMING:
            return
        first, second = self.rounds
        if still_warming(first.trace, second.trace):
            del self.rounds[0]
            self._dropped += 1
            self.warmup_s += first.contention.wall_s

    def _untimed(self, what: str, *, memory_pass: bool) -> None:
        began = self._clock()
        reply = self._asked(what, memory_pass=memory_pass)
        self.warmup_s += self._clock() - began
        if reply is not None and memory_pass:
            assert reply.memory is not None, "a memory pass reads memory"
            self.memory = reply.memory

    def _asked(self, what: str, *, memory_pass: bool = False) -> Generated | None:
        """Return the worker's answer; ``None``, and an error, where there is none."""
        if self.error is None:
            with self._asking(what) as doing:
                prompt, parameters = self.case.prompt.messages, self.case.parameters
                return self._seen(
                    self.worker.generate(prompt, parameters, doing, memory_pass=memory_pass)
                )
        return None

    def _in_slices(self, what: str, tokens: int) -> Generator[None, None, Generated | None]:
        """Return the worker's answer likewise; yield wherever it pauses."""
        if self.error is None:
            with self._asking(what) as doing:
                reply = yield from self.worker.generate_in_slices(
                    self.case.prompt.messages, self.case.parameters, doing, slice_tokens=tokens
                )
                return self._seen(reply)
        return None

    @contextlib.contextmanager
    def _asking(self, what: str) -> Iterator[str]:
        """Tell of *what*, give its name in errors, and keep what refuses it."""
        self._progress.say(f"{self.case.key}: {what}")
        with self._named(what) as doing:
            yield doing

    @contextlib.contextmanager
    def _named(self, what: str) -> Iterator[str]:
        """Give the name of *what* in errors, and keep what refuses it."""
        try:
            yield f"generating {self.case.key} ({what})"
        except LlmbenchError as exc:
            self.error = exc

    def _seen(self, reply: Generated) -> Generated:
        """Remember how long a token takes, and how many there are, where *reply* tells."""
        self.output_tokens = reply.trace.output_tokens
        self.token_s = round_metrics(reply.trace).get("itl_s", self.token_s)
        return reply


def still_warming(first: Trace, second: Trace) -> bool:
    """Whether *second* was faster than *first* by more than the accepted share."""
    before, after = round_metrics(first), round_metrics(second)
    return any(
        after[name] < (1 - STEADY) * before[name]
        for name in _WARMING
        if name in before and name in after
    )


def _warmups_for(device: str) -> int:
    return 1 if device == "cpu" else 2
