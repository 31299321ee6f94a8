"""The metrics of one round, derived from its trace alone.

A metric that a round does not define is absent, never zero: a single token has no gap, so it has
no ``itl_s``, ``tpot_s`` or ``decode_tps``; no token at all has no ``ttft_s`` either. Gaps between
the chunks of a server's stream are ``icl_s``, never called ``itl_s``.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from pytest_llmbench.domain.trace import Trace

_SECOND: Final = 1e-9


def round_metrics(trace: Trace) -> dict[str, float]:
    """Return the metrics that *trace* defines, by name, in base units (seconds, tokens, tok/s).

    ``tpot_s`` leaves the first token out, ``(t_last - t_first) / (n - 1)``; some tools include
    it. ``prefill_tps`` takes the time to the first token as the prefill time. A round whose
    prompt came from a cache in part has no metric that the prompt's processing is part of.
    """
    return {**_counts(trace), **_times(trace), **_gaps(trace), **_rates(trace), **_engine(trace)}


def _counts(trace: Trace) -> dict[str, float]:
    counts = {
        "prompt_tokens": trace.prompt_tokens,
        "output_tokens": trace.output_tokens,
        "output_chars": len(trace.text),
    }
    return {name: float(count) for name, count in counts.items() if count is not None}


def _times(trace: Trace) -> dict[str, float]:
    times: dict[str, float] = {}
    if trace.tokenize_ns is not None:
        times["tokenize_s"] = trace.tokenize_ns * _SECOND
    if trace.cached_prompt_tokens:
        return times
    if trace.first_response_ns is not None:
        times["ttfr_s"] = trace.first_response_ns * _SECOND
    if trace.stamps_ns:
        times["ttft_s"] = trace.stamps_ns[0] * _SECOND
        times["latency_s"] = trace.stamps_ns[-1] * _SECOND
    return times


def _gaps(trace: Trace) -> dict[str, float]:
    """Return the gaps between arrivals, and the time per token where tokens were counted."""
    if len(trace.stamps_ns) < 2:
        return {}
    gaps = np.diff(np.array(trace.stamps_ns, dtype=np.int64)) * _SECOND
    kind = "itl" if trace.arrivals == "tokens" else "icl"
    found = {
        f"{kind}_s": float(np.median(gaps)),
        f"{kind}_p90_s": float(np.quantile(gaps, 0.9)),
        f"{kind}_max_s": float(gaps.max()),
    }
    per_token = _per_token_ns(trace)
    return found if per_token is None else {**found, "tpot_s": per_token * _SECOND}


def _rates(trace: Trace) -> dict[str, float]:
    """Return the rates whose time is not zero; a clock too coarse to tell yields no rate."""
    rates: dict[str, float] = {}
    per_token = _per_token_ns(trace)
    if per_token is not None and per_token > 0:
        rates["decode_tps"] = 1 / (per_token * _SECOND)
    if trace.cached_prompt_tokens or not trace.stamps_ns:
        return rates
    first, last = trace.stamps_ns[0], trace.stamps_ns[-1]
    if first > 0 and trace.prompt_tokens and trace.cached_prompt_tokens is not None:
        rates["prefill_tps"] = trace.prompt_tokens / (first * _SECOND)
    if last > 0 and trace.output_tokens is not None:
        rates["output_tps"] = trace.output_tokens / (last * _SECOND)
    return rates


def _engine(trace: Trace) -> dict[str, float]:
    """Return the rates by the engine's own clock."""
    own = trace.timings
    if own is None:
        return {}
    rates = {
        "engine_prefill_tps": _rate(own.prefill_tokens, own.prefill_s),
        "engine_decode_tps": _rate(own.decode_tokens, own.decode_s),
    }
    return {name: rate for name, rate in rates.items() if rate is not None}


def _rate(tokens: int | None, seconds: float | None) -> float | None:
    return tokens / seconds if tokens and seconds else None


def _per_token_ns(trace: Trace) -> float | None:
    """Return nanoseconds per token after the first, ``None`` with fewer than two arrivals."""
    if len(trace.stamps_ns) < 2 or trace.output_tokens is None or trace.output_tokens < 2:
        return None
    return (trace.stamps_ns[-1] - trace.stamps_ns[0]) / (trace.output_tokens - 1)
