"""Where the server is, in every way that Ollama lets one say it."""

from __future__ import annotations

import pytest

from pytest_llmbench.engines.loopback import is_loopback
from pytest_llmbench.engines.ollama.address import server_address
from pytest_llmbench.engines.ollama.model import full_name


@pytest.mark.parametrize(
    ("told", "address"),
    [
        ("", "http://127.0.0.1:11434"),
        ("''", "http://127.0.0.1:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:8080", "http://127.0.0.1:8080"),
        (":8080", "http://127.0.0.1:8080"),
        ("[::]:8080", "http://[::1]:8080"),
        ("gpu-box", "http://gpu-box:11434"),
        (' "gpu-box:99" ', "http://gpu-box:99"),
        ("http://gpu-box", "http://gpu-box:80"),
        ("https://gpu-box/ollama/", "https://gpu-box:443/ollama"),
    ],
)
def test_the_environment_s_forms(told: str, address: str) -> None:
    assert server_address(None, {"OLLAMA_HOST": told}) == address
    if told.strip(" '"):
        assert server_address(told, {"OLLAMA_HOST": "elsewhere"}) == address


def test_without_a_word_it_is_the_usual_one() -> None:
    assert server_address(None, {}) == "http://127.0.0.1:11434"


@pytest.mark.parametrize("told", ["http://", "a b", "h:0", "h:99999", "h/?x", "user@h", "h:x"])
def test_what_is_no_address_says_where_it_stands(told: str) -> None:
    if told == "http://":
        assert server_address(told, {}) == "http://127.0.0.1:80"
        return
    with pytest.raises(ValueError, match=r"the environment's OLLAMA_HOST: .* no address"):
        server_address(None, {"OLLAMA_HOST": told})
    with pytest.raises(ValueError, match=r"base_url: .* no address"):
        server_address(told, {})


@pytest.mark.parametrize(
    ("address", "here"),
    [
        ("http://127.0.0.1:1", True),
        ("http://127.9.9.9:1", True),
        ("http://[::1]:1", True),
        ("http://localhost:1", True),
        ("http://10.0.0.1:1", False),
        ("http://gpu-box:1", False),
    ],
)
def test_this_machine_s_addresses(address: str, here: bool) -> None:
    assert is_loopback(address) == here


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("demo", "demo:latest"),
        ("demo:3b", "demo:3b"),
        ("hf.co/me/demo", "hf.co/me/demo:latest"),
        ("host:5000/me/demo", "host:5000/me/demo:latest"),
        ("registry.ollama.ai/library/demo", "demo:latest"),
    ],
)
def test_names_have_tags(name: str, full: str) -> None:
    assert full_name(name) == full
