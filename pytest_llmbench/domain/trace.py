"""What one generation yields, and what the machine did meanwhile: raw readings only."""

from __future__ import annotations

from typing import Literal

from pytest_llmbench.domain.fact import Fact

FinishReason = Literal["stop", "length"]

Arrivals = Literal["tokens", "chunks"]
"""What a stamp marks: one token, or a piece of a server's stream that may hold several."""


class EngineTimings(Fact, frozen=True, kw_only=True):
    """What an engine says of one generation by its own clock; ``None`` where it does not say.

    Attributes:
        prefill_tokens: prompt tokens that *prefill_s* covers.
        prefill_s: seconds of processing the prompt.
        decode_tokens: tokens that *decode_s* covers: all of the output, or all but the first,
            as the engine counts.
        decode_s: seconds of generating them.
    """

    prefill_tokens: int | None
    prefill_s: float | None
    decode_tokens: int | None
    decode_s: float | None


class Trace(Fact, frozen=True, kw_only=True):
    """One generation, clocked in the worker.

    Attributes:
        arrivals: what a stamp marks.
        stamps_ns: nanoseconds from the start of generate to each arrival, shape ``(m,)``, never
            falling. Where tokens arrive, there is one for each, the end token included.
        first_response_ns: nanoseconds to a server's first answer of any kind, with text or
            without; ``None`` where no server is asked.
        token_ids: the tokens generated, shape ``(n,)``; empty where a server does not give them.
        output_tokens: how many were generated, the end token included where the engine counts
            it; ``None`` where a server does not say.
        prompt_tokens: tokens of the prompt, template included; ``None`` likewise.
        cached_prompt_tokens: of these, how many the engine did not process again; ``None``
            likewise.
        tokenize_ns: nanoseconds for chat template and tokenizer; ``None`` where a server does
            that.
        text: the generated text without special tokens.
        finish_reason: ``stop`` at an end token, ``length`` at the token limit.
        timings: the engine's own figures.
    """

    arrivals: Arrivals
    stamps_ns: tuple[int, ...]
    first_response_ns: int | None
    token_ids: tuple[int, ...]
    output_tokens: int | None
    prompt_tokens: int | None
    cached_prompt_tokens: int | None
    tokenize_ns: int | None
    text: str
    finish_reason: FinishReason
    timings: EngineTimings | None


class Contention(Fact, frozen=True, kw_only=True):
    """What else wanted this machine during one round; ``None`` where a system can't tell.

    Attributes:
        wall_s: the round's wall time in seconds.
        run_delay_s: time that the process's threads waited for a processor (summed).
        involuntary_switches: times that a thread was taken off its processor.
        steal_s: time that the hypervisor gave to others, summed over processors.
        load_1m: the system's one-minute load average after the round.
        gpu_clock_reasons: names of the reasons for lowered clocks that held during the round.
        gpu_temperature_c: device temperature after the round, degrees Celsius.
        paces_s: seconds that a fixed piece of work took before the round, and after it (see
            :mod:`pytest_llmbench.probes.pace`).
    """

    wall_s: float
    run_delay_s: float | None
    involuntary_switches: int | None
    steal_s: float | None
    load_1m: float | None
    gpu_clock_reasons: tuple[str, ...] | None
    gpu_temperature_c: float | None
    paces_s: tuple[float, float] | None = None


class HostMemory(Fact, frozen=True, kw_only=True):
    """Memory of the processes that hold a model, and of their machine, in bytes.

    The processes are the worker itself, or a server and its children; their figures are added
    up, so that pages which several of them share count more than once. ``None`` where unknown.
    """

    rss: int
    rss_anon: int | None
    rss_file: int | None
    rss_peak: int | None
    system_used: int


class DeviceMemory(Fact, frozen=True, kw_only=True):
    """Device memory in bytes: the allocator's live and pooled peaks since its last reset.

    *process* is NVML's figure for this process; where NVML can't tell processes apart it is
    the rise of the device's used memory, and *process_is_difference* says so.
    """

    alloc_peak: int | None
    reserved_peak: int | None
    process: int | None
    process_is_difference: bool


class ReportedMemory(Fact, frozen=True, kw_only=True):
    """What a server says that the model takes, in bytes: in all, and of it on devices."""

    total: int | None
    device: int | None


class Memory(Fact, frozen=True, kw_only=True):
    """Host and device memory, read at one moment or over one memory pass.

    *host* is ``None`` for a server whose processes are not known (it runs elsewhere), *device*
    where none is used, *reported* where no server says anything.
    """

    host: HostMemory | None
    device: DeviceMemory | None
    reported: ReportedMemory | None = None


class Round(Fact, frozen=True, kw_only=True):
    """One timed generation with the contention around it.

    Attributes:
        trace: what came out, and when.
        contention: what else went on.
        launch: which of its variant's processes in this session it ran in, from 0.
        turn: which of the session's turns it belongs to, from 0: rounds of several variants in
            one turn are near in time.
    """

    trace: Trace
    contention: Contention
    launch: int = 0
    turn: int = 0


class Life(Fact, frozen=True, kw_only=True):
    """Readings of a variant's life in its worker; ``None`` for what it did not come to.

    Attributes:
        before: before the model was loaded (the engine's libraries already imported, a server
            not yet started).
        after_load: with the model loaded.
        after_free: after it was released.
        load_s: seconds from the load's start to a model that is ready.
        first_generate_s: seconds of the cold first generation.
        free_s: seconds of the release.
        rss_peak: highest resident bytes seen over the whole life.
        system_used_peak: highest used bytes of the machine at any reading.
        start_s: seconds from the process's start to its libraries being imported; the process
            can't know them, the session adds them.
    """

    before: Memory
    after_load: Memory | None
    after_free: Memory | None
    load_s: float | None
    first_generate_s: float | None
    free_s: float | None
    rss_peak: int | None
    system_used_peak: int | None
    start_s: float | None = None
