"""What is kept of a session: its environment, the variants' lives, and the measured cases."""

from __future__ import annotations

from pytest_llmbench.domain.case import Case
from pytest_llmbench.domain.drift import Drift
from pytest_llmbench.domain.fact import Fact
from pytest_llmbench.domain.trace import Memory, Round
from pytest_llmbench.domain.verdict import Verdict


class Invocation(Fact, frozen=True, kw_only=True):
    """How a session came about.

    Attributes:
        command: the words that were typed, without secrets.
        started_at, ended_at: in ISO 8601, UTC.
        compared_with: the baseline, or what stood in its place, in words.
    """

    command: tuple[str, ...]
    started_at: str
    ended_at: str
    compared_with: str


class Environment(Fact, frozen=True, kw_only=True):
    """Where a session ran.

    *identity* must match for times and memory to be comparable (processor and instruction set,
    memory, GPU, operating system, architecture). *context* is recorded and shown beside a
    regression as a likely cause (library versions, driver, thread counts, governor).
    """

    identity: dict[str, str]
    context: dict[str, str]


class Readings(Fact, frozen=True, kw_only=True):
    """How fast the machine itself was in a session, in seconds; ``None`` where not measured.

    Attributes:
        pace_s: the median over rounds of a fixed piece of interpreter's work
            (:func:`pytest_llmbench.metrics.taint.round_pace`).
        calibration_s: the median of the memory-bound workload, read before every bout.
    """

    pace_s: float | None = None
    calibration_s: float | None = None


class Measured(Fact, frozen=True, kw_only=True):
    """A metric's value in one session, in its base unit.

    Attributes:
        value: what reports show (the median over rounds, where there are rounds).
        gate: the session's statistic, which baselines keep and gates compare.
        rounds: one value a round, or ``None`` for a metric that has no rounds.
        launches: the statistic of each launch, of which *gate* is the middle mean; empty where
            nothing is noisy.
        error: standard error of *gate* as a share of it, as far as the counted rounds show it:
            0 where there is one round, or nothing noisy.
    """

    value: float
    gate: float
    rounds: tuple[float, ...] | None
    launches: tuple[float, ...] = ()
    error: float = 0.0


class Relative(Fact, frozen=True, kw_only=True):
    """A metric as a multiple of another variant's, both measured in turns.

    Attributes:
        to: the other variant: the reference, or what a variant is held against side by side.
        value: this variant's ÷ the other's.
        launches: the same of each launch, of which *value* is the geometric mean.
        error: standard error of *value* as a share of it, as far as the rounds show it.
    """

    to: str
    value: float
    launches: tuple[float, ...]
    error: float


class ModelFacts(Fact, frozen=True, kw_only=True):
    """What an engine says of the model it loaded.

    Attributes:
        identity: what makes results comparable (weights' hash or revision, dtype,
            quantization, adapter), as ``{field: value}``.
        settings: how it runs (device, attention, thread counts, library versions): context.
        model_bytes: bytes of the weights as loaded; ``None`` where the engine can't tell.
        context_tokens: the longest prompt plus output, in tokens; ``None`` where unbounded.
        device: where the weights are: ``cpu``, ``cuda:0``, ``mps``, ``server`` …
        random_weights: the weights mean nothing, so that the quality of what they say is not
            measured.
        threads: how many compute on processors at once, at most; ``None`` where nobody knows all
            of them, or another device computes.
    """

    identity: dict[str, str]
    settings: dict[str, str]
    model_bytes: int | None
    context_tokens: int | None
    device: str
    random_weights: bool = False
    threads: int | None = None

    @property
    def host_processors(self) -> int | None:
        """How many processors the other host has; ``None`` where it ran on the session's."""
        told = self.settings.get("host processors")
        return None if told is None else int(told)


class VariantRecord(Fact, frozen=True, kw_only=True):
    """The life of one variant in a session.

    *error* says why it has no results, *skipped* why nobody asked for any: its engine is not
    installed. *answers_key* stands for all that how it answers beside the reference depends on;
    ``None`` where nothing was asked of both.
    """

    id: str
    config: dict[str, object]
    facts: ModelFacts | None
    life_cycle: dict[str, Measured]
    warnings: tuple[str, ...]
    error: str | None
    skipped: str | None = None
    answers_key: str | None = None


class CaseRecord(Fact, frozen=True, kw_only=True):
    """One measured case; *error* says why there are no rounds.

    *text* and *finish_reason* are the last round's; *memory* is the memory pass's reading;
    *warmup_s* are the seconds that untimed generations took, the memory pass included;
    *relative* are noisy metrics against the variant that took turns with this one.

    Of what the variant is held against: *drift* is how far its probabilities are from that one's;
    *no_drift* and *no_similarity* say why that, or the similarity of the texts, is not known;
    *original* is that variant's text, and *original_key* stands for all that drift from it depends
    on; *departures* are the ways in which this text is of another kind; *drift_noise* is how far
    that variant is from itself when it computes in another order, by metric.

    *choices* are the log-probabilities of the prompt's choices, in nats, where those decide its
    score; *no_score* says why they are not known.
    """

    case: Case
    rounds: tuple[Round, ...]
    memory: Memory | None
    metrics: dict[str, Measured]
    text: str | None
    finish_reason: str | None
    error: str | None
    warmup_s: float | None = None
    relative: dict[str, Relative] = {}  # noqa: RUF012 — msgspec makes a new one for each
    drift: Drift | None = None
    no_drift: str | None = None
    no_similarity: str | None = None
    original: str | None = None
    original_key: str | None = None
    departures: tuple[str, ...] = ()
    drift_noise: dict[str, float] = {}  # noqa: RUF012 — as above
    choices: dict[str, float] = {}  # noqa: RUF012 — msgspec makes a new one for each
    no_score: str | None = None


class JudgedCase(Fact, frozen=True, kw_only=True):
    """A measured case and what was said of it."""

    record: CaseRecord
    verdicts: tuple[Verdict, ...]


class JudgedVariant(Fact, frozen=True, kw_only=True):
    """A variant's life and what was said of it."""

    record: VariantRecord
    verdicts: tuple[Verdict, ...]


class SessionRecord(Fact, frozen=True, kw_only=True):
    """All that is kept of one session.

    Attributes:
        environment: where it ran.
        variants, cases: what was measured and judged.
        missing: the baseline's cases that were not there.
        reference: the variant that others took turns with, if there was one.
        readings: how fast the machine itself was.
        control: where variants were measured one after the other, how the reference, measured
            again at the end, had changed since the start: a share of each noisy metric.
        invocation: how the session came about; ``None`` where nobody typed anything.
    """

    environment: Environment
    variants: tuple[JudgedVariant, ...]
    cases: tuple[JudgedCase, ...]
    missing: tuple[tuple[str, Verdict], ...]
    reference: str | None = None
    readings: Readings = Readings()
    control: dict[str, float] = {}  # noqa: RUF012 — msgspec makes a new one for each
    invocation: Invocation | None = None
