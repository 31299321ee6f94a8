"""Drift in a session: measured beside the times, limited, compared, and said where it is not."""

from __future__ import annotations

import importlib.util
import math

import pytest

from tests.plugin.conftest import Project, verdicts
from tests.support import minilm

TWO = """
reference = "base"

[variants.base]
engine = "scripted"
doubt = 0.1

[variants.other]
engine = "scripted"
doubt = 0.2

[suites.small]
path = "small.toml"
rounds = 3
"""
KL = 0.9 * math.log(0.9 / 0.8) + 0.1 * math.log(0.1 / 0.2)
"""Of the token and of all others, which is all that the script tells apart."""


def metrics(document: dict, variant: str) -> dict[str, float]:
    case = next(case for case in document["cases"] if case["variant"] == variant)
    return {name: told["value"] for name, told in case["metrics"].items()}


@pytest.fixture
def two(small: Project) -> Project:
    return small.with_files(llmbench_toml=TWO)


def test_every_variant_is_held_against_the_reference_s_text(two: Project) -> None:
    document = two.run_json()
    found = metrics(document, "other")
    assert found["kl_mean"] == pytest.approx(KL, rel=1e-5)
    assert found["top1_agreement"] == found["exact_match"] == found["length_ratio"] == 1
    assert found["delta_p_rms"] == pytest.approx(0.1)
    assert found["ppl_ratio"] == pytest.approx(0.9 / 0.8)
    assert not any(name.startswith("kl") for name in metrics(document, "base"))


def test_more_drift_than_in_the_baseline_fails(two: Project) -> None:
    two.run("--llmbench-save")
    again = two.run_json()
    assert ("kl_mean", "ok") in verdicts(again, "other")
    two.with_files(llmbench_toml=TWO.replace("doubt = 0.2", "doubt = 0.3"))
    worse = two.run()
    worse.stdout.fnmatch_lines(["*kl_mean*rose*nats*"])
    assert worse.ret == pytest.ExitCode.TESTS_FAILED


def test_it_can_be_limited(two: Project) -> None:
    two.with_files(llmbench_toml=TWO + '\n[limits]\nkl_mean = "<= 0.01 nats"\n')
    result = two.run()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*kl_mean*0.01 nats*"])


def test_who_tells_no_probabilities_has_texts_compared(two: Project) -> None:
    two.run("--llmbench-save")
    silent = TWO.replace("doubt = 0.2", 'text = "one two three"')
    two.with_files(llmbench_toml=silent)
    document = two.run_json()
    found = metrics(document, "other")
    assert found["exact_match"] == 0
    assert found["length_ratio"] == pytest.approx(3 / 8)
    assert "kl_mean" not in found
    said = [v["sentence"] for case in document["cases"] for v in case["verdicts"]]
    assert any("the script tells no probabilities" in sentence for sentence in said)


@pytest.mark.engine("similarity")
def test_similarity_is_measured_where_it_is_asked_for(two: Project) -> None:
    assert "similarity" not in metrics(two.run_json(), "other")
    asked = TWO + "\n[similarity]\n"
    two.with_files(llmbench_toml=asked)
    assert metrics(two.run_json(), "other")["similarity"] == 1, "the texts are the same"


@pytest.mark.engine("similarity")
def test_a_limit_on_it_asks_for_it_and_fails(two: Project) -> None:
    other = 'doubt = 0.2\ntext = "a cow jumped over the moon"'
    limited = TWO.replace("doubt = 0.2", other) + '\n[limits]\nsimilarity = ">= 0.85"\n'
    two.with_files(llmbench_toml=limited + f'\n[similarity]\nmodel = "{minilm()}"\n')
    result = two.run()
    result.stdout.fnmatch_lines(["*similarity*0.85*"])
    result.assert_outcomes(passed=4, failed=2)


def test_a_model_that_is_not_there_is_told(two: Project) -> None:
    limited = TWO.replace("doubt = 0.2", 'text = "a cow"')
    gates = '\n[limits]\nsimilarity = ">= 0.85"\n\n[similarity]\nmodel = "/nowhere"\n'
    two.with_files(llmbench_toml=limited + gates)
    result = two.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*llmbench.toml*similarity.model*no folder /nowhere*"])


