"""The hooks of a run with ``--llmbench``; each hands on to :class:`.Run` or to a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from pathlib import Path

import pytest

from pytest_llmbench.plugin.ending import Ending
from pytest_llmbench.plugin.items import ConfigFile, case_of, grouped, variant_of
from pytest_llmbench.plugin.properties import add_properties
from pytest_llmbench.plugin.run import Run


class RunHooks:
    """Registered only when ``--llmbench`` is given."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._ending = Ending(run)
        self._left: Counter[str] = Counter()
        self._collected: dict[str, str] = {}

    def pytest_report_header(self) -> list[str]:
        """Say what is compared with what."""
        run = self._run
        return [
            f"llmbench: {run.shown}, variants {', '.join(run.variants)}",
            f"llmbench: {run.baseline.description}",
            *(f"llmbench: {line}" for line in run.said_of_reference),
        ]

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> None:
        """Collect the configuration too, unless the command line names what to run."""
        path = str(self._run.config.source.absolute())
        if not _named(session.config) and path not in session.config.args:
            session.config.args.append(path)

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> ConfigFile | None:
        """Collect the configuration as a file of tests."""
        if file_path != self._run.config.source.absolute():
            return None
        return ConfigFile.of(parent, file_path, self._run)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, items: list[pytest.Item]
    ) -> Generator[None, None, None]:
        """Note what there is before others deselect, then put each variant's items together."""
        cases = (case_of(item) for item in items)
        self._collected = {case.key: case.variant for case in cases if case is not None}
        yield
        selected = (case_of(item) for item in items)
        self._run.bench.close()  # it was there for a session that is not collected at all
        self._run.select([case for case in selected if case is not None])
        items[:] = grouped(items, self._run.plan)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Count what each variant is still needed for."""
        needed = (variant_of(item) for item in session.items)
        self._left = Counter(name for name in needed if name is not None)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Free a variant once the last item that needs it is done.

        So are those of its crew that no item needs any more: what they are held against comes
        back when something is measured again.
        """
        result = yield
        name = variant_of(item)
        if name is not None:
            self._left[name] -= 1
            if not self._left[name]:
                for each in self._run.crew_of(name):
                    if not self._left[each]:
                        self._run.end_variant(each)
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Judge what a Python test measured, once the test itself has passed."""
        try:
            result = yield
            self._run.judge_test(item)
            return result
        finally:
            add_properties(item, self._run.bench)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(
        self, session: pytest.Session, exitstatus: int | pytest.ExitCode
    ) -> None:
        """End every worker; write and save what was measured."""
        whole = not _named(session.config) and not session.config.getoption("lf", default=False)
        collected = self._collected if whole else None
        stopped = bool(session.shouldstop or session.shouldfail)
        status = self._ending.finish(collected, exitstatus, stopped=stopped)
        if status is not None:
            session.exitstatus = status

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the table, the verdicts, and what was written."""
        self._ending.show(terminalreporter)

    def pytest_unconfigure(self) -> None:
        """End every worker, however the session ended."""
        self._run.bench.close()


def _named(config: pytest.Config) -> bool:
    """Whether the command line says which tests to run."""
    return config.args_source is pytest.Config.ArgsSource.ARGS
