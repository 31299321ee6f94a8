"""The contract can fail: an engine with one flaw is found out, by the promise that it breaks."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.testing.installing import install, search_path

HERE = Path(__file__).parent

FLAWS = {
    "keeps its cache and does not say": "a_repeated_prompt_takes_as_long",
    "says that it caches": "a_repeated_prompt_is_processed_again",
    "has figures of a cache": "a_repeated_prompt_is_processed_again",
    "has figures of other tokens": "the_engine_s_own_figures_fit",
    "counts no prompts": "the_prompt_s_tokens_are_counted",
    "takes any prompt": "a_prompt_beyond_the_context_is_refused",
    "forgets turns": "a_conversation_is_taken_or_refused",
    "ignores chat": "a_chat_template_is_applied_or_refused",
    "refuses every prompt with its library's words": "a_chat_template_is_applied_or_refused",
    "dies of odd text": "any_text_can_be_asked",
    "stamps fewer tokens": "a_fixed_length_is_exact_or_refused",
    "stamps later": "stamps_are_taken_as_tokens_come",
    "goes on in a pause": "nothing_goes_on_in_a_pause",
    "falls in time": "every_arrival_has_a_stamp_and_time_never_falls",
    "remembers the round before": "greedy_repeats",
    "forgets its adapter with its buffers": "greedy_repeats",
    "forgets the seed": "seeded_sampling_repeats",
    "ignores the seed": "another_seed_gives_another_text",
    "ignores top_k and top_p": "sampling_from_one_candidate_is_greedy",
    "shows special tokens": "no_special_token_is_shown",
    "never ends": "an_answer_ends_by_itself",
    "does not count the end token": "the_end_token_counts",
    "goes beyond the limit": "one_token_is_enough",
    "calls the limit a stop": "the_limit_is_kept_and_named",
    "stops at the end token": "a_fixed_length_is_exact_or_refused",
    "lets exceptions of loading through": "a_model_that_cannot_be_loaded_is_a_load_error",
    "has no identity": "the_model_s_facts_are_complete",
    "has an empty setting": "the_model_s_facts_are_complete",
    "has no size": "the_model_s_facts_are_complete",
    "yields the rows after": "its_own_greedy_text_is_the_most_probable",
    "forgets its cache between blocks": "how_many_tokens_at_once_changes_little",
    "weighs by whim": "a_choice_weighs_what_its_tokens_do",
    "leaks": "free_gives_the_memory_back",
}
"""What an engine does wrong, and the test that has to find it."""

SERVED = {
    "says no first response": "every_arrival_has_a_stamp_and_time_never_falls",
    "counts chunks wrongly": "every_arrival_has_a_stamp_and_time_never_falls",
    "makes fixed lengths after all": "a_fixed_length_is_exact_or_refused",
    "leaves its server behind": "free_gives_the_memory_back",
}
"""The same of an engine behind a server."""

HEADER = "from pytest_llmbench.testing import EngineContract\n"
CLASS = """
class {name}(EngineContract):
    engine = "{engine}"
    options = {{"flaw": "{flaw}"{size}}}
    broken_options = {{"flaw": "{flaw}", "missing": True}}
    has_chat_template = True
    context_tokens = 2000
"""


def class_name(flaw: str) -> str:
    return "Test" + re.sub(r"\W", "", flaw.title())


def contract_class(name: str, engine: str, flaw: str) -> str:
    size = "" if flaw in ("", "leaks") else ', "model_bytes": 1000'
    text = CLASS.format(name=name, engine=engine, flaw=flaw, size=size)
    served = "    fixed_length = False\n" if engine == "flawed-server" else ""
    return text + served


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What became of every promise of every class: one run of a user's project."""
    root = tmp_path_factory.mktemp("project")
    source = (HERE / "flawed.py").read_text("utf-8")
    install(
        root / "site",
        "llmbench-flawed",
        {
            "flawed": "flawed:ENTRY",
            "flawed-server": "flawed:SERVED",
            "flawed-heavy": "flawed:HEAVY",
        },
        flawed=source,
        flawed_heavy="import execnet\nfrom flawed import FlawedEngine, FlawedOptions\n",
    )
    classes = [
        contract_class("TestFlawless", "flawed", ""),
        contract_class("TestFlawlessServer", "flawed-server", ""),
        contract_class("TestHeavy", "flawed-heavy", ""),
        *(contract_class(class_name(flaw), "flawed", flaw) for flaw in FLAWS),
        *(contract_class(class_name(flaw), "flawed-server", flaw) for flaw in SERVED),
    ]
    (root / "test_flaws.py").write_text(HEADER + "".join(classes), encoding="utf-8")
    (root / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    asked = ["TestFlawless", "TestFlawlessServer", "TestHeavy"]
    asked += [f"{class_name(flaw)}::test_{name}" for flaw, name in {**FLAWS, **SERVED}.items()]
    nodes = [f"test_flaws.py::{name}" for name in asked]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-rA",
            "--tb=line",
            "-p",
            "no:cacheprovider",
            *nodes,
        ],
        cwd=root,
        env=environment(root / "site"),
        capture_output=True,
        text=True,
    )
    line = re.compile(r"^(PASSED|FAILED|ERROR) \S+::(\w+::\w+\S*)(?: - (.*))?$", re.MULTILINE)
    lines = line.findall(done.stdout)
    assert lines, done.stdout + done.stderr
    return {name: f"{outcome} {why}".strip() for outcome, name, why in lines}


def environment(site: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": search_path(site), "COLUMNS": "300"}


@pytest.mark.parametrize(("flaw", "promise"), [*FLAWS.items(), *SERVED.items()], ids=str)
def test_a_flaw_is_found_out(outcomes: dict[str, str], flaw: str, promise: str) -> None:
    found = [
        outcome
        for name, outcome in outcomes.items()
        if name.startswith(f"{class_name(flaw)}::test_{promise}")
    ]
    assert any(outcome.startswith("FAILED") for outcome in found), found


@pytest.mark.parametrize("name", ["TestFlawless", "TestFlawlessServer"])
def test_an_engine_without_a_flaw_keeps_every_promise(outcomes: dict[str, str], name: str) -> None:
    asked = {k: v for k, v in outcomes.items() if k.startswith(f"{name}::")}
    assert len(asked) > 18
    assert set(asked.values()) == {"PASSED"}


def test_a_module_that_imports_its_library_is_found_out(outcomes: dict[str, str]) -> None:
    heavy = {k for k, v in outcomes.items() if k.startswith("TestHeavy::") and v != "PASSED"}
    assert heavy == {"TestHeavy::test_importing_its_module_imports_no_library"}


def test_a_failure_is_one_sentence_with_what_to_do(outcomes: dict[str, str]) -> None:
    broken = [why for why in outcomes.values() if why.startswith("FAILED")]
    assert not [why for why in broken if not re.search(r"[;,:] ", why)]
