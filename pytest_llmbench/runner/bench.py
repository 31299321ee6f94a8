"""The state of a session: its variants, each loaded once, and the cases measured so far."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec

from pytest_llmbench.config import Config
from pytest_llmbench.domain.case import Case, Parameters
from pytest_llmbench.domain.record import CaseRecord, ModelFacts, VariantRecord
from pytest_llmbench.domain.secret import without_secrets
from pytest_llmbench.domain.suite import Message
from pytest_llmbench.domain.trace import Life
from pytest_llmbench.domain.variant import Variant
from pytest_llmbench.errors import (
    CaseError,
    EngineNotInstalledError,
    LlmbenchError,
    LoadError,
    WorkerError,
)
from pytest_llmbench.metrics.life import life_metrics
from pytest_llmbench.runner.progress import Progress
from pytest_llmbench.runner.rounds import Measuring
from pytest_llmbench.worker import Ready, Worker, WorkerPool
from pytest_llmbench.worker.messages import Generated

R = TypeVar("R")


@dataclasses.dataclass(slots=True)
class _Live:
    """A variant whose model is loaded."""

    worker: Worker
    ready: Ready
    facts: ModelFacts
    life: Life


class Bench:
    """Loads variants when they are first needed and measures cases, each once.

    Args:
        config: where variants are described.
        progress: told what is being done.
        processors: how many the machine has, to tell disturbed rounds.
        slowdowns: planted regressions by variant, see :class:`.Stamps`.
        strict: a variant whose engine is not installed has failed, and is not skipped.
    """

    def __init__(
        self,
        config: Config,
        progress: Progress,
        *,
        processors: int,
        slowdowns: Mapping[str, float] | None = None,
        strict: bool = False,
    ) -> None:
        self._config = config
        self._progress = progress
        self._processors = processors
        self._strict = strict
        self._pool = WorkerPool(dict(slowdowns or {}))
        self._live: dict[str, _Live] = {}
        self._absent: dict[str, EngineNotInstalledError] = {}
        self.cases: dict[str, CaseRecord] = {}
        self.variants: dict[str, VariantRecord] = {}

    def measure(self, case: Case) -> CaseRecord:
        """Return *case*, measured now or before; an error is part of the record.

        Raises:
            EngineNotInstalledError: the engine's library is absent, for this and every case of
                the variant.
        """
        measured = self.cases.get(case.key)
        if measured is not None and measured.case == case:
            return measured
        return self.measure_again(case)

    def measure_again(self, case: Case) -> CaseRecord:
        """Return *case*, measured now, in place of what was measured before."""
        try:
            record = self._measure(case)
        except EngineNotInstalledError:
            raise
        except LlmbenchError as exc:
            record = _failed(case, _case_problem(case, exc))
        finally:
            self._progress.clear()
        self.cases[case.key] = record
        return record

    def generate(
        self, variant: str, messages: tuple[Message, ...], parameters: Parameters
    ) -> Generated:
        """Generate one text on the loaded *variant*, timed.

        Raises:
            LlmbenchError: the variant can't be loaded, its worker is lost, or it refuses.
        """
        live = self._ready(variant)
        return self._asked(live, lambda: live.worker.generate(messages, parameters, "generating"))

    def facts(self, variant: str) -> ModelFacts:
        """Return what the engine says of the loaded *variant*; raises as :meth:`generate`."""
        return self._ready(variant).facts

    def absent(self, name: str) -> EngineNotInstalledError | None:
        """Return why the engine of *name* can't run here, once that was found out."""
        return self._absent.get(name)

    def life(self, name: str) -> VariantRecord:
        """Return the whole life of *name*, which is loaded for it where no case needed it.

        Raises:
            EngineNotInstalledError: as :meth:`measure`.
        """
        if name in self._absent:
            raise self._absent[name]
        if name not in self.variants:
            with contextlib.suppress(LoadError, WorkerError):
                self._ready(name)  # a failure is in the record
        record = self.end_variant(name)
        assert record is not None, "a variant that was asked for has a record"
        return record

    def end_variant(self, name: str) -> VariantRecord | None:
        """Free *name* and end its process; return its whole life (``None``: it never began)."""
        live = self._live.pop(name, None)
        if live is None:
            return self.variants.get(name)
        self._progress.say(f"{name}: freeing the model")
        error = None
        try:
            live.life = live.worker.free().life
        except LlmbenchError as exc:
            error = str(exc)
        self._pool.end(live.worker)
        self._progress.clear()
        return self._recorded(name, live, error)

    def close(self) -> None:
        """End every worker; what was measured stays."""
        for name, live in list(self._live.items()):
            del self._live[name]
            self._recorded(name, live, None)
        self._pool.close()

    def _measure(self, case: Case) -> CaseRecord:
        live = self._ready(case.variant)
        processors = live.facts.host_processors or self._processors
        measuring = Measuring(live.worker, live.facts, case, self._progress, processors=processors)
        return self._asked(live, measuring.run)

    def _asked(self, live: _Live, ask: Callable[[], R]) -> R:
        """Return ask's answer; a lost worker ends its variant."""
        self._pool.focus(live.worker)
        try:
            return ask()
        except BaseException as exc:
            if live.worker.lost:
                self._lose(live, exc)
            raise

    def _lose(self, live: _Live, exc: BaseException) -> None:
        """Remember that *live* was lost to *exc*: a dead process, or an interruption."""
        name = live.worker.variant.id
        self._live.pop(name, None)
        self._pool.end(live.worker)
        what = str(exc) if isinstance(exc, WorkerError) else f"interrupted by {exc!r}"
        self._recorded(name, live, what)

    def _ready(self, name: str) -> _Live:
        """Return *name*, loaded; what failed once is not tried again."""
        if name in self._live:
            return self._live[name]
        if name in self._absent:
            raise self._absent[name]
        ended = self.variants.get(name)
        if ended is not None and ended.error is not None:
            raise LlmbenchError(f"not run, because earlier {_shortened(ended.error)}")
        return self._begin(self._config.variants[name])

    def _begin(self, variant: Variant) -> _Live:
        self._progress.say(f"{variant.id}: starting the engine {variant.engine}")
        worker = self._pool.open(variant)
        try:
            ready = worker.start()
            self._progress.say(f"{variant.id}: loading the model")
            loaded = worker.load()
        except LlmbenchError as exc:
            self._pool.end(worker)
            self._lost(variant, exc)
            raise
        facts = msgspec.structs.replace(
            loaded.facts,
            identity={**loaded.facts.identity, **ready.identity},
            settings={**loaded.facts.settings, **ready.settings},
        )
        live = _Live(worker=worker, ready=ready, facts=facts, life=loaded.life)
        self._live[variant.id] = live
        self._recorded(variant.id, live, None)
        return live

    def _lost(self, variant: Variant, exc: LlmbenchError) -> None:
        """Remember why *variant* has no results."""
        skipped = isinstance(exc, EngineNotInstalledError) and not self._strict
        if isinstance(exc, EngineNotInstalledError):
            self._absent[variant.id] = exc
        self.variants[variant.id] = VariantRecord(
            id=variant.id,
            config=_described(variant),
            facts=None,
            life_cycle={},
            warnings=(),
            error=None if skipped else str(exc),
            skipped=str(exc) if skipped else None,
        )

    def _recorded(self, name: str, live: _Live, error: str | None) -> VariantRecord:
        life = msgspec.structs.replace(live.life, start_s=live.ready.start_s)
        record = VariantRecord(
            id=name,
            config=_described(live.worker.variant),
            facts=live.facts,
            life_cycle=life_metrics(life, live.facts, len(live.worker.warnings)),
            warnings=live.worker.warnings,
            error=error,
        )
        self.variants[name] = record
        return record


def _described(variant: Variant) -> dict[str, object]:
    """Return what the user configured, without secrets: the engine and the keys that were set."""
    options = {key: value for key, value in variant.options.items() if value not in (None, (), {})}
    shown = without_secrets({"engine": variant.engine, **options})
    assert isinstance(shown, dict), "a mapping stays one"
    return shown


def _failed(case: Case, error: str) -> CaseRecord:
    return CaseRecord(
        case=case,
        rounds=(),
        memory=None,
        metrics={},
        text=None,
        finish_reason=None,
        error=error,
    )


def _shortened(error: str) -> str:
    """Return *error* without its asides and advice, for cases that only suffer from it."""
    return error.partition(" (")[0].partition(";")[0]


def _case_problem(case: Case, exc: LlmbenchError) -> str:
    """Return what stopped *case*: of a refused prompt, where it was written."""
    if isinstance(exc, CaseError):
        return f"{case.prompt.source}: prompt {case.prompt.id!r} under {case.variant!r}: {exc}"
    return str(exc)
