"""The engine that a contract is asked of: in a process of its own, loaded when it is needed."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
import psutil

from pytest_llmbench.config.place import Place, unknown
from pytest_llmbench.config.tables import decode
from pytest_llmbench.domain.case import Parameters
from pytest_llmbench.domain.drift import ForcedPass
from pytest_llmbench.domain.gate import Gates
from pytest_llmbench.domain.record import ModelFacts
from pytest_llmbench.domain.suite import Message
from pytest_llmbench.domain.trace import Trace
from pytest_llmbench.domain.variant import EngineKeys, Variant
from pytest_llmbench.engines import engine_options
from pytest_llmbench.worker import Worker, WorkerPool
from pytest_llmbench.worker.messages import Loaded

GREEDY: Final = Parameters(
    max_new_tokens=24, temperature=0.0, seed=0, top_p=1.0, top_k=0, length="natural", chat=None
)
"""What is asked where a promise is not about the parameters."""

_END_S: Final = 5.0
"""Seconds that a server may take to end once it was told to."""

Asked = str | tuple[Message, ...]


def described(
    name: str,
    engine: str,
    options: Mapping[str, object],
    base_dir: Path,
    *,
    load_timeout_s: float,
    round_timeout_s: float,
) -> Variant:
    """Return the variant that ``[variants.NAME]`` with these keys would make.

    Raises:
        ConfigError: there is no such engine, it is broken, or it takes other keys.
    """
    return Variant(
        id=name,
        engine=engine,
        options=msgspec.to_builtins(_keys(name, engine, options)),
        base_dir=base_dir,
        python=None,
        host=None,
        load_timeout_s=load_timeout_s,
        round_timeout_s=round_timeout_s,
        gates=Gates(),
    )


def check_paths(variant: Variant) -> None:
    """Check what can be checked of *variant* without its engine, as a configuration is.

    Raises:
        ConfigError: a model's folder does not exist, say.
    """
    problem = _keys(variant.id, variant.engine, variant.options).problem(variant.base_dir)
    if problem is not None:
        raise (Place(variant.id) / "options" / problem[0]).error(problem[1])


class Subject:
    """One variant under test: its model is loaded at the first question, and again after a free.

    There is never more than one process with a model.

    Args:
        variant: what is loaded.

    Attributes:
        memory_before: resident bytes before the model was loaded, libraries imported.
    """

    def __init__(self, variant: Variant) -> None:
        self.variant = variant
        self.memory_before = 0
        self._pool: WorkerPool | None = None
        self._worker: Worker | None = None
        self._loaded: Loaded | None = None
        self._elders: set[psutil.Process] = set()

    @property
    def facts(self) -> ModelFacts:
        """What the engine says of the model."""
        return self.loaded().facts

    def loaded(self) -> Loaded:
        """Return what loading said; loads the model where none is.

        Raises:
            EngineError: the engine is not installed, or refuses.
        """
        if self._loaded is None or self._worker is None or self._worker.lost:
            self._loaded = self._begin(self.variant)
        return self._loaded

    def ask(self, asked: Asked, **changed: object) -> Trace:
        """Generate one text; *changed* are parameters other than :data:`GREEDY`'s.

        Raises:
            CaseError: the engine refuses.
        """
        self.loaded()
        assert self._worker is not None, "a loaded model has a process"
        turns = (Message(role="user", content=asked),) if isinstance(asked, str) else asked
        parameters = msgspec.structs.replace(GREEDY, **changed)
        return self._worker.generate(turns, parameters, "a promise").trace

    def reallocate(self) -> None:
        """Let the engine's buffers lie elsewhere in memory, if it keeps any.

        Raises:
            LoadError: there is no room any more.
        """
        self.loaded()
        assert self._worker is not None, "as above"
        self._worker.reallocate("a promise")

    def ask_in_slices(
        self, asked: Asked, *, tokens: int, pause_s: float, **changed: object
    ) -> tuple[Trace, int]:
        """Generate one text as :meth:`ask` does, with pauses; return it and how many there were.

        After the first token and every *tokens* more it rests for *pause_s* seconds. Rounds of
        an engine that can't pause have none.
        """
        self.loaded()
        assert self._worker is not None, "as above"
        turns = (Message(role="user", content=asked),) if isinstance(asked, str) else asked
        parameters = msgspec.structs.replace(GREEDY, **changed)
        slices = self._worker.generate_in_slices(
            turns, parameters, "a promise", slice_tokens=tokens
        )
        pauses = 0
        while True:
            try:
                next(slices)
            except StopIteration as end:
                return end.value.trace, pauses
            time.sleep(pause_s)
            pauses += 1

    def force(self, asked: str, tokens: tuple[int, ...], step: int) -> ForcedPass | None:
        """Return how probable the engine finds *tokens* after a question, *step* of them at once.

        ``None`` where it can't tell.

        Raises:
            CaseError: the engine refuses.
        """
        self.loaded()
        assert self._worker is not None, "as above"
        turns = (Message(role="user", content=asked),)
        return self._worker.force(turns, GREEDY, tokens, "a promise", step=step)

    def weigh(self, asked: str, choices: tuple[str, ...]) -> tuple[float, ...] | None:
        """Return how probable the engine finds each of *choices*; as :meth:`force`."""
        self.loaded()
        assert self._worker is not None, "as above"
        turns = (Message(role="user", content=asked),)
        return self._worker.weigh(turns, GREEDY, choices, "a promise")

    def free(self) -> None:
        """Release the model; its process stays, without one."""
        self.loaded()
        assert self._worker is not None, "as above"
        self._loaded = None
        self._worker.free()

    def memory(self) -> int:
        """Return the resident bytes of the process and of those that it started."""
        return sum(_rss(process) for process in (*self._workers(), *self._started()))

    def left_behind(self) -> list[psutil.Process]:
        """Return the processes that the worker started and that do not end within seconds."""
        return [p for p in psutil.wait_procs(self._started(), timeout=_END_S)[1] if _runs(p)]

    def _workers(self) -> set[psutil.Process]:
        """Return this process's children that were not there before the worker."""
        return set(psutil.Process().children()) - self._elders

    def _started(self) -> list[psutil.Process]:
        """Return the processes that the worker started."""
        started: list[psutil.Process] = []
        for worker in self._workers():
            with contextlib.suppress(psutil.Error):
                started += worker.children(recursive=True)
        return started

    def load_other(self, variant: Variant) -> None:
        """Load *variant* in place of this one, and end its process.

        Raises:
            EngineError: the engine refuses.
        """
        try:
            self._begin(variant)
        finally:
            self.close()

    def close(self) -> None:
        """End the process; the next question starts another."""
        if self._pool is not None:
            self._pool.close()
        self._pool = self._worker = self._loaded = None

    def _begin(self, variant: Variant) -> Loaded:
        self.close()
        self._elders = set(psutil.Process().children())
        self._pool = WorkerPool()
        try:
            self._worker = self._pool.open(variant)
            self._worker.start()
            self.memory_before = self.memory()
            return self._worker.load()
        except BaseException:
            self.close()
            raise


def _keys(name: str, engine: str, options: Mapping[str, object]) -> EngineKeys:
    place, known = Place(name), engine_options()
    if engine not in known:
        raise (place / "engine").error(unknown(engine, "engine", known))
    return decode(options, known[engine](), place / "options")


def _rss(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
