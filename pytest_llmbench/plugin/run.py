"""The state of one run of ``pytest --llmbench``, and what the hooks ask of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final, NoReturn

import msgspec
import pytest

from pytest_llmbench.config import Config, check_variants, find_config, load_config
from pytest_llmbench.domain.case import Case
from pytest_llmbench.domain.drift import KeptOriginals
from pytest_llmbench.domain.gate import Gates
from pytest_llmbench.domain.record import CaseRecord, Invocation, SessionRecord
from pytest_llmbench.domain.similarity import SIMILARITY
from pytest_llmbench.domain.verdict import Verdict
from pytest_llmbench.engines import engine_options
from pytest_llmbench.errors import ConfigError, EngineNotInstalledError, LlmbenchError
from pytest_llmbench.plugin.against import other_side
from pytest_llmbench.plugin.baseline import BaselineFiles, relative_to_here
from pytest_llmbench.plugin.cases import config_cases, marked_cases, marked_gates, marked_variants
from pytest_llmbench.plugin.fixtures import Benchmark, LoadedVariant
from pytest_llmbench.plugin.marker import MarkerArguments, marker_arguments
from pytest_llmbench.plugin.progress import PytestProgress
from pytest_llmbench.plugin.settings import Settings, read_settings
from pytest_llmbench.plugin.typed import now, typed_words
from pytest_llmbench.probes.environment import host_environment
from pytest_llmbench.probes.nvml import Nvml
from pytest_llmbench.report.failure import failure_text
from pytest_llmbench.report.files import check_file
from pytest_llmbench.report.libraries import check_libraries
from pytest_llmbench.runner.kept_reference import to_keep, usable
from pytest_llmbench.runner.plan import matching
from pytest_llmbench.runner.result import Result
from pytest_llmbench.runner.session import Session
from pytest_llmbench.verdict.outcome import failing

BENCHMARK: pytest.StashKey[Benchmark] = pytest.StashKey()
"""On an item: its fixture, which knows what the test measured."""


class Run:
    """Configuration, bench, verdicts and baseline of one run.

    Attributes:
        settings: the options.
        config: the configuration.
        shown: how messages call its file.
        variants: the variants in scope, in the configuration's order.
        suites: for each suite in scope its cases.
        baseline: what is compared with, and what is written at the end.
        plan: which cases go together.
        apart: why variants are not loaded together, as sentences.
        unheard: verdicts on variants as wholes that no test could fail with.
        other: what the variants are held against side by side, if that was asked for.
        typed: the words that started the run, without secrets.
        started_at: when that was, in ISO 8601.
    """

    def __init__(self, settings: Settings, pytest_config: pytest.Config) -> None:
        self.settings = settings
        self.config, self.shown = _read_config(settings)
        self.variants = matching(
            self.config.variants, settings.variants, "variant", "--llmbench-variants"
        )
        self._check_plant()
        check_variants(self.config, self.variants, engine_options(), shown=self.shown)
        self.other = other_side(
            settings, self.config, self.shown, self.variants, pytest_config.add_cleanup
        )
        self.variants = self.variants if self.other is None else tuple(self.other.twins)
        self.suites = config_cases(self.config, settings, self.variants)
        self._nvml = Nvml.open()
        environment = host_environment(nvml=self._nvml, folder=settings.root)
        self.environment = environment if self.other is None else self.other.noted(environment)
        self.baseline = BaselineFiles(settings, self.environment)
        for flag, path in settings.files.items():
            _check_not_input(flag, path, self.config, settings)
            check_file(path, flag=flag)
        if settings.html is not None:
            check_libraries("--llmbench-html")
        self.typed = typed_words(pytest_config.invocation_params.args)
        self.started_at = now()
        self._progress = PytestProgress(pytest_config)
        self.unheard: list[tuple[str, Verdict]] = []
        self.select(())

    def select(self, cases: Sequence[Case]) -> None:
        """Get ready for *cases*, those that are left after all deselecting; each counts once."""
        cases = tuple({case.key: case for case in cases}.values())
        try:
            self.session = session = self._new_session(cases)
        except ConfigError as exc:
            raise pytest.UsageError(str(exc)) from exc
        self.plan, self.apart, self.bench = session.plan, session.apart, session.bench
        self.judged, self.confirming = session.judged, session.confirming

    def _new_session(self, cases: Sequence[Case]) -> Session:
        return Session(
            self.config,
            cases,
            environment=self.environment,
            baseline=self.baseline.compared,
            progress=self._progress,
            nvml=self._nvml,
            mode=self.settings.interleave,
            launches=self.settings.launches,
            slowdowns=self.settings.plant,
            strict=self.settings.strict,
            comparing=not self.settings.no_compare,
            twins=self.other.twins if self.other else {},
            other_context=self.other.context if self.other else {},
            kept=self.baseline.originals,
            keep=self.config.keep_reference and bool(self.settings.writes),
        )

    @property
    def said_of_other(self) -> tuple[str, ...]:
        """What the reader has to know of the other side, as lines."""
        return (
            () if self.other is None else (f"side by side with {self.other.name}", *self.other.said)
        )

    @property
    def said_of_reference(self) -> tuple[str, ...]:
        """That drift is from a text that was kept, as a line, where the reference is left out."""
        kept, reference = usable(self.baseline.originals, self.config), self.config.reference
        if kept is None or reference in self.variants:
            return ()
        since = f"its texts of {kept.saved_at[:10]}, kept with the baseline {self.baseline.name!r}"
        return (f"{reference} is not measured: the others are held against {since}",)

    def kept_of_reference(
        self, before: KeptOriginals | None, saved_at: str
    ) -> KeptOriginals | None:
        """Return what the baseline keeps of the reference from now on; ``None``: as before."""
        now, name = self.bench.originals, self.config.reference
        life = None if name is None else self.bench.variants.get(name)
        if not now or name is None or life is None or life.facts is None:
            return None
        return to_keep(before, now, self.config.variants[name], life.facts, saved_at)

    @property
    def nothing_beside(self) -> str | None:
        """What is wrong where this side was measured, and nothing of the other; else ``None``."""
        records = [record for record in self.bench.cases.values() if record.error is None]
        measured = {record.case.variant in self.plan.twins for record in records}
        if self.other is None or measured != {True}:
            return None
        return (
            f"--llmbench-against={self.settings.against}: nothing was compared, because no variant "
            "has a result there; correct what is said of them, or leave the option out"
        )

    def crew_of(self, variant: str) -> tuple[str, ...]:
        """Return the variants that *variant* is loaded together with, itself among them."""
        return self.plan.members(self.plan.crew(variant))

    def end_variant(self, name: str) -> None:
        """Free a variant that no test needs any more."""
        self.session.end_variant(name)

    def parametrize(self, metafunc: pytest.Metafunc, arguments: MarkerArguments) -> None:
        """Make one item of each case, or of each variant, that the test is for."""
        if "llmbench" in metafunc.fixturenames:
            gates = marked_gates(arguments, metafunc.definition.name)
            if self._similarity_is_missed(gates):
                raise pytest.Collector.CollectError(_NO_SIMILARITY)
            cases = marked_cases(
                self.config, self.settings, self.variants, arguments, metafunc.definition
            )
            many = len({case.suite for case in cases}) > 1
            ids = [f"{case.suite}-{case.id}" if many else case.id for case in cases]
            metafunc.parametrize("llmbench", cases, ids=ids, indirect=True)
        elif "llmbench_variant" in metafunc.fixturenames:
            names = marked_variants(self.config, self.variants, arguments, metafunc.definition)
            metafunc.parametrize("llmbench_variant", names, indirect=True)
        elif any(metafunc.definition.iter_markers("llmbench")):
            raise pytest.Collector.CollectError(
                f"{metafunc.definition.name}: it has the marker llmbench but takes neither the "
                "fixture llmbench nor llmbench_variant; add one of them to its arguments"
            )

    def benchmark(self, request: pytest.FixtureRequest) -> Benchmark:
        """Return the fixture ``llmbench`` of one item."""
        item: pytest.Item = request.node
        _check_collected(request, "llmbench")
        marked = marked_gates(marker_arguments(item), item.name)

        def measure(case: Case, gates: Gates) -> Result:
            if self._similarity_is_missed(gates):
                raise ConfigError(_NO_SIMILARITY)
            record, verdicts = self._measured(case, (marked, gates))
            benchmark.judged.append((record, verdicts))
            if record.error is not None:
                self._fail(case.key, verdicts)
            return Result(record, self.bench.variants.get(case.variant))

        benchmark = Benchmark(request.param, item.name, measure)
        item.stash[BENCHMARK] = benchmark
        return benchmark

    def _similarity_is_missed(self, gates: Gates) -> bool:
        return SIMILARITY in gates.limits | gates.tolerances and self.config.similarity is None

    def loaded_variant(self, request: pytest.FixtureRequest) -> LoadedVariant:
        """Return the fixture ``llmbench_variant`` of one item."""
        if "llmbench" in request.fixturenames:
            name = request.getfixturevalue("llmbench").case.variant
        else:
            _check_collected(request, "llmbench_variant")
            name = request.param
        return LoadedVariant(name, self.bench, self._absent)

    def run_case(self, case: Case) -> None:
        """Measure and judge *case* for an item without Python."""
        record, verdicts = self._measured(case, ())
        self._fail(case.key, verdicts, record)

    def run_life(self, variant: str) -> None:
        """Judge *variant* as a whole, then free it and judge its life."""
        try:
            record, verdicts = self.session.life(variant)
        except EngineNotInstalledError as exc:
            self._absent(exc)
        self._fail(record.id, verdicts)

    def judge_test(self, item: pytest.Item) -> None:
        """Fail a Python test that passed so far, where what it measured says so."""
        benchmark = item.stash.get(BENCHMARK, None)
        if benchmark is None:
            return
        if not benchmark.judged:
            pytest.fail(
                "the test took the fixture llmbench but never called it, so nothing was "
                "measured; call llmbench()",
                pytrace=False,
            )
        for record, verdicts in benchmark.judged:
            self._fail(record.case.key, verdicts, record)

    def _fail(
        self, name: str, verdicts: Iterable[Verdict], record: CaseRecord | None = None
    ) -> None:
        """Fail the running test when any of *verdicts* has to, with what they say."""
        bad = failing(verdicts, self.settings.missing, self.settings.inconclusive)
        if bad and record is None:
            pytest.fail(failure_text(name, bad, None), pytrace=False)
        elif bad and record is not None:
            told = failure_text(name, bad, record.text, record.original, record.departures)
            pytest.fail(told, pytrace=False)

    def finish(self, collected: Mapping[str, str] | None, *, stopped: bool) -> SessionRecord:
        """End every worker and return all that is kept.

        *collected* are the keys of all cases that there are, with their variants; where it is
        ``None``, only a part was wanted and nothing is missing. What was skipped because its
        engine is not installed is missing, too. Of a session that was *stopped* before its end
        nothing more is measured, and no variant is judged as a whole.
        """
        control: dict[str, float] = {}
        if not stopped:
            unheard, control = self.session.last_measurements()
            self.unheard += unheard
        self.session.close()
        ended_at = now()
        if collected is not None:
            ran = [key for key, name in collected.items() if self.bench.absent(name) is None]
            self.judged.missing(ran, self._in_scope)
        return msgspec.structs.replace(
            self.session.record(control),
            invocation=Invocation(
                command=self.typed,
                started_at=self.started_at,
                ended_at=ended_at,
                compared_with=self.baseline.description,
            ),
        )

    def _in_scope(self, variant: str, suite: str) -> bool:
        """Whether neither --llmbench-variants nor --llmbench-suites leaves this out."""
        asked = ((variant, self.settings.variants), (suite, self.settings.suites))
        return all(
            not globs or any(fnmatchcase(name, glob) for glob in globs) for name, globs in asked
        )

    def _measured(
        self, case: Case, gates: tuple[Gates, ...]
    ) -> tuple[CaseRecord, tuple[Verdict, ...]]:
        try:
            return self.confirming.case(case, *gates)
        except EngineNotInstalledError as exc:
            self._absent(exc)

    def _absent(self, exc: EngineNotInstalledError) -> NoReturn:
        """Skip, or with ``--llmbench-strict`` fail: the engine is not installed."""
        if self.settings.strict:
            raise pytest.fail.Exception(str(exc), pytrace=False) from None
        raise pytest.skip.Exception(str(exc)) from None

    def _check_plant(self) -> None:
        for name in self.settings.plant:
            if name not in self.config.variants:
                raise ConfigError(
                    f"--llmbench-plant={name}=…: there is no variant {name!r} "
                    f"(there are: {', '.join(self.config.variants)})"
                )


_NO_SIMILARITY: Final = (
    "a limit or tolerance on similarity in a test needs the table [similarity] in the "
    "configuration, which may be empty: it says that meanings are compared, and by which model"
)


def _read_config(settings: Settings) -> tuple[Config, str]:
    """Return the configuration and how messages call its file."""
    path = settings.config or _nearest_config(settings.here, settings.root)
    if path is None:
        raise ConfigError(
            f"--llmbench: there is no llmbench.toml in {settings.root}, and no [tool.llmbench] in "
            "a pyproject.toml there; write one (llmbench show --example prints one) or name one "
            "with --llmbench-config=PATH"
        )
    shown = relative_to_here(path)
    return load_config(path, engine_options(), overrides=settings.overrides, shown=shown), shown


def _check_collected(request: pytest.FixtureRequest, name: str) -> None:
    if not hasattr(request, "param"):
        pytest.fail(
            f"{name} was asked for when the test was already running, too late to be collected "
            "with its cases; take it as an argument of the test function",
            pytrace=False,
        )


def _check_not_input(flag: str, path: Path, config: Config, settings: Settings) -> None:
    """Refuse to write a report over the configuration, a suite file or a baseline."""
    target = path.resolve()
    inputs = target.suffix in (".toml", ".jsonl", ".py", ".ini")
    kept = target.is_relative_to(settings.baselines.resolve())
    if inputs or kept or target == config.source.resolve():
        raise ConfigError(
            f"{flag}={path}: results can't be written over a configuration, a suite or "
            f"a baseline; name another file, such as results.{flag.rpartition('-')[2]}"
        )


def _nearest_config(here: Path, root: Path) -> Path | None:
    """Return the configuration nearest to *here*, going up as far as *root*, which is last."""
    between = here.parents if here.is_relative_to(root) else ()
    above = [folder for folder in between if folder.is_relative_to(root)]
    for folder in dict.fromkeys((here, *above, root)):
        found = find_config(folder)
        if found is not None:
            return found
    return None


def start_run(config: pytest.Config) -> None:
    """Read options, configuration and baseline, and register the hooks of this run.

    Raises:
        pytest.UsageError: any of them is wrong.
    """
    from pytest_llmbench.plugin import RUN
    from pytest_llmbench.plugin.hooks import RunHooks

    try:
        _check_alone(config)
        run = Run(read_settings(config), config)
    except LlmbenchError as exc:
        raise pytest.UsageError(str(exc)) from exc
    config.stash[RUN] = run
    config.pluginmanager.register(RunHooks(run), "llmbench-run")


def _check_alone(config: pytest.Config) -> None:
    """Refuse to measure several things at once."""
    dist = getattr(config.option, "dist", "no")
    if dist != "no" or hasattr(config, "workerinput"):
        raise ConfigError(
            "--llmbench measures one thing at a time, but pytest-xdist is to run tests side by "
            "side; add -n 0"
        )