def test_without_its_library_a_limit_is_refused(
    two: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    absent = "sentence_transformers"
    monkeypatch.setattr(
        "importlib.util.find_spec",
        lambda name, *more: None if name == absent else find(name, *more),
    )
    two.with_files(llmbench_toml=TWO + '\n[limits]\nsimilarity = ">= 0.85"\n')
    result = two.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*pip install 'pytest-llmbench?similarity?'*"])


def test_a_limit_in_a_test_needs_the_table(two: Project) -> None:
    test = """
import pytest

@pytest.mark.llmbench(limits={"similarity": ">= 0.85"})
def test_it(llmbench):
    llmbench()
"""
    two.with_files(test_it_py=test)
    result = two.run("test_it.py")
    result.stdout.fnmatch_lines(["*needs the table ?similarity?*"])
    assert result.ret == pytest.ExitCode.INTERRUPTED


def test_another_reference_starts_anew(two: Project) -> None:
    two.run("--llmbench-save")
    other = TWO.replace("doubt = 0.1", 'doubt = 0.1\nrevision = "2"')
    two.with_files(llmbench_toml=other)
    said = [
        verdict
        for case in two.run_json()["cases"]
        for verdict in case["verdicts"]
        if verdict["metric"] == "kl_mean"
    ]
    assert [verdict["kind"] for verdict in said] == ["incomparable"] * 2
    assert "from another reference or another text of it" in said[0]["sentence"]


@pytest.mark.parametrize("variants", ["base", "other"])
def test_what_can_not_drift_has_no_limit_on_it(two: Project, variants: str) -> None:
    two.run("--llmbench-save")
    two.with_files(llmbench_toml=TWO + '\n[limits]\nkl_mean = "<= 1"\nflips_p = ">= 0.01"\n')
    document = two.run_json(f"--llmbench-variants={variants}")
    kinds = [v for v in verdicts(document, variants) if v[0] == "kl_mean"]
    assert kinds == []
    whole = document["variants"][variants]["verdicts"]
    told = [v["kind"] for v in whole if v["metric"] == "flips_p"]
    assert told == ([] if variants == "base" else ["missing"])


def test_what_is_drawn_has_no_drift(two: Project) -> None:
    warm = TWO.replace("rounds = 3", "rounds = 3\ntemperature = 0.7")
    two.with_files(llmbench_toml=warm)
    assert not any(name.startswith("kl") for name in metrics(two.run_json(), "other"))


def test_another_kind_of_text_fails_and_is_named(two: Project) -> None:
    two.run("--llmbench-save")
    longer = 'doubt = 0.2\ntext = "' + "on and on it goes " * 20 + '"'
    two.with_files(llmbench_toml=TWO.replace("doubt = 0.2", longer))
    worse = two.run()
    worse.stdout.fnmatch_lines(["*departures*", "departures: unfinished"])
    worse.stdout.fnmatch_lines(["*length_change*"])
    assert worse.ret == pytest.ExitCode.TESTS_FAILED


def test_lengths_are_compared_over_the_same_prompts_alone(two: Project) -> None:
    """Of a part of the prompts, or of more, other lengths are no change of the variant."""
    longer = TWO.replace("doubt = 0.2", 'doubt = 0.2\nanswers = { poem = "one two three" }')
    two.with_files(llmbench_toml=longer)
    two.run("--llmbench-save")
    suite = two.root / "small.toml"
    suite.write_text(suite.read_text() + '\n[[prompts]]\nid = "new"\nprompt = "poem two"\n')
    changed = two.run_json()
    said = changed["variants"]["other"]["verdicts"]
    kinds = {verdict["metric"]: verdict["kind"] for verdict in said}
    assert kinds["length_change"] == "incomparable"
    same = two.run_json("-k", "not new")
    kinds = {v["metric"]: v["kind"] for v in same["variants"]["other"]["verdicts"]}
    assert kinds["length_change"] == "ok"


def test_prompts_of_the_same_words_are_two(two: Project) -> None:
    ask = '[[prompts]]\nid = "{0}"\nprompt = "One?"\nscore = "exact"\nexpect = "{1}"\n\n'
    two.with_files(small_toml=ask.format("a", "yes") + ask.format("b", "no"))
    base, other = (f'doubt = 0.1\ntext = "{said}"' for said in ("yes", "no"))
    config = TWO.replace("doubt = 0.1", base).replace("doubt = 0.2", other)
    two.with_files(llmbench_toml=config)
    life = two.run_json()["variants"]["other"]["life_cycle"]
    assert life["flips"]["value"] == 1
    assert life["score_change"]["value"] == 0
