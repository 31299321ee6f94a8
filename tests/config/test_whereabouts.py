"""The keys ``python`` and ``host`` of a variant."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pytest_llmbench.config import check_variants, load_config
from pytest_llmbench.domain.variant import Variant
from pytest_llmbench.engines import engine_options
from pytest_llmbench.errors import ConfigError


def variant(folder: Path, keys: str) -> Variant:
    """The variant of a configuration in *folder*, checked."""
    path = folder / "llmbench.toml"
    path.write_text(f'[variants.v]\nengine = "transformers"\nmodel = "owner/name"\n{keys}\n')
    config = load_config(path, engine_options())
    check_variants(config, ["v"], engine_options())
    return config.variants["v"]


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "env" / "bin" / "python"
    path.parent.mkdir(parents=True)
    path.symlink_to(sys.executable)
    return path


def test_a_path_is_relative_to_the_file_and_not_resolved(tmp_path: Path, program: Path) -> None:
    assert variant(tmp_path, 'python = "env/bin/python"').python == str(program)
    assert variant(tmp_path, 'python = "./env/bin/python"').python == str(program)
    assert variant(tmp_path, f"python = '{program}'").python == str(program)


def test_the_home_folder_is_known(
    tmp_path: Path, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert variant(tmp_path, 'python = "~/env/bin/python"').python == str(program)


def test_a_bare_name_is_for_path(
    tmp_path: Path, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(program.parent))
    assert variant(tmp_path, 'python = "python"').python == "python"
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=r"variants\.v\.python: there is no program 'python' on"):
        variant(tmp_path, 'python = "python"')


@pytest.mark.parametrize(
    ("python", "said"),
    [
        ("no/such", r"variants\.v\.python: the interpreter .*no/such does not exist; correct"),
        ("./llmbench.toml", r"variants\.v\.python: .* can't be run as a program"),
        ("./env", r"variants\.v\.python: .*env is a folder; write its interpreter: .*/bin/python$"),
        ("./env/bin", r"is a folder; write its interpreter, such as \.venv/bin/python$"),
        ("", r'variants\.v\.python: write a text that is not empty, found ""'),
    ],
)
def test_a_wrong_one_is_refused(tmp_path: Path, program: Path, python: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        variant(tmp_path, f'python = "{python}"')


def test_only_variants_in_scope_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "llmbench.toml"
    path.write_text(
        '[variants.a]\nengine = "scripted"\n[variants.b]\nengine = "scripted"\npython = "./no"\n'
    )
    check_variants(load_config(path, engine_options()), ["a"], engine_options())


@pytest.mark.parametrize(
    "host", ["ssh=gpu-box", "ssh=me@gpu-box", "ssh=-p 2222 me@10.0.0.7", "ssh=ssh://me@box:22"]
)
def test_hosts(tmp_path: Path, host: str) -> None:
    assert variant(tmp_path, f'host = "{host}"').host == host


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ('"gpu-box"', "'gpu-box' is no host; write host = \"ssh=NAME\", as you type ssh NAME"),
        ('"ssh="', "'ssh=' is no host"),
        ('"ssh= box"', "'ssh= box' is no host"),
        ('"ssh=box//python=python3.12"', "holds more than words for ssh; write the interpreter"),
        ("3", "write a text, found 3"),
    ],
)
def test_what_is_no_host_is_refused(tmp_path: Path, host: str, said: str) -> None:
    with pytest.raises(ConfigError, match=rf"llmbench\.toml: variants\.v\.host: .*{said}"):
        variant(tmp_path, f"host = {host}")


def test_nothing_of_another_host_is_checked_here(tmp_path: Path) -> None:
    there = variant(tmp_path, 'host = "ssh=box"\npython = "~/venv/bin/python"')
    assert there.python == "~/venv/bin/python"
    path = tmp_path / "llmbench.toml"
    text = path.read_text().replace("owner/name", "./models/there/only")
    path.write_text(text)
    check_variants(load_config(path, engine_options()), ["v"], engine_options())
    path.write_text(text.replace('host = "ssh=box"', "").replace('python = "~', '# python = "~'))
    with pytest.raises(ConfigError, match=r"variants\.v\.model: the model folder .* not exist"):
        check_variants(load_config(path, engine_options()), ["v"], engine_options())
