"""Ways past the gate that are closed: what disappears, what is hidden, what is mixed up."""

from __future__ import annotations

import json

import pytest

from tests.plugin.conftest import SMALL, TWO_VARIANTS, Project

SLOWER = ("--llmbench-set", "variants.slow.itl_s=0.05")


def test_an_interrupted_request_ends_its_variant_and_mixes_nothing_up(project: Project) -> None:
    project.with_files(
        llmbench_toml=(
            '[variants.a]\nengine = "scripted"\nwork = 200000\n'
            'answers = { AAA = "aaaaa", BBB = "bee" }\n[suites.riddle]\n'
        ),
        test_a_py=(
            "import signal\n"
            "def stop(*_): raise KeyError('too long')\n"
            "def test_one(llmbench_variant):\n"
            "    llmbench_variant.facts\n"
            "    signal.signal(signal.SIGALRM, stop)\n"
            "    signal.setitimer(signal.ITIMER_REAL, 0.3)\n"
            "    llmbench_variant.generate('AAA')\n"
            "def test_two(llmbench_variant):\n"
            "    assert llmbench_variant.generate('BBB').text == 'bee'\n"
        ),
    )
    result = project.run("test_a.py")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*not run, because earlier interrupted by KeyError*"])
    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()


@pytest.mark.parametrize(
    "gone",
    [
        {"llmbench_toml": TWO_VARIANTS.replace("variants.slow", "variants.renamed")},
        {"llmbench_toml": TWO_VARIANTS.replace("suites.small", "suites.renamed")},
        {"small_toml": SMALL.replace('id = "poem"', 'id = "renamed"')},
    ],
    ids=["variant", "suite", "prompt"],
)
def test_what_disappears_is_missing_though_renamed(small: Project, gone: dict[str, str]) -> None:
    small.run("--llmbench-save")
    small.with_files(**gone)
    result = small.run("--llmbench-missing=fail")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*--llmbench-missing=fail: * cases of the baseline were not run*"])


def test_what_disappears_stays_missing_after_a_further_save(small: Project) -> None:
    small.run("--llmbench-save")
    small.with_files(small_toml=SMALL.replace('id = "poem"', 'id = "renamed"'))
    small.run("--llmbench-save")
    assert small.run("--llmbench-missing=fail").ret == 1
    small.run("--llmbench-replace")
    assert small.run("--llmbench-missing=fail").ret == 0


@pytest.mark.parametrize(
    "change", [{"llmbench_toml": TWO_VARIANTS + '[suites.small.limits]\nload_s = "<= 1 us"\n'}]
)
def test_a_limit_on_a_life_is_refused_where_no_life_is_judged(
    small: Project, change: dict[str, str]
) -> None:
    small.with_files(**change)
    result = small.run()
    assert result.ret == 4
    result.stderr.fnmatch_lines(["ERROR: *small.limits.load_s: load_s belongs to the life*"])


def test_so_is_one_in_a_marker(small: Project) -> None:
    small.with_files(
        test_a_py=(
            "import pytest\n@pytest.mark.llmbench(limits={'load_s': '<= 1 us'})\n"
            "def test_a(llmbench): llmbench()\n"
        )
    )
    result = small.run("test_a.py")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*load_s belongs to the life of a variant*"])


def test_a_life_alone_is_judged(small: Project) -> None:
    small.run("--llmbench-save")
    changed = ("--llmbench-set", "variants.slow.model_bytes=2000", "llmbench.toml::life-cycle")
    small.run(*changed).assert_outcomes(passed=1, failed=1)


@pytest.mark.parametrize("how", ["skip", "xfail"])
def test_a_regression_behind_a_skip_is_not_saved(small: Project, how: str) -> None:
    small.run("--llmbench-save")
    before = (small.root / "baselines" / "box" / "main.json").read_text()
    body = "llmbench()\n    pytest.skip('later')" if how == "skip" else "llmbench()"
    mark = "@pytest.mark.xfail\n" if how == "xfail" else ""
    small.with_files(test_a_py=f"import pytest\n{mark}def test_a(llmbench):\n    {body}\n")
    result = small.run("test_a.py", "--llmbench-save", *SLOWER, "-k", "slow-paris")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*not saved to the baseline 'main'*"])
    assert (small.root / "baselines" / "box" / "main.json").read_text() == before


