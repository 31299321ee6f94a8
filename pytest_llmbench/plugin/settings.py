"""The options of one run, read once and frozen."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast, get_args

import pytest

from pytest_llmbench.errors import ConfigError
from pytest_llmbench.plugin.options import OPTIONS, POLICIES, Option
from pytest_llmbench.report.choices import TableChoice, chosen
from pytest_llmbench.report.exports.registry import EXPORTS
from pytest_llmbench.runner.crews import Interleave
from pytest_llmbench.units import parse_amount
from pytest_llmbench.verdict.outcome import Policy

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the command line and the ini file say, checked.

    Attributes:
        config: the configuration asked for; ``None`` looks for one at *root*.
        root: pytest's rootdir.
        here: where pytest was called.
        rounds, warmup: ``None`` where not given, ``"auto"`` or a number.
        against: the interpreter or the git revision that is compared with side by side.
        save, replace: name of the baseline to write, or ``None``.
        table: how the table looks.
        exports: files to write by the name of their format.
        plant: planted slowdowns by variant, as shares.
    """

    root: Path
    here: Path
    config: Path | None
    overrides: tuple[str, ...]
    variants: tuple[str, ...]
    suites: tuple[str, ...]
    rounds: int | str | None
    warmup: int | str | None
    max_time_s: float | None
    launches: int
    interleave: Interleave
    baselines: Path
    machine: str | None
    compare: str | None
    no_compare: bool
    against: str | None
    save: str | None
    replace: str | None
    save_failed: bool
    missing: Policy
    inconclusive: Policy
    strict: bool
    table: TableChoice
    json: Path | None
    html: Path | None
    exports: dict[str, Path]
    plant: dict[str, float]

    @property
    def files(self) -> dict[str, Path]:
        """The files that reports of this run go to, by the option that names them."""
        asked = {"json": self.json, "html": self.html, **self.exports}
        return {f"--llmbench-{name}": path for name, path in asked.items() if path is not None}

    @property
    def writes(self) -> str | None:
        """The name of the baseline that this run will write, if any."""
        return self.replace or self.save


def read_settings(config: pytest.Config) -> Settings:
    """Return the options of this run.

    Raises:
        ConfigError: a value is wrong, or two options contradict each other.
    """
    given = {option.key.removeprefix("llmbench_"): _value(config, option) for option in OPTIONS}

    def text(name: str) -> str | None:
        return cast("str", given[name]) or None

    def parsed(name: str, parse: Callable[[str], T]) -> T | None:
        value = text(name)
        return None if value is None else parse(value)

    settings = Settings(
        root=config.rootpath,
        here=config.invocation_params.dir,
        config=parsed("config", Path),
        overrides=tuple(cast("list[str]", given["set"])),
        variants=_globs(text("variants")),
        suites=_globs(text("suites")),
        rounds=parsed("rounds", lambda v: _automatic(v, "--llmbench-rounds", least=1)),
        warmup=parsed("warmup", lambda v: _automatic(v, "--llmbench-warmup", least=0)),
        max_time_s=parsed("max_time", _seconds),
        launches=parsed("launches", lambda v: _whole(v, "--llmbench-launches", least=1)) or 1,
        interleave=_interleave(text("interleave")),
        baselines=Path(text("baselines") or "baselines"),
        machine=text("machine"),
        compare=text("compare"),
        no_compare=bool(given["no_compare"]),
        against=text("against"),
        save=text("save"),
        replace=text("replace"),
        save_failed=bool(given["save_failed"]),
        missing=_policy(text("missing"), "--llmbench-missing"),
        inconclusive=_policy(text("inconclusive"), "--llmbench-inconclusive"),
        strict=bool(given["strict"]),
        table=chosen(text("group"), text("columns"), text("sort")),
        json=parsed("json", Path),
        html=parsed("html", Path),
        exports={
            export.name: path
            for export in EXPORTS
            if (path := parsed(export.name.replace("-", "_"), Path)) is not None
        },
        plant=dict(_planted(text) for text in cast("list[str]", given["plant"])),
    )
    _check(settings)
    return settings


