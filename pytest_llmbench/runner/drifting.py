"""How far each variant is from the reference: a pass over the reference's text after its rounds.

Nothing of it goes on while anything is timed. The reference says first how probable it finds its
own text, and which tokens it thought of besides; every other variant is then asked about the same
tokens. What the reference said is kept, so that it need not be in memory at the same time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from pytest_llmbench.domain.case import Case
from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.drift import (
    Drift,
    ForcedPass,
    KeptOriginal,
    KeptOriginals,
    Original,
    Position,
)
from pytest_llmbench.domain.record import CaseRecord, Measured
from pytest_llmbench.domain.similarity import Similarity
from pytest_llmbench.domain.trace import Trace
from pytest_llmbench.engines import engine_entry
from pytest_llmbench.errors import (
    ConfigError,
    EngineError,
    OtherTokensError,
    SimilarityError,
)
from pytest_llmbench.metrics.departures import departures
from pytest_llmbench.metrics.drift import (
    drift,
    drift_metrics,
    own_noise,
    prefix_metrics,
    text_metrics,
    truncated_drift,
)
from pytest_llmbench.runner.asking import asked
from pytest_llmbench.runner.kept_reference import kept_text
from pytest_llmbench.runner.lives import Lives
from pytest_llmbench.runner.plan import Plan
from pytest_llmbench.worker.embedder import Embedder

_OTHER_STEP: Final = 5
"""Tokens at once when the reference is asked again: other blocks than are usual anywhere."""


class Drifting:
    """Adds to records how far they are from what they are held against.

    Args:
        plan: what that is for each case.
        lives: the variants.
        say: told what is being done.
        similarity: the model that embeds texts; ``None`` where nobody asked for similarity.
        kept: what a baseline keeps of this very reference, for where it is not measured.
        promised: the reference that the configuration says is kept, if it does.
        keep: remember the reference's texts to the end, so that a baseline can keep them.

    Attributes:
        kept_now: what is to be kept, by the keys of the reference's cases.
    """

    def __init__(
        self,
        plan: Plan,
        lives: Lives,
        say: Callable[[str], None],
        similarity: Similarity | None = None,
        kept: KeptOriginals | None = None,
        *,
        promised: str | None = None,
        keep: bool = False,
    ) -> None:
        self._promised = promised
        self.kept_now: dict[str, KeptOriginal] = {}
        self._kept = kept
        self._keeps = keep
        self._similarity = similarity
        self._embedder = None if similarity is None else Embedder(similarity)
        self._plan = plan
        self._lives = lives
        self._say = say
        self._originals: dict[str, Original] = {}
        self._waiting: dict[str, set[str]] = {}

    def with_drift(self, record: CaseRecord) -> CaseRecord:
        """Return *record* with its drift, or with why there is none; the variant is loaded.

        Only greedy cases have any: what was drawn differs by chance.
        """
        case = record.case
        if not case.parameters.greedy or record.error is not None:
            return record
        followers = self._plan.held_against(case)
        keeps = self._keeps and case.variant == self._plan.reference
        if followers or keeps:
            original = self._original(case, record, followers)
            if keeps:
                self.kept_now[case.key] = KeptOriginal(workload=case.workload, original=original)
            if followers:
                self._originals[case.key] = original
                self._waiting[case.key] = {each.key for each in followers}
        wanted = self._plan.original(case)
        found = self._kept_for(case) if wanted is None else self._let_go(wanted, case)
        if found is not None:
            return self._compared(record, found)
        if wanted is None and self._promised in (None, case.variant):
            return record
        why = (
            f"the baseline keeps no text of {self._promised} for it; save a session that measures "
            f"{self._promised}"
            if wanted is None
            else f"{wanted.variant} has no text for this prompt"
        )
        return msgspec.structs.replace(record, no_drift=why, no_similarity=why)

    def _let_go(self, wanted: Case, case: Case) -> Original | None:
        """Return the text of *wanted*, and forget it where *case* was the last to wait for it."""
        found = self._originals.get(wanted.key)
        if found is None:
            return self._kept_for(case)
        waiting = self._waiting[wanted.key]
        waiting.discard(case.key)
        if not waiting:
            del self._originals[wanted.key]
        return found

    def _kept_for(self, case: Case) -> Original | None:
        """Return what the baseline keeps for *case*, where the same was asked."""
        kept = self._kept
        if kept is None or case.variant == kept.reference or self._plan.twins:
            return None
        found = kept_text(kept, case)
        if found is None:
            return None
        key = self._key(kept.reference, kept.identity, found.text)
        return msgspec.structs.replace(found, key=key)

    def _original(self, case: Case, record: CaseRecord, followers: Sequence[Case]) -> Original:
        """Return the text of *case*, and what its variant makes of it."""
        trace = record.rounds[-1].trace
        try:
            seen, why = self._pass(case, trace.token_ids, None)
        except OtherTokensError as exc:  # of its own text: the engine's own figures disagree
            seen, why = None, str(exc)
        top = None
        if self._keeps or not all(map(self._forces, (case, *followers))):
            top, refused = self._top(case, trace.token_ids)
            why = refused if seen is None else why
        return Original(
            variant=case.variant,
            key=self._key(case.variant, self._identity(case.variant), trace.text),
            text=trace.text,
            token_ids=trace.token_ids,
            output_tokens=trace.output_tokens,
            finish_reason=trace.finish_reason,
            seen=seen,
            why=why,
            noise={} if seen is None else self._noise(case, trace.token_ids, seen),
            top=top,
        )

    def _forces(self, case: Case) -> bool:
        """Whether the engine of *case* says how probable it finds a text that is given."""
        try:
            return engine_entry(self._plan.variants[case.variant].engine).forces()
        except (KeyError, ConfigError, EngineError):  # it is another interpreter's: it will say
            return True

    def _noise(self, case: Case, text: tuple[int, ...], seen: ForcedPass) -> dict[str, float]:
        """Return how far *case*'s variant is from itself when it computes in other blocks."""
        again, _ = self._pass(case, text, seen, step=_OTHER_STEP)
        return {} if again is None else own_noise(seen, again)

    def _compared(self, record: CaseRecord, original: Original) -> CaseRecord:
        case, trace = record.case, record.rounds[-1].trace
        found, why, same = None, original.why, True
        if original.seen is not None:
            try:
                seen, why = self._pass(case, original.token_ids, original.seen)
            except OtherTokensError as exc:
                seen, why, same = None, str(exc), False
            found = None if seen is None else drift(original.variant, original.seen, seen)
        if original.top is not None and not (original.seen and self._forces(case)):
            found, why = self._truncated(case, trace, original.variant, original.top)
        metrics, no_similarity = self._of_texts(original, trace)
        if (found is not None and not found.truncated) or not same:
            metrics["tokens_match"] = Measured(value=float(same), gate=float(same), rounds=None)
        if found is None:
            metrics.pop("prefix_match_tokens", None)  # tokens of who knows which tokenizer
        else:
            metrics |= drift_metrics(found)
        if found is not None and found.truncated:
            metrics |= prefix_metrics(found)
        return _with(
            record,
            metrics,
            drift=found,
            no_drift=why,
            no_similarity=no_similarity,
            original=original.text,
            original_key=original.key,
            departures=departures(original, trace),
            drift_noise=original.noise if found is not None else {},
        )

    def _truncated(
        self, case: Case, trace: Trace, to: str, original: tuple[Position, ...]
    ) -> tuple[Drift | None, str | None]:
        """Return the drift as far as servers let it be told, or why they don't."""
        top, why = self._top(case, trace.token_ids)
        return None if top is None else truncated_drift(to, original, top), why

    def _top(
        self, case: Case, text: tuple[int, ...]
    ) -> tuple[tuple[Position, ...] | None, str | None]:
        """Return the most probable tokens of *case*'s own text, or why nobody tells."""
        doing = f"asking for the most probable tokens of {case.key}"
        self._say(f"{case.key}: drift")
        messages, parameters = case.prompt.messages, case.parameters
        return asked(
            self._lives,
            case.variant,
            lambda worker: worker.top(messages, parameters, text, doing) or None,
        )

    def _identity(self, variant: str) -> dict[str, str] | None:
        facts = self._lives.records[variant].facts
        return facts.identity if facts else None

    def _key(self, variant: str, identity: Mapping[str, str] | None, text: str) -> str:
        """Return what drift from *text* depends on: its model, itself, what embeds texts."""
        similar = self._similarity
        told = (
            variant,
            None if identity is None else sorted(identity.items()),
            text,
            None if similar is None else (similar.model, similar.window),
        )
        return hashlib.sha256(repr(told).encode()).hexdigest()[:16]

    def _of_texts(self, original: Original, trace: Trace) -> tuple[dict[str, Measured], str | None]:
        """Return what can be said of the texts, and why similarity is not known, if it is not."""
        metrics = text_metrics(original, trace)
        if self._embedder is None:
            return metrics, "nobody asked for it; write [similarity] in the configuration"
        self._lives.rest()
        self._say("comparing meanings")
        try:
            cosine = self._embedder.similarity(original.text, trace.text)
        except SimilarityError as exc:
            return metrics, str(exc)
        metrics["similarity"] = Measured(value=cosine, gate=cosine, rounds=None)
        return metrics, None

    def close(self) -> None:
        """End the process that embeds texts."""
        if self._embedder is not None:
            self._embedder.close()

    def _pass(
        self,
        case: Case,
        text: tuple[int, ...],
        like: ForcedPass | None,
        *,
        step: int | None = None,
    ) -> tuple[ForcedPass | None, str | None]:
        """Return how probable *case*'s variant finds *text*, or why that is not known.

        Raises:
            OtherTokensError: it has other tokens there.
        """
        if not text:
            return None, f"{case.variant} does not give the tokens of its text"
        doing = f"comparing {case.key} with the reference's text"
        self._say(f"{case.key}: drift")
        messages, parameters = case.prompt.messages, case.parameters
        return asked(
            self._lives,
            case.variant,
            lambda worker: worker.force(messages, parameters, text, doing, like=like, step=step),
        )


def carried(before: CaseRecord, after: CaseRecord) -> CaseRecord:
    """Return *after*, measured again, with the drift that was found before."""
    if after.error is not None:
        return after
    metrics = {name: m for name, m in before.metrics.items() if CATALOGUE[name].of_drift}
    return _with(after, metrics, **{name: getattr(before, name) for name in _ABOUT})


_ABOUT: Final = (
    "drift", "no_drift", "no_similarity", "original", "original_key", "departures", "drift_noise",
)  # fmt: skip
"""What a record says of the text that it is held against, beside metrics."""


def _with(record: CaseRecord, metrics: Mapping[str, Measured], **about: object) -> CaseRecord:
    every = {**record.metrics, **metrics}
    return msgspec.structs.replace(
        record, metrics={name: every[name] for name in CATALOGUE if name in every}, **about
    )
