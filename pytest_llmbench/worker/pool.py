"""All workers of a session: each starts at its first use, and no more than one runs at a time."""

from __future__ import annotations

import atexit

import execnet

from pytest_llmbench.domain.variant import Variant
from pytest_llmbench.worker.handle import Worker


class WorkerPool:
    """Starts, suspends and ends workers. Closing it ends all of them.

    Args:
        slowdowns: planted regressions by the variant's id, see :class:`.Stamps`.
    """

    def __init__(self, slowdowns: dict[str, float] | None = None) -> None:
        self._group = execnet.Group(execmodel="thread")
        self._slowdowns = slowdowns or {}
        self._workers: dict[str, Worker] = {}
        atexit.register(self.close)

    def open(self, variant: Variant) -> Worker:
        """Return a new worker for *variant*, alone on the processors."""
        self._suspend_others(variant.id)
        slowdown = self._slowdowns.get(variant.id, 0.0)
        worker = Worker(variant, self._group, slowdown=slowdown)
        self._workers[variant.id] = worker
        return worker

    def focus(self, worker: Worker, *, again: bool = False) -> None:
        """Suspend every other worker: what runs now is timed alone.

        *again*: they were suspended before, and started no processes since.
        """
        self._suspend_others(worker.variant.id, again=again)
        worker.resume()

    def rest(self) -> None:
        """Suspend every worker: the session itself is timed."""
        for worker in self._workers.values():
            worker.suspend()

    def end(self, worker: Worker) -> None:
        """End one worker."""
        self._workers.pop(worker.variant.id, None)
        worker.close()

    def close(self) -> None:
        """End all workers; may be called again."""
        for worker in list(self._workers.values()):
            self.end(worker)
        self._group.terminate(timeout=1.0)
        atexit.unregister(self.close)

    def _suspend_others(self, variant: str, *, again: bool = False) -> None:
        for name, worker in self._workers.items():
            if name != variant:
                worker.suspend(again=again)
