"""The results file: its shape, its numbers, and how it comes to stand where it stands."""

from __future__ import annotations

import json
import math

import msgspec
import pytest

from pytest_llmbench.domain.drift import Drift
from pytest_llmbench.domain.record import Invocation, Measured, Readings, Relative
from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.report.json_report import session_document, write_json

from .facts import HOSTILE, case, example, life, measured, ok, regressed, session, verdict

KEY = "exo-five/base-fp16-sum-n64-t0"


def only_case(*args, **kwargs):
    (document,) = session_document(session([case(*args, **kwargs)]))["cases"]
    return document


def test_the_top():
    gone = verdict(VerdictKind.MISSING, sentence="it was not run")
    document = session_document(session(missing=[(KEY, gone)]))
    assert document == {
        "schema_version": 1,
        "invocation": None,
        "environment": {"identity": {"cpu": "x"}, "context": {"torch": "2.12.0"}},
        "variants": {},
        "cases": [],
        "missing": [{"case": KEY, "sentence": "it was not run"}],
        "reference": None,
        "readings": {"pace_s": None, "calibration_s": None},
        "control": {},
    }


def test_how_it_came_about():
    asked = Invocation(
        command=("pytest", "--llmbench"),
        started_at="2026-11-28T09:00:00+00:00",
        ended_at="2026-11-28T09:05:00+00:00",
        compared_with="no baseline 'main' for machine x yet",
    )
    document = session_document(msgspec.structs.replace(session(), invocation=asked))
    assert document["invocation"] == {
        "command": ["pytest", "--llmbench"],
        "started_at": "2026-11-28T09:00:00+00:00",
        "ended_at": "2026-11-28T09:05:00+00:00",
        "compared_with": "no baseline 'main' for machine x yet",
    }


def test_what_is_known_of_the_machine():
    record = msgspec.structs.replace(
        session(),
        reference="base-fp16",
        readings=Readings(pace_s=2e-4, calibration_s=0.01),
        control={"itl_s": 0.02},
    )
    document = session_document(record)
    assert document["reference"] == "base-fp16"
    assert document["readings"] == {"pace_s": 2e-4, "calibration_s": 0.01}
    assert document["control"] == {"itl_s": 0.02}


def test_a_variant():
    document = session_document(session(variants=[life("v", ok("load_s"), warnings=["w"])]))
    assert document["variants"] == {
        "v": {
            "config": {"engine": "transformers", "model": "models/demo", "dtype": "float16"},
            "facts": {
                "identity": {"weights": "sha256:ab12"},
                "settings": {"attention": "sdpa"},
                "model_bytes": 8_000_000,
                "context_tokens": 512,
                "device": "cpu",
                "random_weights": False,
                "threads": None,
            },
            "life_cycle": {"load_s": {"value": 1.234, "unit": "s"}},
            "warnings": ["w"],
            "verdicts": [
                {
                    "metric": "load_s",
                    "kind": "ok",
                    "sentence": "load_s is ok",
                    "p": None,
                    "evidence": [],
                }
            ],
            "error": None,
            "skipped": None,
        }
    }


def test_a_case():
    document = only_case(regressed(), metrics={"ttft_s": 0.5, "rss_peak_bytes": 7.0})
    contention = document.pop("contention")
    assert document.pop("rounds") == [{"launch": 0, "turn": 0}] * 3
    assert document.pop("warmup_s") is None
    assert document == {
        "id": KEY,
        "variant": "base-fp16",
        "suite": "exo-five",
        "task": "qa",
        "prompt_id": "sum",
        "prompt": "What is 2 + 2?",
        "expect": None,
        "scorer": None,
        "parameters": {
            "max_new_tokens": 64,
            "temperature": 0.0,
            "seed": 0,
            "top_p": 1.0,
            "top_k": 0,
            "length": "natural",
            "chat": None,
        },
        "text": "It is 4.",
        "original": None,
        "finish_reason": "stop",
        "error": None,
        "metrics": {
            "ttft_s": {"value": 0.5, "unit": "s", "rounds": [0.5, 0.5, 0.5]},
            "rss_peak_bytes": {"value": 7.0, "unit": "B"},
        },
        "gaps": {"between": "tokens", "steps_per_doubling": 16, "counts": {"-91": 3}},
        "relative": {},
        "drift": None,
        "no_drift": None,
        "no_similarity": None,
        "departures": [],
        "drift_noise": {},
        "choices": {},
        "no_score": None,
        "verdicts": [
            {
                "metric": "itl_s",
                "kind": "regressed",
                "sentence": regressed().sentence,
                "p": None,
                "evidence": [list(pair) for pair in regressed().block],
            },
        ],
    }
    assert len(contention) == 3
    assert contention[0]["run_delay_s"] == 0.001
    assert contention[0]["steal_s"] is None
    assert contention[0]["paces_s"] is None