def _value(config: pytest.Config, option: Option) -> object:
    """Return the command line's value, else the ini file's (which holds the default)."""
    typed = config.getoption(option.key)
    if option.kind != "path":
        return config.getini(option.key) if typed in (None, False) else typed
    if typed is not None:
        return str(config.invocation_params.dir / typed)
    written = config.getini(option.key)
    return str(config.rootpath / written) if written else ""


def _check(settings: Settings) -> None:
    if settings.compare and settings.no_compare:
        raise ConfigError("--llmbench-compare and --llmbench-no-compare exclude each other")
    if settings.save and settings.replace:
        raise ConfigError(
            "--llmbench-save and --llmbench-replace exclude each other; replace already saves"
        )
    if settings.writes and (settings.here / settings.writes).exists():
        raise ConfigError(
            f"the baseline's name {settings.writes!r} is a file or folder here, so it was probably "
            "meant as one to run; write --llmbench-save=NAME with an equals sign, or put the "
            "option last"
        )
    if settings.plant and settings.writes:
        raise ConfigError(
            "--llmbench-plant slows a variant down on purpose, so its session can't be saved; "
            "leave out --llmbench-save and --llmbench-replace"
        )
    _check_files(settings)
    if settings.against:
        _check_against(settings)


def _check_files(settings: Settings) -> None:
    """Refuse to write two reports into one file."""
    flags: dict[Path, str] = {}
    for flag, path in settings.files.items():
        other = flags.setdefault(path.resolve(), flag)
        if other != flag:
            raise ConfigError(f"{other} and {flag} name one file; each report needs one of its own")


def _check_against(settings: Settings) -> None:
    """Refuse what makes no sense side by side."""
    flag = f"--llmbench-against={settings.against}"
    if settings.writes:
        raise ConfigError(
            f"{flag} can't be saved: its rounds take turns with the other side's and not with the "
            "reference's, so they are no ground for later sessions; leave out --llmbench-save and "
            "--llmbench-replace, and save in a session without --llmbench-against"
        )
    if settings.compare:
        raise ConfigError(
            f"{flag} compares with that side, and no baseline is read; leave out "
            f"--llmbench-compare={settings.compare} (if an ini file has it: -o llmbench_compare=)"
        )
    if settings.interleave == "off":
        raise ConfigError(
            f"{flag} takes turns with that side, which --llmbench-interleave=off forbids; leave "
            "one of them out"
        )


def _globs(text: str | None) -> tuple[str, ...]:
    return tuple(glob.strip() for glob in (text or "").split(",") if glob.strip())


def _whole(text: str, flag: str, *, least: int) -> int:
    if not text.isdecimal() or int(text) < least:
        raise ConfigError(f"{flag}={text}: write a whole number of at least {least}")
    return int(text)


def _automatic(text: str, flag: str, *, least: int) -> int | str:
    return text if text == "auto" else _whole(text, flag, least=least)


def _seconds(text: str) -> float:
    try:
        seconds = parse_amount(text, "s")
    except ValueError as exc:
        raise ConfigError(f"--llmbench-max-time={text}: {exc}") from exc
    if seconds <= 0:
        raise ConfigError(f"--llmbench-max-time={text}: write a time above 0, such as 30")
    return seconds


def _policy(text: str | None, flag: str) -> Policy:
    policy = text or "warn"
    if policy not in POLICIES:
        raise ConfigError(f"{flag}={policy}: allowed are {', '.join(POLICIES)}")
    return cast("Policy", policy)


def _interleave(text: str | None) -> Interleave:
    mode = text or "auto"
    if mode not in get_args(Interleave):
        allowed = ", ".join(get_args(Interleave))
        raise ConfigError(f"--llmbench-interleave={mode}: allowed are {allowed}")
    return cast("Interleave", mode)


def _planted(text: str) -> tuple[str, float]:
    variant, equals, percent = text.partition("=")
    try:
        share = parse_amount(percent if percent.endswith("%") else f"{percent}%", "1")
    except ValueError:
        share = -1.0
    if not equals or share <= 0:
        raise ConfigError(f"--llmbench-plant={text}: write VARIANT=PERCENT, such as base=30%")
    return variant, share
