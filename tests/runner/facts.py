"""Cases, and workers without processes that answer as their variant's script says."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from pytest_llmbench.domain.case import Case, Parameters
from pytest_llmbench.domain.record import ModelFacts
from pytest_llmbench.domain.suite import Message, Prompt, Sampling
from pytest_llmbench.domain.trace import Contention, HostMemory, Life, Memory, Round
from pytest_llmbench.domain.variant import Variant
from pytest_llmbench.errors import (
    CaseError,
    EngineNotInstalledError,
    LlmbenchError,
    LoadError,
    WorkerCrashedError,
)
from pytest_llmbench.metrics.taint import Machine
from pytest_llmbench.runner.plan import Plan
from pytest_llmbench.runner.progress import Quiet
from pytest_llmbench.runner.sampled import Sampled
from pytest_llmbench.worker import Ready
from pytest_llmbench.worker.messages import Freed, Generated, Loaded
from tests.support import token_trace, variant

HOST: Final = HostMemory(rss=1, rss_anon=1, rss_file=0, rss_peak=5, system_used=9)
MEMORY: Final = Memory(host=HOST, device=None)
QUIET: Final = Contention(
    wall_s=1.0,
    run_delay_s=0.0,
    involuntary_switches=0,
    steal_s=0.0,
    load_1m=0.0,
    gpu_clock_reasons=None,
    gpu_temperature_c=None,
)
BUSY: Final = msgspec.structs.replace(QUIET, run_delay_s=0.5)
LIFE: Final = Life(
    before=MEMORY,
    after_load=MEMORY,
    after_free=None,
    load_s=1.0,
    first_generate_s=0.5,
    free_s=None,
    rss_peak=5,
    system_used_peak=9,
)
MACHINE: Final = Machine(processors=2)


def make_case(name: str = "v", prompt: str = "p", **sampling: Any) -> Case:
    """A case of the variant *name*; three rounds and no warm-up to find, unless said."""
    return Case(
        suite="s",
        variant=name,
        prompt=Prompt(
            id=prompt,
            messages=(Message(role="user", content=prompt),),
            task=None,
            expect=None,
            score=None,
            source="s.toml: prompts[1]",
        ),
        parameters=Parameters(
            max_new_tokens=2,
            temperature=0.0,
            seed=0,
            top_p=1.0,
            top_k=0,
            length="natural",
            chat=None,
        ),
        sampling=Sampling(**{"rounds": 3, "warmup": None, "max_time_s": 100.0, **sampling}),
    )


def make_facts(device: str = "cpu", **identity: str) -> ModelFacts:
    return ModelFacts(
        identity=identity, settings={}, model_bytes=None, context_tokens=None, device=device
    )


def make_round(
    gap_ms: float = 1.0, *, launch: int = 0, turn: int = 0, contention: Contention = QUIET
) -> Round:
    """A round of two tokens that are *gap_ms* apart."""
    return Round(trace=_trace(gap_ms), contention=contention, launch=launch, turn=turn)


def _trace(gap_ms: float, ttft_ms: float = 10.0):
    first = round(ttft_ms * 1e6)
    return token_trace(stamps_ns=(first, first + round(gap_ms * 1e6)), text="a b")


@dataclasses.dataclass(kw_only=True)
class Script:
    """How a variant's worker answers; numbers of rounds and launches are counted from 0.

    Attributes:
        gaps_ms: between the two tokens, by timed round of a launch; the last one stays.
        ttfts_ms: likewise of the first token.
        slower: what each launch's gaps are multiplied with; the last one stays.
        busy: timed rounds of a launch that something else disturbs.
        paces_s: what a fixed piece of work took before and after a round.
        dies_at: ``(launch, round)`` at which its process is lost.
        refuses: prompts.
        absent: whether its engine is not installed.
        no_load: launches that can't load the model.
        no_free: launches that can't free it.
        device: where the weights are.
        threads: how many compute, where that is known.
        tokens: of its untimed answers.
        keeps: whether its engine keeps buffers, which can be fresh.
        no_room_at: time, counted from 1, at which there is no room for fresh ones.
    """

    gaps_ms: Sequence[float] = (1.0,)
    ttfts_ms: Sequence[float] = (10.0,)
    slower: Sequence[float] = (1.0,)
    busy: Iterable[int] = ()
    paces_s: tuple[float, ...] | None = None
    dies_at: tuple[int, int] | None = None
    refuses: Iterable[str] = ()
    absent: bool = False
    no_load: Iterable[int] = ()
    no_free: Iterable[int] = ()
    device: str = "cpu"
    threads: int | None = None
    tokens: int = 2
    keeps: bool = False
    no_room_at: int | None = None


class FakeWorker:
    """Answers at once; *asked* is what it was asked, *slices* how its rounds were cut, in order."""

    def __init__(self, name: Variant, script: Script, launch: int) -> None:
        self.variant = name
        self.script = script
        self.launch = launch
        self.warnings: tuple[str, ...] = ()
        self.lost = False
        self.asked: list[str] = []
        self.slices: list[int] = []
        self.reallocated: list[int] = []
        self.kept_on: list[frozenset[int]] = []
        self._rounds = 0

    def start(self) -> Ready:
        if self.script.absent:
            raise EngineNotInstalledError("the engine is not installed; type: pip install it")
        return Ready(start_s=0.1, settings={}, identity={})

    def load(self) -> Loaded:
        if self.launch in self.script.no_load:
            raise LoadError(f"launch {self.launch} found no memory")
        facts = make_facts(self.script.device, name=self.variant.id)
        facts = msgspec.structs.replace(facts, threads=self.script.threads)
        return Loaded(facts=facts, life=LIFE, warnings=())

    def reallocate(self, doing: str) -> bool:
        """Note after how many questions."""
        self.reallocated.append(len(self.asked))
        if len(self.reallocated) == self.script.no_room_at:
            raise CaseError(f"there is no room while {doing}")
        return self.script.keeps

    def generate(
        self, messages, _parameters, doing: str, *, memory_pass: bool = False
    ) -> Generated:
        word = doing.rpartition("(")[2].split()[0].rstrip(")")
        self.asked.append(word)
        prompt = messages[-1].content
        if prompt in self.script.refuses:
            raise CaseError(f"it refuses {prompt!r}")
        if word != "round":
            memory = MEMORY if memory_pass else None
            trace = msgspec.structs.replace(_trace(1.0), output_tokens=self.script.tokens)
            return Generated(trace=trace, contention=None, memory=memory, warnings=())
        number, self._rounds = self._rounds, self._rounds + 1
        if self.script.dies_at == (self.launch, number):
            self.lost = True
            raise WorkerCrashedError(f"variant {self.variant.id!r} lost its process (SIGKILL)")
        return self._round(number)

    def generate_in_slices(self, messages, parameters, doing: str, *, slice_tokens: int):
        """Two pauses, whatever its answers are."""
        self.slices.append(slice_tokens)
        generated = self.generate(messages, parameters, doing)
        yield
        yield
        return generated

    def force(self, _messages, _parameters, _continuation, _doing: str, *, like=None, step=None):
        """No probabilities; test_drifting.py has a worker that tells some."""

    def _round(self, number: int) -> Generated:
        script = self.script
        gap = _last(script.gaps_ms, number) * _last(script.slower, self.launch)
        contention = BUSY if number in script.busy else QUIET
        return Generated(
            trace=_trace(gap, _last(script.ttfts_ms, number)),
            contention=msgspec.structs.replace(contention, paces_s=script.paces_s),
            memory=None,
            warnings=(),
        )

    def keep_on(self, processors) -> None:
        self.kept_on.append(processors)

    def free(self) -> Freed:
        if self.launch in self.script.no_free:
            raise LlmbenchError("it can't be freed")
        return Freed(life=msgspec.structs.replace(LIFE, free_s=0.25, after_free=MEMORY))

    def close(self) -> None:
        self.lost = True


class FakePool:
    """Keeps what it is told: *log* holds ``open v``, ``focus v``, ``rest``, ``end v``."""

    def __init__(self, scripts: Mapping[str, Script]) -> None:
        self.log: list[str] = []
        self.workers: dict[str, list[FakeWorker]] = {}
        self._scripts = scripts

    def open(self, name: Variant) -> FakeWorker:
        every = self.workers.setdefault(name.id, [])
        every.append(FakeWorker(name, self._scripts.get(name.id, Script()), len(every)))
        self.log.append(f"open {name.id}")
        return every[-1]

    def focus(self, worker: FakeWorker, *, again: bool = False) -> None:
        if not again:
            self.log.append(f"focus {worker.variant.id}")

    def rest(self) -> None:
        self.log.append("rest")

    def end(self, worker: FakeWorker) -> None:
        self.log.append(f"end {worker.variant.id}")
        worker.close()

    def close(self) -> None:
        self.log.append("close")

    def asked(self, name: str, word: str = "round") -> int:
        """How often the workers of a variant were asked for *word*."""
        return sum(worker.asked.count(word) for worker in self.workers.get(name, ()))


def _last(values: Sequence[float], number: int) -> float:
    return values[min(number, len(values) - 1)]


def make_sampled(case: Case | None = None, script: Script | None = None, **more: Any) -> Sampled:
    """A case under way on a worker of its own, which is ``sampled.worker``."""
    told = {
        "launch": 0,
        "memory_wanted": True,
        "enough": lambda _rounds: True,
        "clock": iter(range(1000)).__next__,
        **more,
    }
    script = script or Script()
    case = case or make_case()
    worker = FakeWorker(variant(case.variant, "scripted"), script, told["launch"])
    machine = told.pop("machine", MACHINE)
    return Sampled(case, worker, make_facts(script.device), machine, Quiet(), **told)  # type: ignore[arg-type]


def take_round(sampled: Sampled, turn: int) -> None:
    """Take one round of *sampled*, whole, with fresh buffers."""
    sampled.freshen()
    for _ in sampled.round(turn):
        raise AssertionError("a round that is not cut does not pause")


def run_alone(sampled: Sampled) -> Sampled:
    """Measure *sampled* to its end."""
    sampled.warm_up()
    turn = 0
    while sampled.wants_more:
        take_round(sampled, turn)
        turn += 1
    sampled.finish()
    return sampled


def make_plan(*names: str, reference: str | None = None, **more: Any) -> Plan:
    """A plan for the variants *names*, all of them together unless *crews* says otherwise."""
    told = {"crews": (names,), **more}
    return Plan({name: variant(name, "scripted") for name in names}, reference, **told)