def in_turns():
    """A case of two launches that took turns with another variant's."""
    judged = case(msgspec.structs.replace(ok(), p=0.4))
    entry = judged.record.rounds[0]
    contention = msgspec.structs.replace(entry.contention, paces_s=(1e-4, 2e-4))
    rounds = [
        msgspec.structs.replace(entry, launch=launch, turn=turn, contention=contention)
        for launch, turn in ((0, 3), (0, 4), (1, 9))
    ]
    itl = Measured(value=3.0, gate=2.5, rounds=(1.0, 3.0, 4.0), launches=(2.0, 4.0), error=0.01)
    ratio = Relative(to="other", value=2.0, launches=(1.9, 2.1), error=0.02)
    record = msgspec.structs.replace(
        judged.record, rounds=tuple(rounds), metrics={"itl_s": itl}, relative={"itl_s": ratio}
    )
    return msgspec.structs.replace(judged, record=record)


def test_launches_turns_and_ratios():
    (document,) = session_document(session([in_turns()]))["cases"]
    assert document["rounds"] == [
        {"launch": 0, "turn": 3},
        {"launch": 0, "turn": 4},
        {"launch": 1, "turn": 9},
    ]
    assert document["metrics"]["itl_s"] == {
        "value": 3.0,
        "unit": "s",
        "rounds": [1.0, 3.0, 4.0],
        "launches": [2.0, 4.0],
    }
    assert document["relative"] == {
        "itl_s": {"to": "other", "value": 2.0, "launches": [1.9, 2.1], "error": 0.02}
    }
    assert document["verdicts"][0]["p"] == 0.4
    assert document["contention"][2]["paces_s"] == [1e-4, 2e-4]


def test_a_case_that_failed():
    document = only_case(error="it died")
    assert (document["error"], document["text"], document["metrics"]) == ("it died", None, {})


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_null(value):
    metric = only_case(metrics={"ttft_s": value})["metrics"]["ttft_s"]
    assert metric == {"value": None, "unit": "s", "rounds": [None] * 3}


def test_the_file_is_the_document(tmp_path):
    path = tmp_path / "new" / "folder" / "results.json"
    write_json(path, example())
    text = path.read_text(encoding="utf-8")
    assert json.loads(text) == session_document(example())
    assert text.startswith('{\n  "schema_version": 1,\n')
    assert text.endswith("}\n")


def test_hostile_text_comes_back_as_it_was(tmp_path):
    path = tmp_path / "results.json"
    write_json(path, session([case(text=HOSTILE)]))
    data = path.read_bytes()
    assert b"\x1b" not in data
    assert json.loads(data.decode("utf-8"))["cases"][0]["text"] == HOSTILE


def test_readable_letters_are_not_escaped(tmp_path):
    path = tmp_path / "results.json"
    write_json(path, session([case(text="größer 日本")]))
    assert "größer 日本" in path.read_text(encoding="utf-8")


def test_writing_again_replaces_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "results.json"
    path.write_text("old")
    write_json(path, session())
    assert json.loads(path.read_text())["cases"] == []
    assert list(tmp_path.iterdir()) == [path]


def test_a_value_no_json_knows_is_its_text():
    judged = life("v")
    record = msgspec.structs.replace(
        judged.record, config={"at": complex(1, 2)}, life_cycle=measured({})
    )
    judged = msgspec.structs.replace(judged, record=record)
    document = session_document(session(variants=[judged]))
    assert document["variants"]["v"]["config"] == {"at": "(1+2j)"}


def test_drift_is_told_token_by_token():
    judged = case()
    found = Drift(
        to="base",
        kl=(0.000123456, 0.5),
        agrees=(True, False),
        delta_p=(0, -0.25),
        delta_logp=(0, 0),
    )
    record = msgspec.structs.replace(judged.record, drift=found, no_similarity="nobody asked")
    (told,) = session_document(session([msgspec.structs.replace(judged, record=record)], []))[
        "cases"
    ]
    assert told["drift"] == {
        "to": "base",
        "kl": [0.0001235, 0.5],
        "agrees": [True, False],
        "delta_p": [0.0, -0.25],
        "truncated": False,
    }
    assert (told["no_drift"], told["no_similarity"]) == (None, "nobody asked")
