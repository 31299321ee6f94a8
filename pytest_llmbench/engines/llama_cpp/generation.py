"""One generation: the prompt in batches, then a token a step, by llama.cpp's own functions."""

from __future__ import annotations

import ctypes
from typing import Any, Final

from pytest_llmbench.domain.case import Parameters
from pytest_llmbench.domain.trace import EngineTimings, FinishReason
from pytest_llmbench.engines.llama_cpp.model import LoadedModel
from pytest_llmbench.engines.protocol import Stamps
from pytest_llmbench.errors import CaseError

_RANDOM_SEED: Final = 0xFFFFFFFF
"""LLAMA_DEFAULT_SEED: the sampler takes a random one instead."""


def generate(
    loaded: LoadedModel,
    prompt: ctypes.Array[ctypes.c_int32],
    parameters: Parameters,
    stamps: Stamps,
) -> FinishReason:
    """Generate once on an empty cache; every token is stamped as it reaches the host.

    Raises:
        CaseError: llama.cpp could not process a batch.
    """
    llama = loaded.llama
    loaded.log.clear(keep=False)
    llama.llama_memory_clear(loaded.memory, False)  # noqa: FBT003 — C; as llama-bench clears
    llama.llama_perf_context_reset(loaded.context)
    sampler = _sampler(llama, parameters)
    try:
        process(loaded, prompt)
        return _continue(loaded, sampler, parameters, stamps)
    finally:
        llama.llama_sampler_free(sampler)


def timings(loaded: LoadedModel) -> EngineTimings:
    """Return llama.cpp's own figures of the last generation.

    It counts a prompt's tokens when several were handed over, and single tokens as decoding: all
    of the output but the first, and a prompt of one token. A count of 0 it reports as 1.
    """
    perf = loaded.llama.llama_perf_context(loaded.context)
    prefilled, decoded = perf.t_p_eval_ms > 0, perf.t_eval_ms > 0
    return EngineTimings(
        prefill_tokens=perf.n_p_eval if prefilled else None,
        prefill_s=perf.t_p_eval_ms / 1e3 if prefilled else None,
        decode_tokens=perf.n_eval if decoded else None,
        decode_s=perf.t_eval_ms / 1e3 if decoded else None,
    )


def _sampler(llama: Any, parameters: Parameters) -> int:
    """Return a chain of what was asked for and nothing else; to be freed."""
    chain: int = llama.llama_sampler_chain_init(llama.llama_sampler_chain_default_params())
    for link in _links(llama, parameters):
        llama.llama_sampler_chain_add(chain, link)
    return chain


def _links(llama: Any, parameters: Parameters) -> list[int]:
    if parameters.greedy:
        return [llama.llama_sampler_init_greedy()]
    links = []
    if parameters.top_k > 0:
        links.append(llama.llama_sampler_init_top_k(parameters.top_k))
    if parameters.top_p < 1:
        links.append(llama.llama_sampler_init_top_p(parameters.top_p, 1))
    links.append(llama.llama_sampler_init_temp(parameters.temperature))
    links.append(llama.llama_sampler_init_dist(parameters.seed % _RANDOM_SEED))
    return links


def process(loaded: LoadedModel, prompt: ctypes.Array[ctypes.c_int32]) -> None:
    """Compute the whole prompt, as many tokens at once as the context takes."""
    llama, count = loaded.llama, len(prompt)
    for offset in range(0, count, loaded.batch):
        start = ctypes.byref(prompt, offset * ctypes.sizeof(ctypes.c_int32))
        tokens = ctypes.cast(start, llama.llama_token_p)
        part = llama.llama_batch_get_one(tokens, min(loaded.batch, count - offset))
        code = llama.llama_decode(loaded.context, part)
        if code:
            raise failed(loaded, code)


def _continue(
    loaded: LoadedModel, sampler: int, parameters: Parameters, stamps: Stamps
) -> FinishReason:
    """Sample and compute in turn; taking a sample waits until the logits are on the host."""
    llama, context, vocabulary = loaded.llama, loaded.context, loaded.vocabulary.handle
    sample, decode = llama.llama_sampler_sample, llama.llama_decode
    is_end = llama.llama_vocab_is_eog
    natural = parameters.length == "natural"
    last = (ctypes.c_int32 * 1)()
    step = llama.llama_batch_get_one(last, 1)
    for left in reversed(range(parameters.max_new_tokens)):
        token = sample(sampler, context, -1)
        stamps.token(token)
        if natural and is_end(vocabulary, token):
            return "stop"
        if left:
            last[0] = token
            code = decode(context, step)
            if code:
                raise failed(loaded, code)
    return "length"


def failed(loaded: LoadedModel, code: int) -> CaseError:
    """Return what the *code* of llama_decode means."""
    if code == 1:
        return CaseError(
            f"llama.cpp found no room in its cache of {loaded.cache_tokens} tokens; raise context"
        )
    return CaseError(f"llama.cpp could not go on (llama_decode gave {code}): {loaded.log.reason}")
