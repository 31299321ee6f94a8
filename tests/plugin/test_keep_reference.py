"""A reference that is kept with the baseline need not be in memory, and drift is the same."""

from __future__ import annotations

import msgspec
import pytest

from tests.plugin.conftest import Project, verdicts
from tests.plugin.test_drift import TWO, metrics

KEEPING = "keep_reference = true\n" + TWO
ALONE = "--llmbench-variants=other"
DRIFT = ("kl_mean", "kl_max", "top1_agreement", "ppl_ratio", "exact_match", "tokens_match")


@pytest.fixture
def two(small: Project) -> Project:
    return small.with_files(llmbench_toml=KEEPING)


def of_drift(document: dict) -> dict[str, float]:
    found = metrics(document, "other")
    return {name: found[name] for name in DRIFT}


def test_drift_without_the_reference_is_the_same(two: Project) -> None:
    saved = two.run("--llmbench-save")
    saved.stdout.fnmatch_lines(["*the reference's texts and probabilities: *main.reference"])
    whole = two.run_json()
    alone = two.run_json(ALONE)
    assert {case["variant"] for case in alone["cases"]} == {"other"}
    assert of_drift(alone) == of_drift(whole)
    assert ("kl_mean", "ok") in verdicts(alone, "other")


def test_it_is_said(two: Project) -> None:
    two.run("--llmbench-save")
    result = two.run(ALONE)
    result.stdout.fnmatch_lines(
        ["llmbench: base is not measured: the others are held against its texts of 20*'main'"]
    )
    both = two.run()
    both.stdout.no_fnmatch_line("*base is not measured*")


def test_more_drift_fails_without_the_reference(two: Project) -> None:
    two.run("--llmbench-save")
    two.with_files(llmbench_toml=KEEPING.replace("doubt = 0.2", "doubt = 0.3"))
    result = two.run(ALONE)
    result.stdout.fnmatch_lines(["*kl_mean*rose*nats*"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_nothing_is_kept_unless_asked(small: Project) -> None:
    small.with_files(llmbench_toml=TWO)
    small.run("--llmbench-save")
    assert not list(small.root.rglob("*.reference"))
    document = small.run_json(ALONE)
    assert "kl_mean" not in metrics(document, "other")


def test_what_is_asked_otherwise_has_no_kept_text(two: Project) -> None:
    two.run("--llmbench-save")
    suite = two.root / "small.toml"
    suite.write_text(suite.read_text().replace("Write a poem.", "Write a song."))
    document = two.run_json(ALONE)
    (song,) = (case for case in document["cases"] if case["prompt"] == "Write a song.")
    assert "kl_mean" not in song["metrics"]


def test_a_session_without_the_reference_keeps_what_was_kept(two: Project) -> None:
    two.run("--llmbench-save")
    (path,) = two.root.rglob("*.reference")
    before = path.read_bytes()
    two.run("--llmbench-save", ALONE)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"nonsense", "*main.reference*can't be read*delete it*"), (b"", "*can't be read*")],
)
def test_a_broken_file_is_an_error_before_anything_is_measured(
    two: Project, data: bytes, said: str
) -> None:
    two.run("--llmbench-save")
    (path,) = two.root.rglob("*.reference")
    path.write_bytes(data)
    result = two.run(ALONE)
    result.stderr.fnmatch_lines([said])
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_a_newer_file_is_not_misread(two: Project) -> None:
    two.run("--llmbench-save")
    (path,) = two.root.rglob("*.reference")
    told = msgspec.msgpack.decode(path.read_bytes())
    path.write_bytes(msgspec.msgpack.encode({**told, "schema_version": 2}))
    two.run(ALONE).stderr.fnmatch_lines(["*has schema_version 2*pip install --upgrade*"])


def test_a_promise_that_is_not_kept_is_missing_and_not_ok(two: Project) -> None:
    two.run("--llmbench-save")
    (path,) = two.root.rglob("*.reference")
    path.unlink()
    two.with_files(llmbench_toml=KEEPING.replace("doubt = 0.2", "doubt = 0.6"))
    result = two.run(ALONE, "--llmbench-missing=fail")
    result.stdout.fnmatch_lines(["*kl_mean*the baseline keeps no text of base for it; save*"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_the_documented_way_is_green_where_missing_fails(two: Project) -> None:
    two.run("--llmbench-save")
    assert two.run(ALONE, "--llmbench-missing=fail").ret == pytest.ExitCode.OK


def test_saving_a_part_keeps_the_rest(two: Project) -> None:
    two.run("--llmbench-save")
    two.run("--llmbench-save", "-k", "paris")
    document = two.run_json(ALONE)
    assert all("kl_mean" in case["metrics"] for case in document["cases"])


def test_another_model_s_texts_are_not_taken_for_this_one_s(two: Project) -> None:
    two.run("--llmbench-save")
    two.with_files(llmbench_toml=KEEPING.replace("doubt = 0.1", "doubt = 0.3"))
    alone = two.run_json(ALONE)
    assert "kl_mean" not in metrics(alone, "other")
    swapped = KEEPING.replace('reference = "base"', 'reference = "other"')
    two.with_files(llmbench_toml=swapped)
    document = two.run_json("--llmbench-variants=base")
    assert "kl_mean" not in metrics(document, "base")


def test_a_newer_file_is_not_overwritten(two: Project) -> None:
    two.run("--llmbench-save")
    (path,) = two.root.rglob("*.reference")
    told = msgspec.msgpack.decode(path.read_bytes())
    data = msgspec.msgpack.encode({**told, "schema_version": 9})
    path.write_bytes(data)
    result = two.run("--llmbench-no-compare", "--llmbench-save")
    result.stderr.fnmatch_lines(["*has schema_version 9*"])
    assert path.read_bytes() == data


def test_starting_anew_without_keeping_drops_what_was_kept(two: Project) -> None:
    two.run("--llmbench-save")
    two.with_files(llmbench_toml=TWO)
    two.run("--llmbench-replace")
    assert not list(two.root.rglob("*.reference"))
