"""The baseline of one run: read before anything is measured, written after all is judged."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from pytest_llmbench.baselines.store import Store
from pytest_llmbench.domain.baseline import Baseline
from pytest_llmbench.domain.drift import KeptOriginals
from pytest_llmbench.domain.record import Environment, SessionRecord
from pytest_llmbench.errors import BaselineError
from pytest_llmbench.metrics.taint import Machine
from pytest_llmbench.plugin.settings import Settings
from pytest_llmbench.probes.machine import machine_label
from pytest_llmbench.runner.session import kept_session

DEFAULT_NAME = "main"


class BaselineFiles:
    """Where this run's baseline is, what it holds, and what becomes of it.

    Attributes:
        machine: this machine's name among the baselines.
        name: the baseline that is compared with.
        compared: what it holds; ``None`` where there is none, or none was wanted.
        originals: what it keeps of the reference, likewise.

    Raises:
        BaselineError: it is asked for by name and does not exist, can't be read, or can't be
            written though this run is to write it; all of it before anything is measured.
    """

    def __init__(self, settings: Settings, environment: Environment) -> None:
        self._settings = settings
        self._store = Store(settings.baselines)
        self.machine = settings.machine or machine_label(environment.identity)
        self.name = settings.compare or DEFAULT_NAME
        self.compared = self._read()
        self.originals = (
            None if self.compared is None else self._store.read_originals(self.machine, self.name)
        )
        if settings.writes:
            self._store.check_writable(self.machine, settings.writes)

    @property
    def description(self) -> str:
        """What is compared with, for the header: name, machine and number of sessions."""
        if self._settings.against:
            return f"compared side by side with {self._settings.against}"
        if self._settings.no_compare:
            return "compared with nothing (--llmbench-no-compare)"
        if self.compared is None:
            return f"no baseline {self.name!r} for machine {self.machine} yet"
        kept = len(self.compared.sessions)
        return (
            f"baseline {self.name!r} for machine {self.machine} ({kept} session{'s'[kept == 1 :]})"
        )

    def write(
        self,
        record: SessionRecord,
        saved_at: str,
        *,
        failed: bool,
        machine: Callable[[str], Machine],
        keep: Callable[[KeptOriginals | None, str], KeptOriginals | None],
    ) -> str | None:
        """Keep *record* as asked; return what was done, as a sentence, or ``None``.

        *machine* is what is known of the machine of a variant, to tell disturbed rounds; *keep*
        returns what is kept of the reference, from what was, and the session's time.
        """
        name = self._settings.writes
        if name is None:
            return None
        if failed and not self._settings.save_failed:
            return (
                f"not saved to the baseline {name!r}, because tests failed or verdicts are "
                "against it; to keep the session as it is, type --llmbench-save-failed as well"
            )
        session, untimed = kept_session(record, saved_at, machine)
        if not session.cases:
            return f"not saved to the baseline {name!r}, because nothing was measured"
        write = self._store.replace if self._settings.replace else self._store.add
        path = write(self.machine, name, session)
        said = f"saved to the baseline {name!r}: {relative_to_here(path)}{_left_out(untimed)}"
        before = None if self._settings.replace else self._store.read_originals(self.machine, name)
        kept = keep(before, saved_at)
        if kept is None:
            if self._settings.replace:
                self._store.drop_originals(self.machine, name)
            return said
        beside = self._store.write_originals(self.machine, name, kept)
        return f"{said}; the reference's texts and probabilities: {relative_to_here(beside)}"

    def _read(self) -> Baseline | None:
        if self._settings.no_compare or self._settings.against:
            return None
        baseline = self._store.read(self.machine, self.name)
        if baseline is not None and not baseline.sessions:
            raise BaselineError(
                f"the baseline {self.name!r} of machine {self.machine} holds no session; restore "
                f"it from version control, or start anew with --llmbench-no-compare "
                f"--llmbench-replace={self.name}"
            )
        if baseline is None and self._settings.compare:
            there = ", ".join(self._store.names(self.machine)) or "none"
            raise BaselineError(
                f"--llmbench-compare={self.name}: machine {self.machine} has no such baseline in "
                f"{relative_to_here(self._settings.baselines)} (there are: {there}); save one with "
                f"--llmbench-save={self.name}, or leave --llmbench-compare out"
            )
        return baseline


def _left_out(untimed: Collection[str]) -> str:
    if not untimed:
        return ""
    cases = "1 case" if len(untimed) == 1 else f"{len(untimed)} cases"
    return (
        f" (without the times of {cases}, because something else wanted the machine in most of "
        "their rounds; save again when it is quiet)"
    )


def relative_to_here(path: Path) -> str:
    """Return *path* as a user would type it from here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
