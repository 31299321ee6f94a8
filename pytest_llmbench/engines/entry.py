"""One engine as the registry knows it: where its adapter lives and what it needs."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Iterable, Mapping
from importlib import metadata

import msgspec

from pytest_llmbench.config.tables import VariantTable, keys_of
from pytest_llmbench.domain.variant import EngineKeys
from pytest_llmbench.engines.protocol import Engine, TeacherForcing
from pytest_llmbench.errors import ConfigError, EngineError, EngineNotInstalledError, LoadError


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EngineEntry:
    """One engine: where its adapter lives and what it needs.

    Attributes:
        module: holds the adapter; importing it must not import the engine's library.
        adapter: the class that implements :class:`.Engine`.
        options: the struct (an :class:`.EngineKeys`) of the keys that ``[variants.NAME]`` may
            hold for it.
        install: the line to type that installs its libraries; ``None`` needs none.
        libraries: distributions that it needs; their versions are recorded.
        optional: distributions that some of its keys need; recorded where they are installed.
        survey: a function of *module* that imports the library and returns a
            :class:`.Survey` for ``llmbench doctor``; ``None`` where there is nothing to ask.
    """

    module: str
    adapter: str
    options: str
    install: str | None = None
    libraries: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    survey: str | None = None

    @property
    def recorded(self) -> tuple[str, ...]:
        """The distributions whose versions are recorded where they are installed."""
        return (*self.libraries, *self.optional)

    def options_type(self) -> type[EngineKeys]:
        """Return the struct of the engine's keys.

        Raises:
            ConfigError: there is none where the entry says, or it is not one.
        """
        keys = self._named(self.options)
        if not (isinstance(keys, type) and issubclass(keys, EngineKeys)):
            raise ConfigError(
                f"{self.module}.{self.options} is no subclass of EngineKeys; make it one"
            )
        taken = [key for key in keys_of(VariantTable) if key in keys_of(keys)]
        if taken:
            raise ConfigError(
                f"{self.module}.{self.options} has the key {taken[0]!r}, which every variant has "
                "already; give it another name"
            )
        return keys

    def create(self) -> Engine:
        """Return a new adapter; its libraries are imported by its ``start``."""
        adapter: type[Engine] = self._named(self.adapter)
        return adapter()

    def forces(self) -> bool:
        """Whether its adapter says how probable a given text is (:class:`.TeacherForcing`)."""
        return issubclass(self._named(self.adapter), TeacherForcing)

    def missing(self) -> tuple[str, ...]:
        """Return which of its libraries are not installed for this Python."""
        return absent(self.libraries)

    def to_install(self) -> str:
        """Return what to type as the end of a sentence; empty where nothing has to be."""
        return f"; type: {self.install}" if self.install else ""

    def _named(self, name: str) -> type:
        """Return what *module* calls *name*."""
        try:
            found: type = getattr(importlib.import_module(self.module), name)
        except Exception as exc:
            problem = f"{self.module}.{name} can't be imported: {type(exc).__name__}: {exc}"
            raise ConfigError(f"{problem}; correct its package or uninstall it") from exc
        return found


def started(name: str, entry: EngineEntry) -> Engine:
    """Return the engine *name*, its libraries imported.

    An adapter may explain an import that failed, or let the ImportError through. Where everything
    is installed and the import failed all the same, tests are not to be skipped for it.

    Raises:
        EngineNotInstalledError: one of its libraries is absent.
        LoadError: they are installed, but can't be imported.
    """
    try:
        engine = entry.create()
        engine.start()
    except ConfigError as exc:
        raise LoadError(f"the engine {name!r}: {exc}") from exc
    except ImportError as exc:
        raise _start_problem(name, entry, exc) from exc
    except EngineNotInstalledError as exc:
        if _breaks(exc.__cause__) and not entry.missing():
            raise LoadError(str(exc)) from exc
        raise
    return engine


def check_needs(entry: EngineEntry, options: Mapping[str, object]) -> None:
    """Check that what these keys need beside the engine is installed.

    Raises:
        EngineNotInstalledError: a distribution is absent.
    """
    problem = needs_problem(msgspec.convert(options, entry.options_type()))
    if problem is not None:
        raise EngineNotInstalledError(problem)


def needs_problem(keys: EngineKeys) -> str | None:
    """Return which distribution *keys* need and is absent, with what to type."""
    needs = keys.needs()
    gone = absent(needs)
    if not gone:
        return None
    lines = " and ".join(dict.fromkeys(needs[name] for name in gone))
    return (
        f"the keys of this variant need {_and(gone)}, which {_are(gone)} not installed; "
        f"type: {lines}"
    )


def absent(distributions: Iterable[str]) -> tuple[str, ...]:
    """Return which of *distributions* are not installed for this Python."""
    return tuple(name for name in distributions if not _installed(name))


def _installed(distribution: str) -> bool:
    try:
        metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


def _start_problem(name: str, entry: EngineEntry, exc: ImportError) -> EngineError:
    """Return what an import that failed means: nothing installed, or something broken."""
    missing = entry.missing()
    if missing:
        return EngineNotInstalledError(
            f"the engine {name!r} needs {_and(missing)}, which {_are(missing)} not installed"
            f"{entry.to_install()}"
        )
    return LoadError(
        f"the engine {name!r} is installed, but can't be imported: "
        f"{type(exc).__name__}: {exc}{entry.to_install()}"
    )


def _breaks(cause: BaseException | None) -> bool:
    """Whether a module is there, but its import fails: a shared library is missing, say."""
    return isinstance(cause, ImportError) and not isinstance(cause, ModuleNotFoundError)


def _and(names: tuple[str, ...]) -> str:
    return ", ".join(names[:-1]) + " and " * (len(names) > 1) + names[-1]


def _are(names: tuple[str, ...]) -> str:
    return "are" if len(names) > 1 else "is"
