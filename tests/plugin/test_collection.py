"""What ``pytest --llmbench`` collects, how it is called, and in what order it runs."""

from __future__ import annotations

from tests.plugin.conftest import Project

SMALL_IDS = [
    "llmbench.toml::small::fast-paris-n64-t0",
    "llmbench.toml::small::slow-paris-n64-t0",
    "llmbench.toml::small::fast-poem-n64-t0",
    "llmbench.toml::small::slow-poem-n64-t0",
    "llmbench.toml::life-cycle::slow",
    "llmbench.toml::life-cycle::fast",
]
"""Bout by bout; the life of the reference, ``fast``, is the last."""


def ids(result) -> list[str]:
    return [line for line in result.outlines if "::" in line]


def test_suites_need_no_python_and_a_prompt_stays_together(small: Project) -> None:
    assert ids(small.run("--co", "-q")) == SMALL_IDS


def test_they_run_and_pass(small: Project) -> None:
    small.run().assert_outcomes(passed=6)


def test_one_node_can_be_named(small: Project) -> None:
    result = small.run(SMALL_IDS[3])
    result.assert_outcomes(passed=1)


def test_k_selects(small: Project) -> None:
    small.run("-k", "poem").assert_outcomes(passed=2, deselected=4)


def test_the_readable_id_names_variant_prompt_length_and_temperature(project: Project) -> None:
    project.with_files(
        llmbench_toml=(
            '[variants."gguf-q4_0"]\nengine = "scripted"\n[suites.bootcamp-three]\n'
            "max_new_tokens = [64, 128]\ntemperature = [0.0, 0.7]\nseed = 3\n"
        )
    )
    found = [line.rpartition("::")[2] for line in ids(project.run("--co", "-q", "-k", "lora"))]
    assert found == [
        "gguf-q4_0-explain-lora-n64-t0",
        "gguf-q4_0-explain-lora-n64-t0.7-s3",
        "gguf-q4_0-explain-lora-n128-t0",
        "gguf-q4_0-explain-lora-n128-t0.7-s3",
    ]


def test_testpaths_do_not_hide_the_configuration(small: Project) -> None:
    small.with_files(pytest_ini="[pytest]\ntestpaths = checks\n")
    (small.root / "checks").mkdir()
    (small.root / "checks" / "test_a.py").write_text("def test_a(): pass\n")
    assert set(SMALL_IDS) < set(ids(small.run("--co", "-q")))


def test_named_arguments_are_all_that_runs(small: Project) -> None:
    small.with_files(test_a_py="def test_a(): pass\n")
    assert ids(small.run("--co", "-q", "test_a.py")) == ["test_a.py::test_a"]
    assert ids(small.run("--co", "-q", "llmbench.toml")) == SMALL_IDS


def test_from_a_folder_below_the_root_too(small: Project, monkeypatch) -> None:
    (small.root / "below").mkdir()
    monkeypatch.chdir(small.root / "below")
    small.run("--rootdir", str(small.root), "-c", str(small.root / "pytest.ini")).assert_outcomes(
        passed=6
    )


def test_the_nearest_configuration_is_taken(small: Project, monkeypatch) -> None:
    (small.root / "below").mkdir()
    (small.root / "below" / "llmbench.toml").write_text(
        '[variants.near]\nengine = "scripted"\n[suites.riddle]\n'
    )
    monkeypatch.chdir(small.root / "below")
    found = ids(small.run("--rootdir", str(small.root), "--co", "-q"))
    assert [name for name in found if "near" in name] == found


def test_pyproject_holds_a_configuration_too(project: Project) -> None:
    project.with_files(
        pyproject_toml=(
            '[tool.llmbench.variants.a]\nengine = "scripted"\n[tool.llmbench.suites.riddle]\n'
        )
    )
    assert ids(project.run("--co", "-q")) == [
        "pyproject.toml::riddle::a-rhymes-with-tree-n64-t0",
        "pyproject.toml::life-cycle::a",
    ]


def test_another_configuration_can_be_named(small: Project) -> None:
    (small.root / "other").mkdir()
    (small.root / "other" / "mine.toml").write_text(
        '[variants.only]\nengine = "scripted"\n[suites.riddle]\n'
    )
    result = small.run("--llmbench-config=other/mine.toml", "--co", "-q")
    assert all(line.startswith("other/mine.toml::") for line in ids(result))
    assert len(ids(result)) == 2


def test_variants_and_suites_narrow(small: Project) -> None:
    found = ids(small.run("--co", "-q", "--llmbench-variants=sl*"))
    assert found == [name for name in SMALL_IDS if "slow" in name]
    result = small.run("--llmbench-suites=nope")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["ERROR: --llmbench-suites: 'nope' matches no suite*small*"])


def test_set_overrides_a_value(small: Project) -> None:
    document = small.run_json("--llmbench-set", "variants.fast.text=changed words")
    assert document["cases"][0]["text"] == "changed words"
    assert document["variants"]["fast"]["config"]["text"] == "changed words"


def test_other_tests_keep_their_places(small: Project) -> None:
    small.with_files(
        test_a_py=(
            "import pytest\n"
            "def test_first(): pass\n"
            "@pytest.mark.llmbench(suite='small')\n"
            "def test_ours(llmbench): llmbench()\n"
            "def test_last(): pass\n"
        )
    )
    found = ids(small.run("--co", "-q", "test_a.py"))
    assert found[0].endswith("test_first")
    assert found[-1].endswith("test_last")


def test_a_life_comes_after_everything_that_needs_its_variant(small: Project) -> None:
    small.with_files(test_z_py="def test_z(llmbench_variant): llmbench_variant.generate('hi')\n")
    found = ids(small.run("--co", "-q"))
    assert found.index("test_z.py::test_z[fast]") < found.index(SMALL_IDS[-1])


def test_xdist_is_refused_with_the_line_to_type(small: Project) -> None:
    result = small.run("-n", "2")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*one thing at a time*-n 0*"])
    small.run("-n", "0").assert_outcomes(passed=6)


def test_help_names_the_options_without_a_configuration(project: Project) -> None:
    result = project.run("--help")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*--llmbench-save*"])
