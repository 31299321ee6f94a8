"""What is measured in a session: cases, bout by bout, on variants that are loaded for them."""

from __future__ import annotations

import contextlib
import itertools
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median

from pytest_llmbench.domain.case import Case, Parameters
from pytest_llmbench.domain.drift import KeptOriginal, KeptOriginals
from pytest_llmbench.domain.record import CaseRecord, ModelFacts, Readings, VariantRecord
from pytest_llmbench.domain.similarity import Similarity
from pytest_llmbench.domain.suite import Message
from pytest_llmbench.domain.trace import Round
from pytest_llmbench.errors import (
    CaseError,
    EngineNotInstalledError,
    LlmbenchError,
    ScoringError,
)
from pytest_llmbench.metrics.taint import Machine
from pytest_llmbench.probes.calibration import read_calibration
from pytest_llmbench.runner.bout import run_bout
from pytest_llmbench.runner.choosing import Choosing, kept
from pytest_llmbench.runner.drifting import Drifting, carried
from pytest_llmbench.runner.lives import Live, Lives
from pytest_llmbench.runner.loading import Loading
from pytest_llmbench.runner.measurements import HERE, Measurements, Pace, failed, place_of
from pytest_llmbench.runner.patience import Patience
from pytest_llmbench.runner.placing import Placing, processors_of
from pytest_llmbench.runner.plan import Plan
from pytest_llmbench.runner.progress import Progress
from pytest_llmbench.runner.sampled import Sampled
from pytest_llmbench.runner.scoring import Scoring
from pytest_llmbench.worker.messages import Generated

Decides = Callable[[CaseRecord], bool]
"""Whether what was measured of a case decides all that is asked of it."""

Problems = dict[str, tuple[Case, LlmbenchError]]
"""What could not be measured, and why, by key."""


