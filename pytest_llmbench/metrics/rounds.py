"""The metrics of one round, derived from its trace alone.

A metric that a round does not define is absent, never zero: a single token has no gap, so it has
no ``itl_s``, ``tpot_s`` or ``decode_tps``; no token at all has no ``ttft_s`` either.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from pytest_llmbench.domain.trace import Trace

_SECOND: Final = 1e-9


def round_metrics(trace: Trace) -> dict[str, float]:
    """Return the metrics that *trace* defines, by name, in base units (seconds, tokens, tok/s).

    ``tpot_s`` leaves the first token out, ``(t_last - t_first) / (n - 1)``; some tools include
    it. ``prefill_tps`` counts only the prompt tokens that were really processed, and takes the
    time to the first token as the prefill time.
    """
    return {**_counts(trace), **_times(trace), **_gaps(trace), **_rates(trace)}


def invalid_reason(trace: Trace) -> str | None:
    """Return why the round's times mean nothing, or ``None`` where they are valid."""
    if trace.cached_prompt_tokens > 0:
        return (
            f"{trace.cached_prompt_tokens} of {trace.prompt_tokens} prompt tokens came from the "
            "engine's cache"
        )
    return None


def _counts(trace: Trace) -> dict[str, float]:
    return {
        "prompt_tokens": float(trace.prompt_tokens),
        "output_tokens": float(len(trace.stamps_ns)),
        "output_chars": float(len(trace.text)),
    }


def _times(trace: Trace) -> dict[str, float]:
    times = {"tokenize_s": trace.tokenize_ns * _SECOND}
    if trace.stamps_ns:
        times["ttft_s"] = trace.stamps_ns[0] * _SECOND
        times["latency_s"] = trace.stamps_ns[-1] * _SECOND
    return times


def _gaps(trace: Trace) -> dict[str, float]:
    if len(trace.stamps_ns) < 2:
        return {}
    gaps = np.diff(np.array(trace.stamps_ns, dtype=np.int64)) * _SECOND
    return {
        "itl_s": float(np.median(gaps)),
        "itl_p90_s": float(np.quantile(gaps, 0.9)),
        "itl_max_s": float(gaps.max()),
        "tpot_s": _per_token_ns(trace) * _SECOND,
    }


def _rates(trace: Trace) -> dict[str, float]:
    """Return the rates whose time is not zero; a clock too coarse to tell yields no rate."""
    count = len(trace.stamps_ns)
    processed = trace.prompt_tokens - trace.cached_prompt_tokens
    rates: dict[str, float] = {}
    if count >= 2 and (per_token := _per_token_ns(trace)) > 0:
        rates["decode_tps"] = 1 / (per_token * _SECOND)
    if count >= 1 and trace.stamps_ns[0] > 0 and processed > 0:
        rates["prefill_tps"] = processed / (trace.stamps_ns[0] * _SECOND)
    if count >= 1 and trace.stamps_ns[-1] > 0:
        rates["output_tps"] = count / (trace.stamps_ns[-1] * _SECOND)
    return rates


def _per_token_ns(trace: Trace) -> float:
    first, last = trace.stamps_ns[0], trace.stamps_ns[-1]
    return (last - first) / (len(trace.stamps_ns) - 1)
