"""What one generation yields, and what the machine did meanwhile: raw readings only."""

from __future__ import annotations

from typing import Literal

from pytest_llmbench.domain.fact import Fact

FinishReason = Literal["stop", "length"]


class Trace(Fact, frozen=True, kw_only=True):
    """One generation, clocked in the worker.

    Attributes:
        stamps_ns: nanoseconds from the start of generate to each token, shape ``(n,)``,
            never falling; one per output token, the end token included.
        token_ids: the tokens generated, shape ``(n,)``.
        prompt_tokens: tokens of the prompt, template included.
        cached_prompt_tokens: of these, how many the engine did not process again.
        tokenize_ns: nanoseconds for chat template and tokenizer.
        text: the generated text without special tokens.
        finish_reason: ``stop`` at an end token, ``length`` at the token limit.
    """

    stamps_ns: tuple[int, ...]
    token_ids: tuple[int, ...]
    prompt_tokens: int
    cached_prompt_tokens: int
    tokenize_ns: int
    text: str
    finish_reason: FinishReason


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
    """

    wall_s: float
    run_delay_s: float | None
    involuntary_switches: int | None
    steal_s: float | None
    load_1m: float | None
    gpu_clock_reasons: tuple[str, ...] | None
    gpu_temperature_c: float | None


class HostMemory(Fact, frozen=True, kw_only=True):
    """Memory of the worker's process and its machine, in bytes; ``None`` where unknown."""

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


class Memory(Fact, frozen=True, kw_only=True):
    """Host and device memory, read at one moment or over one memory pass."""

    host: HostMemory
    device: DeviceMemory | None


class Round(Fact, frozen=True, kw_only=True):
    """One timed generation with the contention around it."""

    trace: Trace
    contention: Contention


class Life(Fact, frozen=True, kw_only=True):
    """Readings of a variant's life in its worker; ``None`` for what it did not come to.

    Attributes:
        before: before the model was loaded (the engine's libraries already imported).
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
    system_used_peak: int
    start_s: float | None = None
