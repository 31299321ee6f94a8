"""The JSON Schema of the results file, kept in ``docs/schema/results.schema.json``."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Final, Literal, get_args

from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.metric import Kind, Metric
from pytest_llmbench.domain.suite import Length
from pytest_llmbench.domain.trace import Arrivals, FinishReason
from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.metrics.gaps import STEPS

SCHEMA_VERSION: Final = 1

Schema = dict[str, object]

_TEXT: Final[Schema] = {"type": "string"}
_NUMBER: Final[Schema] = {"type": ["number", "null"]}
_COUNT: Final[Schema] = {"type": ["integer", "null"], "minimum": 0}
_TEXTS: Final[Schema] = {"type": "object", "additionalProperties": _TEXT}
_NOISY: Final = tuple(
    name for name, metric in CATALOGUE.items() if metric.of == "case" and metric.kind is Kind.NOISY
)


def results_schema() -> Schema:
    """Return the JSON Schema (2020-12) of what :func:`.json_report.session_document` makes."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "pytest-llmbench results",
        **_closed(
            "What --llmbench-json writes: all that one session measured and said of it. "
            "Times are in seconds, sizes in bytes, rates in tokens per second. A number that is "
            "not finite is null.",
            schema_version=_said("Rises with every change that a reader must know of.")
            | {"const": SCHEMA_VERSION},
            invocation=_invocation(),
            environment=_environment(),
            variants=_map("The variants that were begun, by name.", _ref("variant")),
            cases=_list("Every measured case, in the order measured.", _ref("case")),
            missing=_list("Cases of the baseline that were not run.", _ref("missing")),
            reference={"type": ["string", "null"]}
            | _said("The variant that the others took turns with; null where there is none."),
            readings=_readings(),
            control=_control(),
        ),
        "$defs": {
            "variant": _variant(),
            "facts": _facts(),
            "case": _case(),
            "parameters": _parameters(),
            "verdict": _verdict(),
            "contention": _contention(),
            "round": _round(),
            "missing": _closed(
                "A case of the baseline that was not run.",
                case=_text("The case's id."),
                sentence=_text("What is missing, and what to type if that is meant."),
            ),
        },
    }


