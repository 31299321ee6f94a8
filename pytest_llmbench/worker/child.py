"""The loop in a variant's process: one request, one answer, one thread."""

from __future__ import annotations

import contextlib
import gc
import os
import platform
import time
import traceback
from collections.abc import Callable, Iterable
from importlib import metadata
from pathlib import Path
from typing import Final

import msgspec

from pytest_llmbench.domain.case import Parameters
from pytest_llmbench.domain.drift import Position
from pytest_llmbench.domain.record import ModelFacts
from pytest_llmbench.domain.suite import Message
from pytest_llmbench.domain.trace import Life, Memory, Trace
from pytest_llmbench.engines import (
    Encoded,
    Engine,
    Generation,
    Reallocating,
    Served,
    Slices,
    Stamps,
    TeacherForcing,
    TopLogprobs,
)
from pytest_llmbench.engines.registry import check_keys, start_engine
from pytest_llmbench.errors import CaseError, EngineError, LoadError
from pytest_llmbench.probes.contention import ContentionProbe
from pytest_llmbench.probes.device_memory import read_device_used, synchronize_device
from pytest_llmbench.probes.host_memory import read_host_memory
from pytest_llmbench.probes.memory import memory_pass, read_memory
from pytest_llmbench.probes.nvml import Gpu, Nvml, gpus_in_use
from pytest_llmbench.worker import messages as say
from pytest_llmbench.worker.forcing import Forcing, choice_logprobs, forced_pass, most_probable
from pytest_llmbench.worker.warnings_seen import WarningsSeen

FIRST_PROMPT: Final = (Message(role="user", content="Say hello in one short sentence."),)
FIRST_PARAMETERS: Final = Parameters(
    max_new_tokens=16, temperature=0.0, seed=0, top_p=1.0, top_k=0, length="fixed", chat=None
)
"""The cold first generation is the same for every variant, whatever is measured after it."""

_OF_A_CASE: Final = (say.Generate, say.Force, say.Top, say.Weigh)
"""Requests whose refusal costs one case and not the variant."""


