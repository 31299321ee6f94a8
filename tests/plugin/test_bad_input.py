"""Whatever is wrong is one sentence that names file, key and remedy, before anything is measured."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.plugin.conftest import SMALL, TWO_VARIANTS, Project

VARIANT = '[variants.a]\nengine = "scripted"\n'
SUITE = "[suites.riddle]\n"

WRONG_CONFIGS = {
    "unknown key": (VARIANT + "itl = 3\n" + SUITE, "llmbench.toml: variants.a: unknown key 'itl'*itl_s*"),
    "unknown top key": ("refrence = 'a'\n" + VARIANT + SUITE, "llmbench.toml: unknown key 'refrence'*did you mean 'reference'*"),
    "unknown suite key": (VARIANT + SUITE + "round = 3\n", "llmbench.toml: suites.riddle: unknown key 'round'*'rounds'*"),
    "wrong type": (VARIANT + "itl_s = 'fast'\n" + SUITE, 'llmbench.toml: variants.a.itl_s: write a number of at least 0, found "fast"'),
    "wrong type in a list": (VARIANT + SUITE + "max_new_tokens = [1, 'x']\n", 'llmbench.toml: suites.riddle.max_new_tokens?2?: write a whole number of at least 1, found "x"'),
    "unknown engine": ("[variants.a]\nengine = 'transfomers'\n" + SUITE, "llmbench.toml: variants.a.engine: unknown engine 'transfomers' (did you mean 'transformers'*"),
    "no engine": ("[variants.a]\nmodel = 'x'\n" + SUITE, "llmbench.toml: variants.a: the key engine is missing*"),
    "missing model": ("[variants.a]\nengine = 'transformers'\n" + SUITE, "llmbench.toml: variants.a: the key 'model' is missing*"),
    "missing model path": ("[variants.a]\nengine = 'transformers'\nmodel = './models/none'\n" + SUITE, "llmbench.toml: variants.a.model: the model folder *models/none does not exist; correct*"),
    "empty suite": (VARIANT + "[suites.e]\npath = 'empty.toml'\n", "*empty.toml: the suite is empty; add a prompt*"),
    "empty jsonl suite": (VARIANT + "[suites.e]\npath = 'empty.jsonl'\n", "*empty.jsonl: the suite is empty; add a prompt*"),
    "missing suite": (VARIANT + "[suites.e]\npath = 'none.toml'\n", "llmbench.toml: suites.e.path: can't read the suite file *none.toml*correct the path*"),
    "no prompts": (VARIANT + "[suites.mine]\n", "llmbench.toml: suites.mine: it has no prompts; write path*builtin*"),
    "unknown builtin": (VARIANT + "[suites.e]\nbuiltin = 'exo'\n", "llmbench.toml: suites.e.builtin: unknown built-in suite 'exo'*exo-five*"),
    "path and builtin": (VARIANT + "[suites.e]\nbuiltin = 'riddle'\npath = 'x.toml'\n", "*both given*"),
    "duplicate ids": (VARIANT + "[suites.e]\npath = 'twice.toml'\n", "*twice.toml: prompts?2?: the id 'a' is already taken by *twice.toml: prompts?1?*"),
    "duplicate sweep": (VARIANT + SUITE + "temperature = [0.0, 0]\n", "llmbench.toml: suites.riddle.temperature: * listed twice*"),
    "seeds at temperature 0": (VARIANT + SUITE + "seed = [1, 2]\n", "llmbench.toml: suites.riddle:*twice*temperature*"),
    "limit on unknown metric": (VARIANT + SUITE + "[limits]\nttft = '<= 1'\n", "llmbench.toml: limits: unknown metric 'ttft' (did you mean 'ttft_s'?*"),
    "limit without operator": (VARIANT + SUITE + "[limits]\nttft_s = '1'\n", "llmbench.toml: limits.ttft_s: '1' is not a limit*<= 80 ms*"),
    "limit in a wrong unit": (VARIANT + SUITE + "[limits]\nttft_s = '<= 5 MiB'\n", "llmbench.toml: limits.ttft_s: *unknown unit 'MiB'*"),
    "tolerance on unknown metric": (VARIANT + SUITE + "[variants.a.tolerance]\nspeed = '5%'\n", "llmbench.toml: variants.a.tolerance: unknown metric 'speed'*"),
    "negative tolerance": (VARIANT + SUITE + "[tolerance]\nttft_s = '-5%'\n", "llmbench.toml: tolerance.ttft_s: *negative*"),
    "max_new_tokens 0": (VARIANT + SUITE + "max_new_tokens = 0\n", "llmbench.toml: suites.riddle.max_new_tokens: write a whole number of at least 1 or a list of whole numbers, found 0"),
    "max_new_tokens 0 in a list": (VARIANT + SUITE + "max_new_tokens = [64, 0]\n", "llmbench.toml: suites.riddle.max_new_tokens?2?: write a whole number of at least 1, found 0"),
    "rounds 0": ("rounds = 0\n" + VARIANT + SUITE, 'llmbench.toml: rounds: write a whole number of at least 1 or "auto", found 0'),
    "no variants": (SUITE, "llmbench.toml: it names no variant to measure; add one*"),
    "unknown reference": ("reference = 'b'\n" + VARIANT + SUITE, "llmbench.toml: reference: unknown variant 'b'*allowed: a*"),
    "suite for no variant": (VARIANT + SUITE + "variants = ['b*']\n", "llmbench.toml: suites.riddle: *'b[*]' matches no variant*"),
    "not TOML": ("[variants\n", "llmbench.toml: not valid TOML: *line 1*"),
    "reserved name": (VARIANT + "[suites.life-cycle]\nbuiltin = 'riddle'\n", "llmbench.toml: suites.life-cycle: *taken*rename*"),
    "variant is no table": ("[variants]\na = 3\n", "llmbench.toml: variants.a: write a table, found 3"),
    "unknown value": ("[variants.a]\nengine = 'transformers'\nmodel = 'o/n'\ndtype = 'bf16'\n" + SUITE, 'llmbench.toml: variants.a.dtype: write "auto", "float32", "float16" or "bfloat16" (did you mean "bfloat16"?), found "bf16"'),
    "text for a list": ("[variants.a]\nengine = 'openai'\nmodel = 'm'\nserve = 'llama-server --port {port}'\n" + SUITE, 'llmbench.toml: variants.a.serve: write a list: ?"llama-server", "--port", "{port}"?, found a text'),
    "an answer at the end": (VARIANT + "[suites.e]\npath = 'answered.toml'\n", "*answered.toml: prompts?1?: its last message is the assistant's*; end with a user message: {role = \"user\"*"),
    "an answer at the end of jsonl": (VARIANT + "[suites.e]\npath = 'answered.jsonl'\n", "*answered.jsonl: line 1: its last message is the assistant's*; end with a user message*"),
    "unknown role": (VARIANT + "[suites.e]\npath = 'role.toml'\n", '*role.toml: prompts?1?.messages?2?.role: write "system", "user" or "assistant" (did you mean "user"?), found "users"'),
    "bad prompt key": (VARIANT + "[suites.e]\npath = 'key.toml'\n", "*key.toml: prompts?1?: unknown key 'promt'*'prompt'*"),
    "bad jsonl line": (VARIANT + "[suites.e]\npath = 'bad.jsonl'\n", "*bad.jsonl: line 2: not valid JSON*"),
    "expect without score": (VARIANT + "[suites.e]\npath = 'noscore.toml'\n", "*noscore.toml: prompts?1?: expect needs score*"),
    "expect for no schema": (VARIANT + "[suites.e]\npath = 'schema.toml'\n", "*schema.toml: prompts?1?.expect: it is not a JSON Schema: *'objec'*"),
    "python without a function": (VARIANT + "[suites.e]\npath = 'python.toml'\n", '*python.toml: prompts?1?: score = "python" needs scorer = "scoring.py:right"'),
    "a function without a name": (VARIANT + "[suites.e]\npath = 'unnamed.toml'\n", "*unnamed.toml: prompts?1?.scorer: 'scoring.py' names no function; write FILE.py:NAME*"),
    "a function for another scorer": (VARIANT + "[suites.e]\npath = 'stray.toml'\n", '*stray.toml: prompts?1?.scorer: it is for score = "python" alone*'),
    "an answer that is no choice": (VARIANT + "[suites.e]\npath = 'choices.toml'\n", "*choices.toml: prompts?1?.expect: 'Oslo' is not among choices; write one of ?'Rome', 'Paris'?"),
    "a date for JSON": (VARIANT + "[suites.e]\npath = 'date.toml'\n", "*date.toml: prompts?1?.expect: it can't be written as JSON*"),
    "a single choice": (VARIANT + "[suites.e]\npath = 'single.toml'\n", "*single.toml: prompts?1?.expect: choices needs two different texts or more*"),
    "a table for a text": (VARIANT + "[suites.e]\npath = 'table.toml'\n", '*table.toml: prompts?1?.expect: score = "exact" needs a text or a number, found {*'),
    "too little memory for code": (VARIANT + SUITE + "[code]\nmemory = '1 MiB'\n", "llmbench.toml: code.memory: '1 MiB' is too little for Python itself*"),
    "no amount of memory": (VARIANT + SUITE + "[code]\nmemory = 'much'\n", "llmbench.toml: code.memory: 'much' is not an amount*"),
    "bad regex": (VARIANT + "[suites.e]\npath = 'regex.toml'\n", "*regex.toml: prompts?1?.expect: '(' is not a regular expression*"),
}  # fmt: skip

FILES = {
    "schema.toml": '[[prompts]]\nprompt = "x"\nscore = "json-schema"\nexpect = {type = "objec"}\n',
    "python.toml": '[[prompts]]\nprompt = "x"\nscore = "python"\n',
    "unnamed.toml": '[[prompts]]\nprompt = "x"\nscore = "python"\nscorer = "scoring.py"\n',
    "stray.toml": '[[prompts]]\nprompt = "x"\nscore = "exact"\nexpect = "y"\nscorer = "a.py:b"\n',
    "choices.toml": '[[prompts]]\nprompt = "x"\nscore = "loglikelihood"\nchoices = ["Rome", "Paris"]\nexpect = "Oslo"\n',
    "single.toml": '[[prompts]]\nprompt = "x"\nscore = "loglikelihood"\nchoices = ["Rome"]\nexpect = "Rome"\n',
    "date.toml": '[[prompts]]\nprompt = "x"\nscore = "json"\nexpect = [2026-11-28]\n',
    "table.toml": '[[prompts]]\nprompt = "x"\nscore = "exact"\nexpect = {a = 1}\n',
    "answered.toml": '[[prompts]]\nmessages = [{role = "user", content = "x"}, {role = "assistant", content = "y"}]\n',
    "answered.jsonl": '{"messages": [{"role": "assistant", "content": "y"}]}\n',
    "role.toml": '[[prompts]]\nmessages = [{role = "user", content = "x"}, {role = "users", content = "y"}]\n',
    "empty.toml": "",
    "empty.jsonl": "\n",
    "twice.toml": '[[prompts]]\nid = "a"\nprompt = "x"\n[[prompts]]\nid = "a"\nprompt = "y"\n',
    "key.toml": '[[prompts]]\nid = "a"\npromt = "x"\n',
    "bad.jsonl": '{"prompt": "x"}\n{"prompt": \n',
    "noscore.toml": '[[prompts]]\nid = "a"\nprompt = "x"\nexpect = "y"\n',
    "regex.toml": '[[prompts]]\nid = "a"\nprompt = "x"\nexpect = "("\nscore = "regex"\n',
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG_CONFIGS)
def test_a_wrong_configuration_is_one_sentence(project: Project, wrong: str) -> None:
    text, message = WRONG_CONFIGS[wrong]
    for name, content in FILES.items():
        (project.root / name).write_text(content)
    project.with_files(llmbench_toml=text)
    before = project.files()
    result = project.run("--llmbench-save", "--llmbench-json=out.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {message}"])
    assert "Traceback" not in result.stderr.str() + result.stdout.str()
    assert project.files() == before


WRONG_OPTIONS = {
    "--llmbench-config=none.toml": "none.toml: can't read it*--llmbench-config*",
    "--llmbench-set=x": "--llmbench-set x: write KEY=VALUE*",
    "--llmbench-set=variants.fast.itl=1": "llmbench.toml: variants.fast: unknown key 'itl'*",
    "--llmbench-variants=zz": "--llmbench-variants: 'zz' matches no variant (there are: fast, slow)",
    "--llmbench-rounds=0": "--llmbench-rounds=0: write a whole number of at least 1",
    "--llmbench-rounds=many": "--llmbench-rounds=many: write a whole number of at least 1",
    "--llmbench-warmup=soon": "--llmbench-warmup=soon: write a whole number of at least 0",
    "--llmbench-launches=0": "--llmbench-launches=0: write a whole number of at least 1",
    "--llmbench-interleave=yes": "--llmbench-interleave=yes: allowed are auto, on, off",
    "--llmbench-max-time=0": "--llmbench-max-time=0: write a time above 0*",
    "--llmbench-plant=fast": "--llmbench-plant=fast: write VARIANT=PERCENT*",
    "--llmbench-plant=none=3": "--llmbench-plant=none=*no variant 'none'*",
    "--llmbench-machine=../up": "*machine*'../up'*",
    "--llmbench-save=a/b": "*'a/b'*",
    "--llmbench-group=prompt": "--llmbench-group=prompt: allowed are suite, variant, task",
    "--llmbench-columns=ttft": "--llmbench-columns=ttft: unknown column 'ttft' (did you mean 'ttft_s'? allowed: load_s, ttft_s, *verdict, *kl_p99*)",
    "--llmbench-columns=,": "--llmbench-columns=,: write columns, such as ttft_s,decode_tps,verdict, or some to add*+speed,+history",
    "--llmbench-columns=+speed,ttft_s": "--llmbench-columns=+speed,ttft_s: write columns, such as *",
    "--llmbench-columns=history:speed": "--llmbench-columns=history:speed: unknown metric 'speed' (*allowed: ttft_s, *",
    "--llmbench-sort=fastest": "--llmbench-sort=fastest: unknown column 'fastest' (*allowed: variant, suite, task, load_s, *",
    "--llmbench-sort=history": "--llmbench-sort=history: a history has no order; name another column",
    "--llmbench-csv=small.toml": "--llmbench-csv=*small.toml: results can't be written over a configuration, a suite or a baseline; name another file, such as results.csv",
    "--llmbench-markdown=.": "--llmbench-markdown=* can't be written: it is a folder; type --llmbench-markdown=FILE *",
}


@pytest.mark.parametrize("option", WRONG_OPTIONS)
def test_a_wrong_option_is_one_sentence(small: Project, option: str) -> None:
    before = small.files()
    result = small.run(option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {WRONG_OPTIONS[option]}"])
    assert "Traceback" not in result.stderr.str() + result.stdout.str()
    assert small.files() == before


@pytest.mark.parametrize(
    "ini",
    [
        "llmbench_missing = maybe",
        "llmbench_rounds = x",
        "llmbench_inconclusive = no",
        "llmbench_interleave = yes",
        "llmbench_launches = 0",
        "llmbench_group = prompt",
        "llmbench_columns = ttft",
        "llmbench_sort = fastest",
    ],
)
def test_a_wrong_ini_value_is_one_sentence(small: Project, ini: str) -> None:
    small.with_files(pytest_ini=f"[pytest]\n{ini}\n")
    result = small.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --llmbench-*"])


def test_without_a_configuration_the_message_says_what_to_write(project: Project) -> None:
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: --llmbench: there is no llmbench.toml in *show --example*"]
    )


def test_without_a_suite_the_message_says_what_to_add(project: Project) -> None:
    project.with_files(llmbench_toml=VARIANT)
    result = project.run()
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED or "suites" in result.stderr.str()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "*main.json can't be read*restore it*--llmbench-replace=main*"),
        ("[]", "*main.json*"),
        ('{"schema_version": 99, "sessions": []}', "*main.json*99*upgrade*"),
    ],
    ids=["cut", "list", "newer"],
)
def test_a_corrupt_or_newer_baseline_stops_the_run_and_stays(
    small: Project, content: str, message: str
) -> None:
    path = small.root / "baselines" / "box" / "main.json"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    result = small.run("--llmbench-save")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {message}"])
    assert path.read_text() == content


def test_a_corrupt_baseline_can_be_started_anew(small: Project) -> None:
    path = small.root / "baselines" / "box" / "main.json"
    path.parent.mkdir(parents=True)
    path.write_text("{")
    small.run("--llmbench-no-compare", "--llmbench-replace").assert_outcomes(passed=6)
    small.run().assert_outcomes(passed=6)


def test_an_unwritable_baseline_folder_stops_the_run_before_measuring(small: Project) -> None:
    (small.root / "baselines").write_text("a file where a folder belongs")
    result = small.run("--llmbench-save")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *baselines*"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_baseline_folder_stops_the_run_before_measuring(small: Project) -> None:
    (small.root / "baselines").mkdir(mode=0o500)
    assert small.run("--llmbench-save").ret == pytest.ExitCode.USAGE_ERROR


def test_an_unwritable_json_path_stops_the_run_before_measuring(small: Project) -> None:
    (small.root / "here").write_text("")
    result = small.run("--llmbench-json=here/out.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *--llmbench-json*"])


def test_two_reports_in_one_file_are_refused(small: Project) -> None:
    result = small.run("--llmbench-json=out.txt", "--llmbench-csv=./out.txt")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            "ERROR: --llmbench-json and --llmbench-csv name one file; each report needs one of its own"
        ]
    )


def test_the_two_files_of_the_fixture_are_right(small: Project) -> None:
    assert TWO_VARIANTS in Path(small.root / "llmbench.toml").read_text()
    assert SMALL in Path(small.root / "small.toml").read_text()
