"""What a variant's life reports: loading, first generation, memory before, with and after it."""

from __future__ import annotations

from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.record import Measured, ModelFacts
from pytest_llmbench.domain.trace import HostMemory, Life, Memory


def life_metrics(life: Life, facts: ModelFacts | None, warnings: int) -> dict[str, Measured]:
    """Return the metrics of a variant's life in base units, in the catalogue's order.

    What the life did not come to (no load, no free) is absent. *warnings* is the number of
    distinct warnings of Python and the engine.
    """
    readings: dict[str, float | None] = {
        "start_s": life.start_s,
        "load_s": life.load_s,
        "first_generate_s": life.first_generate_s,
        "free_s": life.free_s,
        **_resident(life),
        **_system(life),
        **_device(life),
        "model_bytes": None if facts is None else facts.model_bytes,
        "warnings": warnings,
    }
    return {
        name: Measured(value=float(value), gate=float(value), rounds=None)
        for name in CATALOGUE
        if (value := readings.get(name)) is not None
    }


def _resident(life: Life) -> dict[str, float | None]:
    before, loaded = _host(life.before), _host(life.after_load)
    freed = _host(life.after_free)
    delta = None if before is None or loaded is None else loaded.rss - before.rss
    return {
        "rss_before_bytes": None if before is None else before.rss,
        "rss_after_load_bytes": None if loaded is None else loaded.rss,
        "rss_life_peak_bytes": life.rss_peak,
        "rss_after_free_bytes": None if freed is None else freed.rss,
        "rss_delta_bytes": delta,
        "rss_anon_bytes": None if loaded is None else loaded.rss_anon,
        "rss_file_bytes": None if loaded is None else loaded.rss_file,
    }


def _system(life: Life) -> dict[str, float | None]:
    before, loaded = _host(life.before), _host(life.after_load)
    freed = _host(life.after_free)
    return {
        "system_ram_before_bytes": None if before is None else before.system_used,
        "system_ram_after_load_bytes": None if loaded is None else loaded.system_used,
        "system_ram_peak_bytes": life.system_used_peak,
        "system_ram_after_free_bytes": None if freed is None else freed.system_used,
    }


def _device(life: Life) -> dict[str, float | None]:
    moments = {"before": life.before, "after_load": life.after_load, "after_free": life.after_free}
    return {f"device_{moment}_bytes": _process(memory) for moment, memory in moments.items()}


def _process(memory: Memory | None) -> float | None:
    return None if memory is None or memory.device is None else memory.device.process


def _host(memory: Memory | None) -> HostMemory | None:
    return None if memory is None else memory.host