class Bench:
    """Measures cases, each once, together with the other variants' cases of the same bout.

    Args:
        plan: which cases are measured together, and how often everything is launched.
        progress: told what is being done.
        processors: how many the machine has, to tell disturbed rounds.
        slowdowns: planted regressions by variant, see :class:`.Stamps`.
        strict: a variant whose engine is not installed has failed, and is not skipped.
        pace_s: this machine's usual pace in earlier sessions, in seconds.
        decides: asked where a suite leaves the number of rounds open.
        chance: the order of rounds.
        calibrate: times the machine's own workload, in seconds.
        patience: waits for other work to pause.
        similarity: the model that embeds texts, where their similarity is asked for.
        scoring: says how right answers are.
        kept: what a baseline keeps of the reference, for where it is not measured.
        promised: the reference that the configuration says is kept, if it does.
        keep: remember what a baseline is to keep of the reference.

    Attributes:
        plan: as given.
        lives: the variants.
        pace: the pace that the machine has.
        calibrations_s: what *calibrate* said before each bout.
    """

    def __init__(
        self,
        plan: Plan,
        progress: Progress,
        *,
        processors: int,
        slowdowns: Mapping[str, float] | None = None,
        strict: bool = False,
        pace_s: float | None = None,
        decides: Decides | None = None,
        chance: random.Random | None = None,
        calibrate: Callable[[], float] = read_calibration,
        patience: Patience | None = None,
        similarity: Similarity | None = None,
        scoring: Scoring | None = None,
        kept: KeptOriginals | None = None,
        promised: str | None = None,
        keep: bool = False,
    ) -> None:
        self._patience = patience or Patience()
        self._calibrate = calibrate
        self._progress = progress
        self._processors = processors
        self._decides = decides
        self._chance = chance or random.Random()  # noqa: S311 — an order, not a secret
        self._placing = Placing.here(self._chance)
        self._loading = Loading(plan, self._chance)
        self._measured = Measurements(scoring or Scoring())
        self._turns = itertools.count()
        self._passed: set[int] = set()
        self.plan = plan
        self.lives = Lives(plan.variants, progress, slowdowns=slowdowns or {}, strict=strict)
        self.pace = Pace(pace_s)
        self._choosing = Choosing(self.lives, progress.say)
        self._drifting = Drifting(
            plan, self.lives, progress.say, similarity, kept, promised=promised, keep=keep
        )
        self.calibrations_s: list[float] = []

    @property
    def cases(self) -> dict[str, CaseRecord]:
        """The cases measured so far, by key."""
        return self._measured.records

    @property
    def variants(self) -> dict[str, VariantRecord]:
        """The lives so far, by name."""
        return self.lives.records

    @property
    def originals(self) -> dict[str, KeptOriginal]:
        """What a baseline is to keep of the reference, by the keys of its cases."""
        return self._drifting.kept_now

    def machine(self, variant: str) -> Machine:
        """Return what is known of the machine that *variant* runs on."""
        record = self.variants.get(variant)
        elsewhere = record.facts.host_processors if record and record.facts else None
        return Machine(
            processors=elsewhere or self._processors,
            pace_s=self.pace.usual_s(place_of(self.plan.variants[variant])),
        )

    def readings(self) -> Readings:
        """Return how fast the machine itself was so far."""
        return Readings(
            pace_s=self.pace.now_s(HERE),
            calibration_s=median(self.calibrations_s) if self.calibrations_s else None,
        )

    def measure(self, case: Case) -> CaseRecord:
        """Return *case*, measured now or before; an error is part of the record.

        Raises:
            EngineNotInstalledError: the engine's library is absent, for this and every case of
                the variant.
        """
        known = self.cases.get(case.key)
        if known is not None and known.case == case:
            return known
        if known is not None:
            self._measured.forget(case.key)
        try:
            self._earlier_launches(case)
            if case.key not in self.cases:
                self._run(case)
        finally:
            self._progress.clear()
        return self.cases[case.key]

    def look_again(
        self, case: Case, *, fresh: bool, beside: Case | None = None, keep: bool = False
    ) -> CaseRecord:
        """Return *case* with the rounds of one more launch, the last one's unless *fresh*.

        What it is held against goes with it, and what is *beside* it, so that every ratio has its
        counterpart; without any, another one of its bout does, so that its rounds are cut as they
        were. Their records have the new rounds too, or stay as they are where that fails;
        so does that of *case* itself if it is to *keep*. Other records stay in any case.
        """
        others = dict.fromkeys((*self._other(case), *(() if beside is None else (beside,))))
        if not others:
            others = dict.fromkeys(self._bout_mates(case)[:1])
        together = (case, *others)
        if fresh:
            self._renew(each.variant for each in together)
        looked_at = (case, *(each for each in others if self._has_rounds(each.key)))
        before = {each.key: self.cases[each.key] for each in looked_at}
        try:
            problems = self._bout(together)
            for each in looked_at:
                self._settle(each, problems)
        finally:
            self._progress.clear()
        for key, record in before.items():
            now = self.cases[key]
            stays = now.error is not None and (keep or key != case.key)
            self.cases[key] = record if stays else kept(record, carried(record, now))
        return self.cases[case.key]

    def generate(
        self, variant: str, messages: tuple[Message, ...], parameters: Parameters
    ) -> Generated:
        """Generate one text on the loaded *variant*, timed.

        Raises:
            LlmbenchError: the variant can't be loaded, its worker is lost, or it refuses.
        """
        live = self.lives.ready(variant)
        with self.lives.watching():
            self.lives.focus(live)
            return live.worker.generate(messages, parameters, "generating")

    def facts(self, variant: str) -> ModelFacts:
        """Return what the engine says of the loaded *variant*; raises as :meth:`generate`."""
        return self.lives.ready(variant).facts

    def absent(self, name: str) -> EngineNotInstalledError | None:
        """Return why the engine of *name* can't run here, once that was found out."""
        return self.lives.absent(name)

    def close(self) -> None:
        """End every worker; what was measured stays."""
        self.lives.close()
        self._drifting.close()

    def _earlier_launches(self, case: Case) -> None:
        """Measure all bouts of the crew of *case* in every launch but the last."""
        crew = self.plan.crew(case.variant)
        if self.plan.launches == 1 or crew in self._passed:
            return
        self._passed.add(crew)
        for _ in range(self.plan.launches - 1):
            for bout in self.plan.bouts(crew):
                self._fail(self._bout([each for each in bout if each.key not in self.cases]))
            self._renew(name for name in self.plan.members(crew) if name in self.variants)

    def _renew(self, names: Iterable[str]) -> None:
        """Load variants in new processes; what fails is found again when they are asked.

        All old ones end first: memory that is free is then the same for each, as it was at first.
        """
        known = list(names)
        for name in known:
            self.lives.end(name)
        self._loading.turn()
        for name in self._loading.order(known, lambda name: name):
            with contextlib.suppress(LlmbenchError):
                self.lives.ready(name)

    def _run(self, case: Case) -> None:
        """Measure a bout and record what it is complete with."""
        together = self.plan.together(case, self.cases)
        beside = [each for each in self._other(case) if each.key in self.cases]
        problems = self._bout((*together, *beside))
        for each in together:
            if self.lives.absent(each.variant) is None:
                self._settle(each, problems)
        for each in sorted(together, key=lambda one: self.plan.original(one) is not None):
            if self._has_rounds(each.key):
                record = self._choosing.with_choice(self.cases[each.key])
                self.cases[each.key] = self._drifting.with_drift(record)
        absent = self.lives.absent(case.variant)
        if absent is not None:
            raise absent

    def _bout_mates(self, case: Case) -> list[Case]:
        """Return who took turns with *case*, and could be measured."""
        together = self.plan.together(case, ())
        return [each for each in together if each != case and self._has_rounds(each.key)]

    def _has_rounds(self, key: str) -> bool:
        return key in self.cases and self.cases[key].error is None

    def _other(self, case: Case) -> tuple[Case, ...]:
        """Return what *case* is held against in turns, if anything."""
        other = self.plan.counterpart(case)
        return () if other is None else (other,)

    def _bout(self, cases: Sequence[Case]) -> Problems:
        """Take one launch's rounds of *cases*; return what can't be measured, and why."""
        members: dict[str, Live] = {}
        problems: Problems = {}
        for case in self._loading.order(cases, lambda case: case.variant):
            try:
                members[case.key] = self.lives.ready(case.variant)
            except EngineNotInstalledError:
                continue
            except LlmbenchError as exc:
                problems[case.key] = (case, exc)
        if not members:
            return problems
        self.lives.rest()
        self.calibrations_s.append(self._calibrate())
        taken = [self._sampled(case, members[case.key]) for case in cases if case.key in members]
        with self.lives.watching():
            self._place(members.values())
            run_bout(
                taken,
                companions=self.plan.companions,
                focus=lambda sampled, again=False: self.lives.focus(
                    members[sampled.case.key], again=again
                ),
                chance=self._chance,
                turns=self._turns,
                wait=lambda: self._wait(members.values()),
            )
        for sampled in taken:
            problems |= self._taken(sampled)
        return problems

    def _wait(self, members: Iterable[Live]) -> None:
        """Let other work pass, with no worker running, and go out of its way."""
        self.lives.rest()
        self._patience.wait()
        self._place(members)

    def _place(self, members: Iterable[Live]) -> None:
        """Have all of *members* compute on the same processors, others than the last time."""
        order = self._placing.order()
        for live in members:
            live.worker.keep_on(processors_of(live.facts, order))

    def _sampled(self, case: Case, live: Live) -> Sampled:
        return Sampled(
            case,
            live.worker,
            live.facts,
            self.machine(case.variant),
            self._progress,
            launch=live.launch,
            memory_wanted=not self._measured.has_memory(case.key),
            enough=lambda rounds: self._enough(case, rounds),
            clock=time.monotonic,
        )

    def _taken(self, sampled: Sampled) -> Problems:
        """Keep the rounds of *sampled*, or return what ended it."""
        case = sampled.case
        for entry in sampled.rounds:
            self.pace.see(place_of(self.plan.variants[case.variant]), entry.contention)
        if sampled.error is not None:
            self.lives.bury(case.variant, sampled.error)
            return {case.key: (case, sampled.error)}
        self._measured.take(sampled)
        return {}

    def _settle(self, case: Case, problems: Problems) -> None:
        """Record *case* as it is now, measured or failed."""
        if case.key in problems:
            self._fail({case.key: problems[case.key]})
            return
        facts = self.lives.records[case.variant].facts
        self.lives.rest()  # a scorer may run something
        try:
            self.cases[case.key] = self._measured.record(
                case,
                self.machine(case.variant),
                other=self.plan.counterpart(case),
                quality=facts is None or not facts.random_weights,
            )
        except ScoringError as exc:
            self._fail({case.key: (case, exc)})

    def _fail(self, problems: Problems) -> None:
        for case, exc in problems.values():
            self.cases[case.key] = failed(case, _case_problem(case, exc))

    def _enough(self, case: Case, rounds: Sequence[Round]) -> bool:
        """Whether *rounds* decide what is asked; rounds of other variants are still coming.

        A twin is not judged: it goes on for as long as what is held against it does.
        """
        if self._decides is None or case.variant in self.plan.twins.values():
            return True
        return self._decides(self._measured.draft(case, rounds, self.machine(case.variant)))


def _case_problem(case: Case, exc: LlmbenchError) -> str:
    """Return what stopped *case*: of a refused prompt, where it was written."""
    if isinstance(exc, CaseError):
        return f"{case.prompt.source}: prompt {case.prompt.id!r} under {case.variant!r}: {exc}"
    return str(exc)
