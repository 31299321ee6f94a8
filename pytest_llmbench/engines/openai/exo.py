"""What exo has besides OpenAI's API: instances of a model, and a benchmark of its own.

Written after exo's own client (``bench/harness.py``) and its API's types; tried against a server
of ours that answers as they say, not against a real exo.

A model answers only while there is an *instance* of it. Where there is none, the first placement
that exo proposes is made (exo downloads the model for that, if it has to), waited for, and taken
down again when the model is freed. ``/bench/chat/completions`` bans the end token and leaves the
prompt cache alone, and gives its whole answer at once: nothing arrives that could be stamped, so
that a round of a fixed length has exo's own rates, counts and text, and no times of ours.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote

from pytest_llmbench.domain.trace import EngineTimings, ReportedMemory
from pytest_llmbench.engines.openai.client import Client, objects_in
from pytest_llmbench.engines.openai.stream import Answer, Counts, read_answer
from pytest_llmbench.errors import LoadError

_POLL_S: Final = 0.5


def ensure_instance(
    client: Client, model: str, *, sleep: Callable[[float], None] = time.sleep
) -> str | None:
    """Return once an instance of *model* is ready; its id if it was made for us.

    There is no time-out: the session's own (``load_timeout_s``) ends this process.

    Raises:
        LoadError: exo proposes no placement, or what runs the instance failed.
    """
    present = _instances(_state(client), model)
    made = None if present else _place(client, model)
    wanted = made or next(iter(present))
    while not _is_ready(_state(client), model, wanted):
        sleep(_POLL_S)
    return made


def remove_instance(client: Client, identifier: str) -> None:
    """Take an instance down."""
    client.delete(f"{client.root}/instance/{identifier}")


def benchmark(client: Client, body: Mapping[str, object]) -> tuple[Answer, ReportedMemory | None]:
    """Return exo's answer to *body* through its benchmark, and the most memory that it took.

    Raises:
        CaseError: exo has no such endpoint, or says no.
    """
    told = client.post(f"{client.root}/bench/chat/completions", body)
    stats = _table(told.get("generation_stats"))
    answer = read_answer(told)
    counts = Counts(
        prompt=_first(answer.counts.prompt, _whole(stats.get("prompt_tokens"))),
        output=_first(answer.counts.output, _whole(stats.get("generation_tokens"))),
        cached=_first(answer.counts.cached, 0 if stats.get("prefix_cache_hit") == "none" else None),
    )
    return dataclasses.replace(answer, counts=counts, timings=_timings(stats)), _memory(stats)


def _place(client: Client, model: str) -> str:
    told = client.get(f"{client.root}/instance/previews?model_id={quote(model, safe='')}")
    previews = objects_in(told.get("previews"))
    for preview in previews:
        instance = preview.get("instance")
        if preview.get("error") is None and isinstance(instance, dict):
            client.post(f"{client.root}/instance", {"instance": instance})
            return str(_inner(instance).get("instanceId"))
    reasons = {str(preview["error"]) for preview in previews if preview.get("error")}
    raise LoadError(
        f"exo at {client.root} has no instance of {model!r} and proposes no placement of one: "
        f"{'; '.join(sorted(reasons)) or 'it says no more'}; place the model in exo, or correct "
        "its name"
    )


def _is_ready(state: Mapping[str, object], model: str, identifier: str) -> bool:
    """Whether everything that runs the instance is ready."""
    instance = _instances(state, model).get(identifier)
    if instance is None:
        return False
    runners = _table(state.get("runners"))
    names = list(_table(_table(instance.get("shardAssignments")).get("runnerToShard")))
    found = [_table(runners.get(name)) for name in names]
    for runner in found:
        if "RunnerFailed" in runner:
            reason = _table(runner["RunnerFailed"]).get("errorMessage") or "it does not say why"
            raise LoadError(f"exo could not run {model!r}: {reason}; look at what exo printed")
    return bool(found) and all("RunnerReady" in r or "RunnerRunning" in r for r in found)


def _state(client: Client) -> dict[str, object]:
    return client.get(f"{client.root}/state")


def _instances(state: Mapping[str, object], model: str) -> dict[str, dict[str, object]]:
    """Return the instances of *model* by their ids."""
    all_of_them = {name: _inner(found) for name, found in _table(state.get("instances")).items()}
    return {
        name: instance
        for name, instance in all_of_them.items()
        if _table(instance.get("shardAssignments")).get("modelId") == model
    }


def _inner(tagged: object) -> dict[str, object]:
    """Return what is in ``{"MlxRingInstance": {…}}``."""
    return _table(next(iter(_table(tagged).values()), None))


def _timings(stats: Mapping[str, object]) -> EngineTimings | None:
    """mlx-lm gives the decode rate as n tokens in the time of n − 1, which is undone here."""
    if not stats:
        return None
    prompt, output = _whole(stats.get("prompt_tokens")), _whole(stats.get("generation_tokens"))
    return EngineTimings(
        prefill_tokens=prompt,
        prefill_s=_seconds(prompt, stats.get("prompt_tps")),
        decode_tokens=None if output is None else max(0, output - 1),
        decode_s=_seconds(output, stats.get("generation_tps")),
    )


def _memory(stats: Mapping[str, object]) -> ReportedMemory | None:
    peak = _whole(_table(stats.get("peak_memory_usage")).get("inBytes"))
    return None if peak is None else ReportedMemory(total=peak, device=None)


def _first(*counts: int | None) -> int | None:
    return next((count for count in counts if count is not None), None)


def _seconds(tokens: int | None, rate: object) -> float | None:
    return tokens / rate if tokens and isinstance(rate, int | float) and rate > 0 else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _table(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}
