"""The end of a run: what is written, what is saved, what is shown, and the exit status."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from pytest_llmbench.domain.record import SessionRecord
from pytest_llmbench.errors import LlmbenchError
from pytest_llmbench.plugin.baseline import relative_to_here
from pytest_llmbench.plugin.run import Run
from pytest_llmbench.plugin.step_summary import append_summary, summary_file
from pytest_llmbench.plugin.typed import now
from pytest_llmbench.report.exports.registry import export_named
from pytest_llmbench.report.files import write_file
from pytest_llmbench.report.json_report import write_json
from pytest_llmbench.report.results import session_results, study_of
from pytest_llmbench.report.rows import session_rows
from pytest_llmbench.report.summary import summary_lines
from pytest_llmbench.report.table import render_table
from pytest_llmbench.verdict.outcome import failing, quiet_kinds

_COMPLETE = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)


class Ending:
    """Finishes a run once, then shows it."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._record: SessionRecord | None = None
        self._said: list[str] = []
        self._problems: list[str] = []

    def finish(
        self,
        collected: Mapping[str, str] | None,
        exitstatus: int | pytest.ExitCode,
        *,
        stopped: bool,
    ) -> pytest.ExitCode | None:
        """End every worker, write and save; return the exit status where it changes.

        Args:
            collected: keys of all collected cases, with their variants; ``None`` where only a
                part was wanted, so that nothing can be missing.
            exitstatus: what pytest would end with.
            stopped: whether pytest ends before all items ran, as after the first failure.
        """
        stopped = stopped or exitstatus not in _COMPLETE
        self._record = record = self._run.finish(collected, stopped=stopped)
        missed = bool(record.missing) and self._run.settings.missing == "fail"
        if missed:
            self._problems.append(
                f"--llmbench-missing=fail: {len(record.missing)} cases of the baseline were not run"
            )
        self._problems += self._unheard()
        if self._run.nothing_beside is not None:
            self._problems.append(self._run.nothing_beside)
        self._write(self._run.settings.json, record, write_json)
        self._export(record)
        if exitstatus in _COMPLETE:
            failed = missed or exitstatus != pytest.ExitCode.OK or _failing(record, self._run)
            self._save(record, failed=failed)
        self._write(self._run.settings.html, record, _write_html)
        failed = bool(self._problems) and exitstatus in (
            pytest.ExitCode.OK,
            pytest.ExitCode.NO_TESTS_COLLECTED,
        )
        return pytest.ExitCode.TESTS_FAILED if failed else None

    def show(self, reporter: pytest.TerminalReporter) -> None:
        """Write the table, the verdicts, and what became of baseline and files."""
        record = self._record
        if record is None or not (record.cases or record.variants):
            return
        reporter.section("llmbench", sep="=")
        writer = reporter.config.get_terminal_writer()
        settings = self._run.settings
        rows = settings.table.ordered(session_rows(record, settings.table.group))
        if rows:
            shape = settings.table.shape(self._run.baseline.compared)
            table = render_table(rows, width=writer.fullwidth, color=writer.hasmarkup, shape=shape)
            reporter.write_line(table)
        quiet = quiet_kinds(settings.missing, settings.inconclusive)
        described = self._run.baseline.description
        apart = self._run.apart
        for line in summary_lines(record, baseline=described, quiet=quiet, apart=apart):
            reporter.write_line(line)
        for line in (*self._run.said_of_other, *self._said):
            reporter.write_line(line)
        for line in self._problems:
            reporter.write_line(f"error: {line}", red=True)

    def _unheard(self) -> list[str]:
        """Return what fails of the variants as wholes, where no test was there to fail."""
        settings = self._run.settings
        return [
            f"variant {name}: {verdict.sentence}"
            for name, verdict in self._run.unheard
            if failing([verdict], settings.missing, settings.inconclusive)
        ]

    def _write(
        self,
        path: Path | None,
        record: SessionRecord,
        write: Callable[[Path, SessionRecord], None],
    ) -> None:
        """Write a report where one was asked for; what is in the way is said at the end."""
        if path is None:
            return
        try:
            write(path, record)
        except LlmbenchError as exc:
            self._problems.append(str(exc))
        else:
            self._said.append(f"wrote {relative_to_here(path)}")

    def _export(self, record: SessionRecord) -> None:
        """Write the reports asked for, and add one to the summary of a CI step."""
        wanted = dict(self._run.settings.exports)
        summary = summary_file()
        if not wanted and summary is None:
            return
        if summary is not None and "markdown" in wanted and _same(wanted["markdown"], summary):
            del wanted["markdown"]  # it would take the place of what other steps wrote there
        results = session_results(record)
        for name, path in wanted.items():
            try:
                text = export_named(name).render(results)
                write_file(path, text.encode(), flag=f"--llmbench-{name}")
            except LlmbenchError as exc:
                self._problems.append(str(exc))
            else:
                self._said.append(f"wrote {relative_to_here(path)}")
        if summary is not None and (record.cases or record.variants):
            self._said.append(append_summary(results, summary))

    def _save(self, record: SessionRecord, *, failed: bool) -> None:
        saved_at = now()
        try:
            said = self._run.baseline.write(
                record,
                saved_at,
                failed=failed,
                machine=self._run.bench.machine,
                keep=self._run.kept_of_reference,
            )
        except LlmbenchError as exc:
            self._problems.append(str(exc))
        else:
            self._said.extend([said] if said else [])


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()


def _write_html(path: Path, record: SessionRecord) -> None:
    """Write the page from what the results file would hold: it is the same either way."""
    from pytest_llmbench.report.html_report import write_html

    write_html(path, study_of([("", session_results(record))]))


def _failing(record: SessionRecord, run: Run) -> bool:
    """Whether any verdict fails its test, even one whose test was skipped or expected to fail."""
    settings = run.settings
    said = [judged.verdicts for judged in record.cases]
    said += [judged.verdicts for judged in record.variants]
    return any(failing(verdicts, settings.missing, settings.inconclusive) for verdicts in said)