def schema_text() -> str:
    """Return the schema as its file holds it, keys sorted."""
    return json.dumps(results_schema(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _invocation() -> Schema:
    known = _closed(
        "How the session came about.",
        command=_list("The words that were typed, without secrets.", _TEXT),
        started_at=_text("When it began, in ISO 8601, UTC."),
        ended_at=_text("When it had ended, in ISO 8601, UTC."),
        compared_with=_text("The baseline, or what stood in its place, in words."),
    )
    return {"anyOf": [known, {"type": "null"}]}


def _environment() -> Schema:
    return _closed(
        "Where the session ran.",
        identity=_TEXTS | _said("What must be equal for times and memory to be comparable."),
        context=_TEXTS | _said("What may explain a change: versions, threads, clocks."),
    )


def _readings() -> Schema:
    return _closed(
        "How fast the machine itself was; null where that was not measured.",
        pace_s=_NUMBER | _said("A fixed piece of the interpreter's work, the median over rounds."),
        calibration_s=_NUMBER | _said("The median of a workload that is bound by memory."),
    )


def _control() -> Schema:
    return {
        "description": "Where variants were measured one after the other: how the reference, "
        "measured again at the end, had changed since the start, as a share of each metric. "
        "Empty otherwise.",
        "type": "object",
        "properties": dict.fromkeys(_NOISY, _NUMBER),
        "additionalProperties": False,
    }


def _variant() -> Schema:
    return _closed(
        "One variant and its life in this session.",
        config={"type": "object"}
        | _said("What the user configured: the engine, and the engine's own keys."),
        facts={"oneOf": [_ref("facts"), {"type": "null"}]}
        | _said("What the engine says of the loaded model; null where it was not loaded."),
        life_cycle=_metrics("variant", rounds=False),
        warnings=_list("What Python and the engine warned of, each text once.", _TEXT),
        verdicts=_list("What was said of the variant's life.", _ref("verdict")),
        error=_error("the variant has no results, or lost those that were to come"),
        skipped={"type": ["string", "null"]}
        | _said("Why the variant was skipped: its engine is not installed; null otherwise."),
    )


def _facts() -> Schema:
    return _closed(
        "What an engine says of the model it loaded.",
        identity=_TEXTS | _said("What makes results comparable: weights, precision, adapter."),
        settings=_TEXTS | _said("How it runs: attention, thread counts, library versions."),
        model_bytes=_COUNT | _said("Bytes of the weights as loaded; null where unknown."),
        context_tokens=_COUNT | _said("Longest prompt plus output; null where unbounded."),
        device=_text("Where the weights are: cpu, cuda:0, mps, server."),
        random_weights={"type": "boolean"}
        | _said("The weights mean nothing: the quality of the text was not measured."),
        threads=_COUNT | _said("Threads that compute on processors; null where not all are known."),
    )


def _case() -> Schema:
    reasons = [*get_args(FinishReason), None]
    return _closed(
        "One variant × prompt × generation parameters.",
        id=_text("Unique in the session: suite/variant-prompt-parameters."),
        variant=_text("A key of variants."),
        suite=_text("The suite's name."),
        task={"type": ["string", "null"]} | _said("The prompt's label: qa, coding …"),
        prompt_id=_text("The prompt's name, unique in its suite."),
        prompt=_text("The words that were asked; turns are apart by an empty line."),
        expect={"type": ["string", "number", "null"]}
        | _said("The expected answer; null where nothing is scored."),
        scorer={"type": ["string", "null"]} | _said("How the answer is scored."),
        parameters=_ref("parameters"),
        text={"type": ["string", "null"]} | _said("What the last round generated."),
        original={"type": ["string", "null"]}
        | _said("The reference's text, which it is held against; null where there is none."),
        finish_reason={"enum": reasons} | _said("Why the last round ended."),
        error=_error("the case has no rounds"),
        metrics=_metrics("case", rounds=True),
        gaps=_gaps(),
        relative=_relative(),
        drift=_drift(),
        no_drift={"type": ["string", "null"]} | _said("Why there is none, where it was tried."),
        no_similarity={"type": ["string", "null"]} | _said("Why there is no similarity."),
        departures={"type": "array", "items": _TEXT}
        | _said("In which ways the text is of another kind than the reference's."),
        drift_noise=_map("How far the reference is from itself, by metric of drift.", _NUMBER),
        choices=_map(
            "Log-probability of each of the prompt's choices, nats, where those decide its score.",
            _NUMBER,
        ),
        no_score={"type": ["string", "null"]} | _said("Why the choices are not known."),
        verdicts=_list("What was said of the case.", _ref("verdict")),
        warmup_s={"type": ["number", "null"], "minimum": 0}
        | _said("Seconds of untimed generations: the memory pass and further warm-up."),
        rounds=_list("Which process and turn each round belongs to, in order.", _ref("round")),
        contention=_list("What else wanted the machine, round by round.", _ref("contention")),
    )


def _gaps() -> Schema:
    known = _closed(
        "The gaps between arrivals over all rounds, counted.",
        between={"enum": list(get_args(Arrivals))}
        | _said("What arrived: single tokens, or chunks of a server's stream."),
        steps_per_doubling={"const": STEPS},
        counts={"type": "object", "additionalProperties": {"type": "integer", "minimum": 1}}
        | _said(
            "How many gaps there were, by step: step k is from 2 to the power of k / "
            "steps_per_doubling seconds up to the next."
        ),
    )
    return {"anyOf": [known, {"type": "null"}]}


def _drift() -> Schema:
    numbers = {"type": "array", "items": _NUMBER}
    known = _closed(
        "How far the variant is from another one's text, token by token.",
        to=_text("The variant whose text it is."),
        kl=numbers | _said("Divergence from that variant's probabilities, nats."),
        agrees={"type": "array", "items": {"type": "boolean"}}
        | _said("Whether both find the same token the most probable."),
        truncated={"type": "boolean"}
        | _said("Whether a server told its most probable tokens alone, of a text of its own."),
        delta_p=numbers | _said("Probability of the token, less that by the other variant."),
    )
    return {"anyOf": [known, {"type": "null"}]}


def _relative() -> Schema:
    fields: dict[str, Schema] = {
        "to": _text("The variant that took turns with this one."),
        "value": _NUMBER | _said("The geometric mean of the launches."),
        "launches": {"type": "array", "items": _NUMBER},
        "error": _NUMBER | _said("Its standard error as a share, as far as the rounds show it."),
    }
    return {
        "description": "Times and rates as multiples of another variant's, measured in turns.",
        "type": "object",
        "properties": {
            name: _object(f"This variant's {name} by the other's.", fields) for name in _NOISY
        },
        "additionalProperties": False,
    }


def _round() -> Schema:
    return _closed(
        "One timed round; its readings are in contention, at the same place.",
        launch={"type": "integer", "minimum": 0}
        | _said("Which of its variant's processes it ran in."),
        turn={"type": "integer", "minimum": 0}
        | _said("Which turn of the session: rounds of several variants in one are near in time."),
    )


def _parameters() -> Schema:
    return _closed(
        "How the text was generated.",
        max_new_tokens={"type": "integer", "minimum": 1},
        temperature={"type": "number", "minimum": 0} | _said("0 is greedy."),
        seed={"type": "integer"},
        top_p={"type": "number"},
        top_k={"type": "integer"},
        length={"enum": list(get_args(Length))}
        | _said("natural stops at the end token, fixed generates exactly max_new_tokens."),
        chat={"type": ["boolean", "null"]}
        | _said("Whether the chat template is applied; null where the model decides."),
    )


def _verdict() -> Schema:
    return _closed(
        "What was said of one metric.",
        metric={"enum": ["", *CATALOGUE]} | _said("Empty where all of the case is meant."),
        kind={"enum": [kind.value for kind in VerdictKind]},
        sentence=_text("What happened, with the numbers in it."),
        p=_NUMBER
        | _said(
            "How probable such evidence is, at most, where the change is an accepted one; null "
            "where nothing noisy was compared."
        ),
        evidence=_list(
            "Label and value of each line that stands behind the sentence.",
            {"type": "array", "items": _TEXT, "minItems": 2, "maxItems": 2},
        ),
    )


def _contention() -> Schema:
    return _closed(
        "What else wanted the machine during one round; null where the system can't tell.",
        wall_s=_NUMBER | _said("The round's wall time."),
        run_delay_s=_NUMBER | _said("Time that threads waited for a processor, summed."),
        involuntary_switches=_COUNT | _said("Times that a thread was taken off its processor."),
        steal_s=_NUMBER | _said("Time that the hypervisor gave to others, over all processors."),
        load_1m=_NUMBER | _said("One-minute load average after the round."),
        gpu_clock_reasons={"type": ["array", "null"], "items": _TEXT}
        | _said("Why the device's clocks were lowered."),
        gpu_temperature_c=_NUMBER | _said("Device temperature after the round, degrees Celsius."),
        paces_s={"type": ["array", "null"], "items": _NUMBER}
        | _said("What a fixed piece of work took before it, and after it."),
    )


def _metrics(of: Literal["case", "variant"], *, rounds: bool) -> Schema:
    """Return the schema of the metrics of *of*, by name, each with its one unit."""
    return {
        "description": "What was measured; a metric that was not measured is absent.",
        "type": "object",
        "properties": {
            name: _measured(metric, rounds=rounds)
            for name, metric in CATALOGUE.items()
            if metric.of == of
        },
        "additionalProperties": False,
    }


def _measured(metric: Metric, *, rounds: bool) -> Schema:
    fields: dict[str, Schema] = {"value": _NUMBER, "unit": {"const": metric.unit}}
    if rounds:
        fields["rounds"] = {"type": "array", "items": _NUMBER}
    if rounds and metric.kind is Kind.NOISY:
        fields["launches"] = {"type": "array", "items": _NUMBER} | _said(
            "What stands for each process; what is compared is their middle mean."
        )
    return _object(metric.summary, fields, optional=("rounds", "launches"))


def _closed(description: str, **fields: Schema) -> Schema:
    return _object(description, fields)


def _object(description: str, fields: dict[str, Schema], optional: Collection[str] = ()) -> Schema:
    """Return the schema of an object with these *fields* and no others."""
    return {
        "description": description,
        "type": "object",
        "properties": fields,
        "required": [name for name in fields if name not in optional],
        "additionalProperties": False,
    }


def _map(description: str, values: Schema) -> Schema:
    return {"description": description, "type": "object", "additionalProperties": values}


def _list(description: str, items: Schema) -> Schema:
    return {"description": description, "type": "array", "items": items}


def _text(description: str) -> Schema:
    return _TEXT | _said(description)


def _error(consequence: str) -> Schema:
    return {"type": ["string", "null"]} | _said(f"Why {consequence}; null where all went well.")


def _said(description: str) -> Schema:
    return {"description": description}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}