class Loop:
    """The state of one variant's process.

    Args:
        ends_with_parent: whether the kernel ends this process with its parent.
        pause: says that a slice of a round is over, and returns when the next one begins.
    """

    def __init__(self, *, ends_with_parent: bool, pause: Callable[[], None]) -> None:
        self._ends_with_parent = ends_with_parent
        self._pause = pause
        self._engine: Engine | None = None
        self._name = ""
        self._slowdown = 0.0
        self._warnings = WarningsSeen()
        self._nvml = Nvml.open()
        self._gpus: tuple[Gpu, ...] = ()
        self._probe = ContentionProbe()
        self._facts: ModelFacts | None = None
        self._life: Life | None = None
        self._device_used_before: int | None = None
        self._served: Served | None = None

    def answer(self, request: say.Request) -> say.Reply:
        """Return the answer to *request*; an engine's refusal is an answer too."""
        refusal: type[EngineError] = CaseError if isinstance(request, _OF_A_CASE) else LoadError
        try:
            with self._warnings:
                return self._obey(request)
        except EngineError as exc:
            return say.Refused(kind=type(exc).__name__, message=str(exc))
        except Exception as exc:  # noqa: BLE001 — a foreign engine may raise anything
            traceback.print_exc()
            return say.Refused(kind=refusal.__name__, message=_describe(exc))

    def _obey(self, request: say.Request) -> say.Reply:
        match request:
            case say.Start():
                return self._start(request)
            case say.Load():
                return self._load(request)
            case say.Reallocate():
                return self._reallocate()
            case say.Generate():
                return self._generate(request)
            case say.GoOn():
                raise RuntimeError("no round has paused")
            case say.Force() | say.Top() | say.Weigh():
                gc.collect()
                return self._probabilities(request)
            case say.Free():
                return self._free()

    def _start(self, request: say.Start) -> say.Started:
        self._slowdown = request.slowdown
        self._engine, self._name = start_engine(request.engine), request.engine
        return say.Started(
            pid=os.getpid(),
            python=f"{platform.python_implementation()} {platform.python_version()}",
            versions=_versions(request.libraries),
            leaves_orphans=isinstance(self._engine, Served) or not self._ends_with_parent,
        )

    def _load(self, request: say.Load) -> say.Loaded:
        engine = self._ready()
        check_keys(self._name, request.options)
        self._device_used_before = read_device_used(self._nvml.gpus()) if self._nvml else None
        before = read_memory()
        began = time.perf_counter()
        self._facts = engine.load(request.options, Path(request.base_dir).expanduser())
        synchronize_device()
        load_s = time.perf_counter() - began
        self._watch(engine, self._facts.device)
        gc.collect()
        gc.freeze()
        after = self._memory()
        self._life = Life(
            before=_as_seen(before, after, served=isinstance(engine, Served)),
            after_load=after,
            after_free=None,
            load_s=load_s,
            first_generate_s=self._first_generate_s(engine, self._facts),
            free_s=None,
            rss_peak=None if after.host is None else after.host.rss_peak,
            system_used_peak=_most(_system_used(before), _system_used(after)),
        )
        return say.Loaded(facts=self._facts, life=self._life, warnings=self._warnings.distinct)

    def _watch(self, engine: Engine, device: str) -> None:
        """Look at the processes that hold the model from now on, and at the GPUs they use."""
        self._served = engine if isinstance(engine, Served) else None
        pids = self._pids()
        gpus = self._nvml.gpus() if self._nvml is not None and pids != () else ()
        self._gpus = gpus_in_use(gpus, (os.getpid(),) if pids is None else pids)
        if not self._gpus and device.startswith("cuda"):
            self._gpus = gpus  # NVML can't see processes here (a container): all that there are
        if not self._gpus:
            self._device_used_before = None
        self._probe = ContentionProbe(pids=pids, gpus=self._gpus)

    def _pids(self) -> tuple[int, ...] | None:
        """The processes that hold the model: a server's (empty where unknown), ``None``: this."""
        return None if self._served is None else self._served.processes() or ()

    def _first_generate_s(self, engine: Engine, facts: ModelFacts) -> float | None:
        """Return the seconds of the cold first generation; ``None`` where it does not fit."""
        encoded = engine.encode(FIRST_PROMPT, FIRST_PARAMETERS)
        if _too_long(encoded, FIRST_PARAMETERS, facts):
            return None
        natural = msgspec.structs.replace(FIRST_PARAMETERS, length="natural")
        began = time.perf_counter()
        try:
            engine.generate(encoded, FIRST_PARAMETERS, Stamps(time.perf_counter_ns))
        except CaseError:  # a server that can't be told to go on past the end
            began = time.perf_counter()
            engine.generate(encoded, natural, Stamps(time.perf_counter_ns))
        synchronize_device()
        return time.perf_counter() - began

    def _reallocate(self) -> say.Reallocated:
        engine = self._ready()
        if not isinstance(engine, Reallocating):
            return say.Reallocated(anything=False)
        engine.reallocate()
        return say.Reallocated(anything=True)

    def _generate(self, request: say.Generate) -> say.Generated:
        gc.collect()
        prompt = self._encode(request)  # before anything is read: a server may start processes
        if not request.memory_pass:
            if self._served is not None:  # a server starts processes when it likes
                self._probe = ContentionProbe(pids=self._pids(), gpus=self._gpus)
            self._probe.start()
            trace = self._trace(request, prompt, self._slices(request))
            contention = self._probe.stop()
            memory = None
        else:
            trace, memory = self._memory_pass(request, prompt)
            contention = None
        return say.Generated(
            trace=trace, contention=contention, memory=memory, warnings=self._warnings.distinct
        )

    def _slices(self, request: say.Generate) -> Slices | None:
        """Return how to cut a round; never a server's, which goes on behind a paused reader."""
        if request.slice_tokens is None or self._served is not None:
            return None
        return Slices(
            tokens=request.slice_tokens,
            most=request.parameters.max_new_tokens,
            settle=synchronize_device,
            pause=self._pause_round,
        )

    def _pause_round(self) -> None:
        with self._probe.paused():
            self._pause()

    def _memory_pass(
        self, request: say.Generate, prompt: tuple[Encoded, int]
    ) -> tuple[Trace, Memory]:
        with memory_pass(
            gpus=self._gpus, device_used_before=self._device_used_before, pids=self._pids()
        ) as watch:
            trace = self._trace(request, prompt)
        memory = self._with_report(watch.reading())
        self._remember_peaks(watch.before.rss_peak, memory)
        return trace, memory

    def _encode(self, request: say.Generate) -> tuple[Encoded, int]:
        """Return the prompt as the engine takes it, and the nanoseconds that took."""
        began = time.perf_counter_ns()
        encoded = self._ready().encode(request.messages, request.parameters)
        return encoded, time.perf_counter_ns() - began

    def _trace(
        self, request: say.Generate, prompt: tuple[Encoded, int], slices: Slices | None = None
    ) -> Trace:
        """Generate once; the time starts with the prompt tokenized."""
        engine, parameters = self._ready(), request.parameters
        encoded, tokenize_ns = prompt
        if self._facts is not None and _too_long(encoded, parameters, self._facts):
            raise CaseError(_length_problem(encoded, parameters, self._facts))
        synchronize_device()
        stamps = Stamps(time.perf_counter_ns, slowdown=self._slowdown, slices=slices)
        generation = engine.generate(encoded, parameters, stamps)
        synchronize_device()
        counted = encoded.tokens is not None
        return Trace(
            arrivals=stamps.arrivals,
            stamps_ns=tuple(stamps.ns),
            first_response_ns=stamps.first_response_ns,
            token_ids=tuple(stamps.ids),
            output_tokens=_output_tokens(stamps, generation),
            prompt_tokens=encoded.tokens if counted else generation.prompt_tokens,
            cached_prompt_tokens=generation.cached_prompt_tokens,
            tokenize_ns=tokenize_ns if counted else None,
            text=generation.text,
            finish_reason=generation.finish_reason,
            timings=generation.timings,
        )

    def _probabilities(self, request: say.Force | say.Top | say.Weigh) -> say.Reply:
        engine, facts = self._ready(), self._facts
        can: Forcing | None = engine if isinstance(engine, TeacherForcing) else None
        match request:
            case say.Force():
                return say.Forced(seen=None if can is None else forced_pass(can, request, facts))
            case say.Weigh():
                found = None if can is None else choice_logprobs(can, request, facts)
                return say.Weighed(logprobs=found)
            case say.Top():
                told = self._top(request) if can is None else most_probable(can, request, facts)
                return say.Topped(positions=told)

    def _top(self, request: say.Top) -> tuple[Position, ...] | None:
        engine = self._ready()
        if not isinstance(engine, TopLogprobs):
            return None
        return engine.top_logprobs(request.messages, request.parameters)

    def _free(self) -> say.Freed:
        assert self._life is not None, "free comes after load"
        pids = self._pids()
        peak = None if pids == () else read_host_memory(pids=pids).rss_peak
        began = time.perf_counter()
        gc.unfreeze()
        self._ready().free()
        gc.collect()
        synchronize_device()
        free_s = time.perf_counter() - began
        after = self._memory()
        self._remember_peaks(peak, after)
        self._life = msgspec.structs.replace(self._life, after_free=after, free_s=free_s)
        return say.Freed(life=self._life)

    def _remember_peaks(self, rss_before_reset: int | None, memory: Memory) -> None:
        """Keep the highest of what was seen: a memory pass resets the kernel's own mark."""
        assert self._life is not None, "memory is read after load"
        host = memory.host
        seen = [] if host is None else [host.rss_peak, host.rss]
        self._life = msgspec.structs.replace(
            self._life,
            rss_peak=_most(self._life.rss_peak, rss_before_reset, *seen),
            system_used_peak=_most(self._life.system_used_peak, _system_used(memory)),
        )

    def _memory(self) -> Memory:
        memory = read_memory(
            gpus=self._gpus, device_used_before=self._device_used_before, pids=self._pids()
        )
        return self._with_report(memory)

    def _with_report(self, memory: Memory) -> Memory:
        """Return *memory* with a server's own figures, and no host's where it is elsewhere."""
        if self._served is None:
            return memory
        known = self._served.processes() is not None
        return msgspec.structs.replace(
            memory,
            host=memory.host if known else None,
            reported=self._served.reported_memory(),
        )

    def _ready(self) -> Engine:
        assert self._engine is not None, "start comes first"
        return self._engine


