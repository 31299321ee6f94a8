"""The variants of a session: each loaded when it is first needed, freed when nothing needs it."""

from __future__ import annotations

import contextlib
import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping

import msgspec

from pytest_llmbench.domain.record import ModelFacts, VariantRecord
from pytest_llmbench.domain.secret import without_secrets
from pytest_llmbench.domain.trace import Life
from pytest_llmbench.domain.variant import Variant
from pytest_llmbench.errors import EngineNotInstalledError, LlmbenchError, LoadError, WorkerError
from pytest_llmbench.metrics.life import life_metrics
from pytest_llmbench.runner.progress import Progress
from pytest_llmbench.worker import Ready, Worker, WorkerPool


@dataclasses.dataclass(slots=True)
class Live:
    """A variant whose model is loaded; *launch* is which of its processes this is, from 0."""

    worker: Worker
    ready: Ready
    facts: ModelFacts
    life: Life
    launch: int


class Lives:
    """Loads variants and remembers how each of them lived: of several launches the first.

    Args:
        variants: what can be loaded, by name.
        progress: told what is being done.
        slowdowns: planted regressions by variant, see :class:`.Stamps`.
        strict: a variant whose engine is not installed has failed, and is not skipped.

    Attributes:
        records: the lives so far, by name.
    """

    def __init__(
        self,
        variants: Mapping[str, Variant],
        progress: Progress,
        *,
        slowdowns: Mapping[str, float],
        strict: bool,
    ) -> None:
        self._variants = variants
        self._progress = progress
        self._strict = strict
        self._pool = WorkerPool(dict(slowdowns))
        self._live: dict[str, Live] = {}
        self._absent: dict[str, EngineNotInstalledError] = {}
        self._begun: Counter[str] = Counter()
        self.records: dict[str, VariantRecord] = {}

    @property
    def loaded(self) -> tuple[str, ...]:
        """The variants that are loaded now."""
        return tuple(self._live)

    def ready(self, name: str) -> Live:
        """Return *name*, loaded; what failed once is not tried again.

        Raises:
            LlmbenchError: it can't be loaded.
        """
        if name in self._live:
            return self._live[name]
        if name in self._absent:
            raise self._absent[name]
        ended = self.records.get(name)
        if ended is not None and ended.error is not None:
            raise LlmbenchError(f"not run, because earlier {_shortened(ended.error)}")
        return self._begin(self._variants[name])

    def focus(self, live: Live, *, again: bool = False) -> None:
        """Let no other worker run. *again*: those rested before, and started no processes since."""
        self._pool.focus(live.worker, again=again)

    def rest(self) -> None:
        """Let no worker run."""
        self._pool.rest()

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Remember which workers were lost within the context: dead, or interrupted."""
        try:
            yield
        except BaseException as exc:
            for name in list(self._live):
                self.bury(name, exc)
            raise

    def bury(self, name: str, exc: BaseException) -> None:
        """End the life of *name* where its worker was lost to *exc*."""
        live = self._live.get(name)
        if live is None or not live.worker.lost:
            return
        del self._live[name]
        self._pool.end(live.worker)
        what = str(exc) if isinstance(exc, WorkerError) else f"interrupted by {exc!r}"
        self._recorded(name, live, what)

    def absent(self, name: str) -> EngineNotInstalledError | None:
        """Return why the engine of *name* can't run here, once that was found out."""
        return self._absent.get(name)

    def whole(self, name: str) -> VariantRecord:
        """Return the whole life of *name*, which is loaded for it where nothing needed it.

        Raises:
            EngineNotInstalledError: its engine is absent.
        """
        if name in self._absent:
            raise self._absent[name]
        if name not in self.records:
            with contextlib.suppress(LoadError, WorkerError):
                self.ready(name)  # a failure is in the record
        record = self.end(name)
        assert record is not None, "a variant that was asked for has a record"
        return record

    def end(self, name: str) -> VariantRecord | None:
        """Free *name* and end its process; return its whole life (``None``: it never began)."""
        live = self._live.pop(name, None)
        if live is None:
            return self.records.get(name)
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
        """End every worker; what was recorded stays."""
        for name, live in list(self._live.items()):
            del self._live[name]
            self._recorded(name, live, None)
        self._pool.close()

    def _begin(self, variant: Variant) -> Live:
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
        launch = self._begun[variant.id]
        live = Live(worker=worker, ready=ready, facts=facts, life=loaded.life, launch=launch)
        self._begun[variant.id] += 1
        self._live[variant.id] = live
        self._recorded(variant.id, live, None)
        return live

    def _lost(self, variant: Variant, exc: LlmbenchError) -> None:
        """Remember why *variant* has no results, or no more of them."""
        before = self.records.get(variant.id)
        if before is not None and before.facts is not None:
            self.records[variant.id] = msgspec.structs.replace(before, error=str(exc))
            return
        skipped = isinstance(exc, EngineNotInstalledError) and not self._strict
        if isinstance(exc, EngineNotInstalledError):
            self._absent[variant.id] = exc
        self.records[variant.id] = VariantRecord(
            id=variant.id,
            config=_described(variant),
            facts=None,
            life_cycle={},
            warnings=(),
            error=None if skipped else str(exc),
            skipped=str(exc) if skipped else None,
        )

    def _recorded(self, name: str, live: Live, error: str | None) -> VariantRecord:
        """Record the life of *name*; of a further launch only what went wrong."""
        if live.launch:
            before = self.records[name]
            self.records[name] = msgspec.structs.replace(before, error=error or before.error)
            return self.records[name]
        life = msgspec.structs.replace(live.life, start_s=live.ready.start_s)
        record = VariantRecord(
            id=name,
            config=_described(live.worker.variant),
            facts=live.facts,
            life_cycle=life_metrics(life, live.facts, len(live.worker.warnings)),
            warnings=live.worker.warnings,
            error=error,
        )
        self.records[name] = record
        return record


def _described(variant: Variant) -> dict[str, object]:
    """Return what the user configured, without secrets: the engine and the keys that were set."""
    options = {key: value for key, value in variant.options.items() if value not in (None, (), {})}
    shown = without_secrets({"engine": variant.engine, **options})
    assert isinstance(shown, dict), "a mapping stays one"
    return shown


def _shortened(error: str) -> str:
    """Return *error* without its asides and advice, for cases that only suffer from it."""
    return error.partition(" (")[0].partition(";")[0]
