"""``--llmbench-against``: the other side of a session, variant by variant.

The other side is another interpreter, or a commit of the project that pytest runs in. Each variant
that both have gets a *twin*: the same name, ``@``, and what was typed. The two are loaded together,
take turns round by round, and the one is held against the other; the baseline is not asked.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path, PurePath

import msgspec

from pytest_llmbench.config import Config
from pytest_llmbench.domain.claim import Claim
from pytest_llmbench.domain.fact import Fact
from pytest_llmbench.domain.record import Environment
from pytest_llmbench.domain.variant import Variant
from pytest_llmbench.engines import engine_options
from pytest_llmbench.errors import ConfigError, WorkerError
from pytest_llmbench.plugin.against_commit import Commit
from pytest_llmbench.plugin.settings import Settings
from pytest_llmbench.probes.worktree import Repository, Worktree
from pytest_llmbench.runner.crews import crews
from pytest_llmbench.worker.interpreter import check_interpreter


class OtherSide(Fact, frozen=True, kw_only=True):
    """What this session is held against.

    Attributes:
        name: what it is: ``main (commit 0123456789)``, ``the interpreter /opt/new/bin/python``.
        twins: for a variant's name what it is held against.
        context: what differs from the session's context: ``{"git_commit": "0123456789"}``.
        said: sentences: which variants only one side has, and what both share.
    """

    name: str
    twins: dict[str, Variant]
    context: dict[str, str]
    said: tuple[str, ...]

    def noted(self, environment: Environment) -> Environment:
        """Return *environment* with what the session is held against."""
        context = {**environment.context, "against": self.name}
        return msgspec.structs.replace(environment, context=context)


def other_side(
    settings: Settings,
    config: Config,
    shown: str,
    variants: Sequence[str],
    on_exit: Callable[[Callable[[], None]], object],
) -> OtherSide | None:
    """Return what ``--llmbench-against`` names; ``None`` where it is not given.

    Args:
        settings: the options.
        config: the configuration of this side.
        shown: how messages call its file.
        variants: those in scope.
        on_exit: takes what is to be called when the run has ended, however it does.

    Raises:
        ConfigError: it is neither an interpreter nor a commit, can't be used, or has none of the
            variants; says what to type.
    """
    spec = settings.against
    if spec is None:
        return None
    try:
        side = _found(settings, spec, config, shown, variants, on_exit)
    except (ConfigError, WorkerError) as exc:
        raise ConfigError(f"--llmbench-against={spec}: {exc}") from exc
    if not side.twins:
        why = "; ".join(side.said) or "none is in scope"
        raise ConfigError(f"--llmbench-against={spec}: there is no variant to compare: {why}")
    return side


def _found(
    settings: Settings,
    spec: str,
    config: Config,
    shown: str,
    variants: Sequence[str],
    on_exit: Callable[[Callable[[], None]], object],
) -> OtherSide:
    """Return the side that *spec* means: a path to an interpreter, a commit, or a program."""
    python = _interpreter(spec, (settings.here, settings.root))
    if python is None:
        repository, problem = _repository(settings.root)
        commit = repository.commit(spec) if repository is not None else None
        if repository is not None and commit is not None:
            worktree = Worktree(repository, commit)
            on_exit(worktree.close)
            other = Commit(spec, commit, worktree, settings, config, shown)
            twins, said = other.twins(variants)
            name = f"{spec} (commit {other.short})"
            return _side(name, config, twins, {"git_commit": other.short}, said)
        python = shutil.which(spec) if PurePath(spec).name == spec else None
        if python is None:
            raise ConfigError(_unknown(settings, repository, problem))
    return _under(python, spec, config, variants)


def _interpreter(spec: str, folders: Iterable[Path]) -> str | None:
    """Return the interpreter at the path *spec*: a program, or a virtual environment's folder."""
    for folder in folders:
        path = folder / Path(spec).expanduser()
        inside = (path / "bin" / "python", path / "Scripts" / "python.exe")
        asked = (path, *inside) if PurePath(spec).name != spec else inside
        for candidate in asked:
            if candidate.is_file() and os.access(candidate, os.X_OK):
                return str(candidate)  # not resolved: an environment is known by its own place
    return None


def _repository(folder: Path) -> tuple[Repository | None, str]:
    """Return the repository around *folder*, or why there is none."""
    try:
        return Repository.around(folder), ""
    except ConfigError as exc:
        return None, str(exc)


def _unknown(settings: Settings, repository: Repository | None, problem: str) -> str:
    asked = "it is no interpreter (a path to one, or a virtual environment's folder)"
    if repository is None:
        return f"{asked}, and no commit either: {problem}"
    fetch = (
        "; the repository is a shallow clone: fetch more of it (git fetch --unshallow), then "
        "name for instance origin/main"
        if repository.shallow
        else f"; name one, such as HEAD~1 (git -C {settings.root} log --oneline lists them)"
    )
    return f"{asked}, and git knows no such commit in {repository.root}{fetch}"


def _under(python: str, spec: str, config: Config, variants: Sequence[str]) -> OtherSide:
    """Return the other side whose workers run under the interpreter *python*."""
    away = [name for name in variants if config.variants[name].host is not None]
    twins = {
        name: msgspec.structs.replace(config.variants[name], id=f"{name}@{spec}", python=python)
        for name in variants
        if name not in away
    }
    for twin in list(twins.values())[:1]:
        check_interpreter(twin)
    said = [
        f"{name!r} is left out: it runs on another host ({config.variants[name].host}), not under "
        f"{spec}"
        for name in away
    ]
    return _side(f"the interpreter {python}", config, twins, {}, said)


def _side(
    name: str,
    config: Config,
    twins: Mapping[str, Variant],
    context: dict[str, str],
    said: Iterable[str],
) -> OtherSide:
    """Return the side without those twins that can't be loaded beside what is held against them."""
    together, apart = dict(twins), list[str]()
    for own, twin in twins.items():
        pair = (config.variants[own], twin)
        claims = {variant.id: _claim(variant) for variant in pair}
        found = crews(
            pair, claims=claims, available_host=0, available_device={}, mode="on", reference=None
        )
        if len(found.crews) > 1:
            del together[own]
            apart.append(f"{own!r} is left out: {found.reasons[0]}")
    return OtherSide(name=name, twins=together, context=context, said=(*said, *apart))


def _claim(variant: Variant) -> Claim:
    keys = msgspec.convert(variant.options, engine_options()[variant.engine]())
    return keys.claim(variant.base_dir)