def _as_seen(before: Memory, after: Memory, *, served: bool) -> Memory:
    """Return *before* as its server's: no process held the model yet, if any is known at all."""
    if not served or before.host is None:
        return before
    if after.host is None:
        return msgspec.structs.replace(before, host=None)
    nothing = msgspec.structs.replace(before.host, rss=0, rss_anon=0, rss_file=0, rss_peak=0)
    return msgspec.structs.replace(before, host=nothing)


def _system_used(memory: Memory) -> int | None:
    return None if memory.host is None else memory.host.system_used


def _most(*figures: int | None) -> int | None:
    return max((figure for figure in figures if figure is not None), default=None)


def _output_tokens(stamps: Stamps, generation: Generation) -> int | None:
    return len(stamps.ids) if stamps.arrivals == "tokens" else generation.output_tokens


def _too_long(encoded: Encoded, parameters: Parameters, facts: ModelFacts) -> bool:
    limit = facts.context_tokens
    if limit is None or encoded.tokens is None:
        return False
    return encoded.tokens + parameters.max_new_tokens > limit


def _length_problem(encoded: Encoded, parameters: Parameters, facts: ModelFacts) -> str:
    assert encoded.tokens is not None, "what was counted was too long"
    return (
        f"its {encoded.tokens} tokens and max_new_tokens = {parameters.max_new_tokens} make "
        f"{encoded.tokens + parameters.max_new_tokens}, but the model's context is "
        f"{facts.context_tokens} tokens; shorten the prompt or lower max_new_tokens"
    )


def _versions(libraries: Iterable[str]) -> dict[str, str]:
    versions = {}
    for name in libraries:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions


def _describe(exc: Exception) -> str:
    """Return a foreign exception in one line: its type, its first line, where it was raised."""
    first = next(iter(str(exc).strip().splitlines()), "")
    frame = traceback.extract_tb(exc.__traceback__)[-1]
    where = f"{Path(frame.filename).name}:{frame.lineno}"
    return f"{type(exc).__name__}: {first} ({where})"