@pytest.mark.parametrize("path", ["llmbench.toml", "small.toml", "baselines/box/main.json"])
def test_results_are_not_written_over_what_is_read(small: Project, path: str) -> None:
    small.run("--llmbench-save")
    before = (small.root / path).read_text()
    result = small.run(f"--llmbench-json={path}")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["ERROR: --llmbench-json=*name another file*"])
    assert (small.root / path).read_text() == before


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("prompts='zz*'", "*prompts: 'zz[*]' matches no prompt (there are: paris, poem)*"),
        ("max_new_tokens=[]", "*max_new_tokens: the list is empty*"),
        ("suite=[]", "*suite: [[][]] is neither a name nor a list of names*"),
        ("suite=3", "*suite: 3 is neither a name nor a list of names*"),
        ("limits=3", "*limits: 3 is no dictionary*"),
        ("limits={'itl_s': 3}", "*limits.itl_s: 3 is not a limit*"),
        ("tolerance={'itl_s': -1}", "*tolerance.itl_s: -1 is negative*"),
    ],
)
def test_a_marker_that_selects_nothing_or_nonsense_is_one_sentence(
    small: Project, argument: str, message: str
) -> None:
    small.with_files(
        test_a_py=f"import pytest\n@pytest.mark.llmbench({argument})\ndef test_a(llmbench): ...\n"
    )
    result = small.run("test_a.py")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([message])
    assert "Traceback" not in result.stdout.str()


@pytest.mark.parametrize(
    "value",
    [
        "suites.small.seed=99999999999999999999999",
        "suites.small.max_new_tokens=99999999999999999999999",
        "suites.small.temperature=inf",
        "variants.fast.model_bytes=99999999999999999999999",
        "variants.fast.load_timeout_s=1e300",
        "variants.fast.round_timeout_s=inf",
    ],
)
def test_numbers_beyond_reason_are_one_sentence(small: Project, value: str) -> None:
    result = small.run("--llmbench-set", value)
    assert result.ret == 4
    assert "Traceback" not in result.stderr.str()


def test_files_from_other_editors_are_read(project: Project) -> None:
    bom = "\ufeff"
    project.with_files(
        llmbench_toml=bom + '[variants.a]\nengine = "scripted"\n[suites.s]\npath = "s.jsonl"\n'
    )
    line = json.dumps({"prompt": "a\u2028b\u0085c"}, ensure_ascii=False)
    (project.root / "s.jsonl").write_text(f"{bom}{line}\r\n", encoding="utf-8", newline="")
    project.run().assert_outcomes(passed=2)


def test_a_path_swallowed_as_a_name_is_refused(small: Project) -> None:
    result = small.run("--llmbench-save", "llmbench.toml")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["ERROR: *'llmbench.toml' is a file*--llmbench-save=NAME*"])


def test_a_baseline_without_sessions_is_refused(small: Project) -> None:
    small.run("--llmbench-save")
    path = small.root / "baselines" / "box" / "main.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "sessions": []}))
    result = small.run()
    assert result.ret == 4
    result.stderr.fnmatch_lines(["ERROR: *holds no session*--llmbench-replace=main*"])


def test_a_swallowed_error_is_still_said(project: Project) -> None:
    project.with_files(
        llmbench_toml='[variants.a]\nengine = "scripted"\nfail_load = "oops"\n[suites.riddle]\n',
        test_a_py=("def test_a(llmbench):\n    try: llmbench()\n    except BaseException: pass\n"),
    )
    result = project.run("test_a.py")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*oops*"])
    assert "never called it" not in result.stdout.str()
