"""What may be shown of a configuration."""

from __future__ import annotations

import pytest

from pytest_llmbench.domain.secret import is_secret, without_secrets


@pytest.mark.parametrize(
    "name",
    ["api_key", "--api-key", "X-API-Key", "Authorization", "HF_TOKEN", "token", "db_password"],
)
def test_names_of_secrets(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize(
    "name", ["api_key_env", "max_tokens", "tokenizer", "model", "--n-predict", "keep_alive"]
)
def test_other_names(name: str) -> None:
    assert not is_secret(name)


def test_a_configuration_without_its_secrets() -> None:
    told = {
        "model": "m",
        "base_url": "http://bob:hunter2@box:8000/v1",
        "headers": {"Authorization": "Bearer hunter2", "X-Team": "a"},
        "serve": ("serve", "--api-key", "hunter2", "--token=hunter2", "--port", "{port}"),
        "serve_env": {"HF_TOKEN": "hunter2", "OMP_NUM_THREADS": "2"},
        "api_key_env": "OPENAI_API_KEY",
        "extra_body": {"deep": [{"secret": "hunter2"}]},
    }
    shown = without_secrets(told)
    assert "hunter2" not in str(shown)
    assert shown == {
        "model": "m",
        "base_url": "http://…@box:8000/v1",
        "headers": {"Authorization": "…", "X-Team": "a"},
        "serve": ("serve", "--api-key", "…", "--token=…", "--port", "{port}"),
        "serve_env": {"HF_TOKEN": "…", "OMP_NUM_THREADS": "2"},
        "api_key_env": "OPENAI_API_KEY",
        "extra_body": {"deep": [{"secret": "…"}]},
    }


def test_what_is_no_text_stays() -> None:
    assert without_secrets({"a": 1, "b": None, "c": [True, 2.5], "api_key": ""}) == {
        "a": 1,
        "b": None,
        "c": [True, 2.5],
        "api_key": "",
    }
