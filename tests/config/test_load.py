"""Reading a configuration: what the domain gets from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_llmbench.config import BUILTIN_SUITES, load_config, read_builtin
from pytest_llmbench.config.gates import parse_gates
from pytest_llmbench.config.load import DEFAULT_SAMPLING
from pytest_llmbench.config.place import Place, unknown
from pytest_llmbench.domain.suite import Sampling
from pytest_llmbench.engines import engine_options
from pytest_llmbench.errors import ConfigError
from tests.support import ROOT

WHOLE = """
rounds = 7
warmup = 2
reference = "a"
[variants.a]
engine = "scripted"
itl_s = 0.02
round_timeout_s = 9
[variants.a.limits]
decode_tps = ">= 10"
[variants.b]
engine = "transformers"
model = "owner/name"
[suites.mine]
path = "prompts.jsonl"
max_new_tokens = [16, 32]
temperature = 0.7
seed = [1, 2]
warmup = "auto"
variants = ["a"]
[suites.mine.tolerance]
itl_s = "5%"
rss_peak_bytes = "50 MiB"
[suites.riddle]
rounds = 2
[limits]
ttft_s = "<= 80 ms"
"""


def load(tmp_path: Path, text: str = WHOLE, **options: object):
    (tmp_path / "prompts.jsonl").write_text(
        '{"prompt": "x"}\n\n{"id": "b", "messages": [{"role": "user", "content": "y"}]}\n'
    )
    path = tmp_path / "llmbench.toml"
    path.write_text(text)
    return load_config(path, engine_options(), **options)  # type: ignore[arg-type]


def test_a_whole_configuration(tmp_path: Path) -> None:
    config = load(tmp_path)
    assert config.reference == "a"
    assert config.variants["a"].options["itl_s"] == 0.02
    assert config.variants["a"].round_timeout_s == 9
    assert config.variants["a"].gates.limits["decode_tps"].bound == 10
    assert config.variants["b"].options["trust_remote_code"] is False
    mine = config.suites["mine"]
    assert [p.id for p in mine.prompts] == ["p1", "b"]
    assert mine.max_new_tokens == (16, 32)
    assert mine.temperature == (0.7,)
    assert mine.sampling == Sampling(rounds=7, warmup=None, max_time_s=120.0)
    assert config.suites["riddle"].sampling.rounds == 2
    assert config.suites["riddle"].sampling.warmup == 2
    assert mine.gates.tolerances["itl_s"].share == 0.05
    assert mine.gates.tolerances["rss_peak_bytes"].amount == 50 * 2**20
    assert config.gates.limits["ttft_s"].origin == "llmbench.toml: limits.ttft_s"


def test_without_a_word_the_rounds_are_open(tmp_path: Path) -> None:
    config = load(tmp_path, '[variants.a]\nengine = "scripted"\n[suites.riddle]\n')
    assert config.suites["riddle"].sampling == DEFAULT_SAMPLING
    assert Sampling(rounds=None, warmup=None, max_time_s=120.0) == DEFAULT_SAMPLING


@pytest.mark.parametrize(
    ("top", "suite", "rounds"),
    [
        ("rounds = 7", "", 7),
        ("rounds = 7", 'rounds = "auto"', None),
        ('rounds = "auto"', "", None),
        ('rounds = "auto"', "rounds = 3", 3),
        ("", "rounds = 3", 3),
    ],
)
def test_a_suite_may_leave_its_rounds_open(
    tmp_path: Path, top: str, suite: str, rounds: int | None
) -> None:
    text = f'{top}\n[variants.a]\nengine = "scripted"\n[suites.riddle]\n{suite}\n'
    assert load(tmp_path, text).suites["riddle"].sampling.rounds == rounds


@pytest.mark.parametrize(("key", "least"), [("rounds", 1), ("warmup", 0)])
def test_another_word_than_auto_is_refused(tmp_path: Path, key: str, least: int) -> None:
    text = f'[variants.a]\nengine = "scripted"\n[suites.riddle]\n{key} = "many"\n'
    asked = f'write a whole number of at least {least} or "auto", found "many"'
    with pytest.raises(ConfigError, match=rf"suites\.riddle\.{key}: {asked}"):
        load(tmp_path, text)


def test_overrides_are_toml_or_else_text(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        overrides=["variants.a.text=some words", "suites.mine.max_new_tokens=[8]", "rounds=3"],
    )
    assert config.variants["a"].options["text"] == "some words"
    assert config.suites["mine"].max_new_tokens == (8,)
    assert config.suites["mine"].sampling.rounds == 3


def test_an_override_can_add_a_variant(tmp_path: Path) -> None:
    assert "c" in load(tmp_path, overrides=["variants.c.engine=scripted"]).variants


@pytest.mark.parametrize("name", BUILTIN_SUITES)
def test_every_builtin_suite_is_read(name: str) -> None:
    prompts = read_builtin(name, Place("test"))
    assert prompts
    for prompt in prompts:
        assert prompt.task, f"{prompt.id} has no task"


def test_the_builtin_suites_hold_what_their_names_promise() -> None:
    sizes = {name: len(read_builtin(name, Place("test"))) for name in BUILTIN_SUITES}
    assert sizes["exo-five"] == 5
    assert sizes["bootcamp-three"] == 3
    assert sizes["riddle"] == 1
    assert sizes["grid"] == 3
    tasks = read_builtin("tasks", Place("test"))
    for kind in ("qa", "reasoning", "coding", "summarization"):
        of_kind = [prompt for prompt in tasks if prompt.task == kind]
        assert len(of_kind) >= 10
        assert all(prompt.expect is not None and prompt.score for prompt in of_kind)


def test_narrower_gates_win_metric_by_metric() -> None:
    place = Place("test")
    wide = parse_gates({"ttft_s": "<= 1", "itl_s": "<= 2"}, {}, place)
    narrow = parse_gates({"ttft_s": "<= 3"}, {}, place)
    both = wide.narrowed(narrow)
    assert both.limits["ttft_s"].bound == 3
    assert both.limits["itl_s"].bound == 2


@pytest.mark.parametrize(
    ("text", "value", "holds"),
    [("<= 1", 1.0, True), ("< 1", 1.0, False), (">= 1", 1.0, True), ("> 1", 1.0, False),
     ("== 1", 1.0, True), ("== 1", 1.1, False), ("<= 1", 1.0000001, False)],
)  # fmt: skip
def test_both_sides_of_a_limit(text: str, value: float, holds: bool) -> None:
    assert parse_gates({"ttft_s": text}, {}, Place("t")).limits["ttft_s"].holds(value) == holds


def test_the_closest_name_is_offered() -> None:
    assert unknown("modle", "key", ["model", "dtype"]).startswith(
        "unknown key 'modle' (did you mean 'model'? allowed: model, dtype"
    )


def test_the_demo_s_configuration_is_right() -> None:
    config = load_config(ROOT / "examples" / "demo" / "llmbench.toml", engine_options())
    assert list(config.variants) == ["float32", "bfloat16"]


def test_a_key_that_is_not_in_the_file_is_an_error_not_a_default(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"variants\.zz: the key engine is missing"):
        load(tmp_path, overrides=["variants.zz.model=x"])
