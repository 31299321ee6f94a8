import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmbench.probes.machine import LONGEST_LABEL, machine_label


def identity(**changes):
    facts = {
        "processor": "AMD EPYC",
        "logical_processors": "2",
        "memory": "24 GiB",
        "os": "Linux (Debian 12)",
        "gpus": "none",
    }
    return facts | changes


@pytest.mark.parametrize(
    ("changes", "label"),
    [
        ({}, "amd-epyc-2c-24gib-linux"),
        ({"os": "Linux (Ubuntu 24) on WSL"}, "amd-epyc-2c-24gib-linux-wsl"),
        ({"logical_processors": "1.5"}, "amd-epyc-1.5c-24gib-linux"),
        (
            {"processor": "Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz"},
            "intel-xeon-e5-2680-v4-2c-24gib-linux",
        ),
        (
            {"processor": "AMD Ryzen 9 7950X 16-Core Processor", "os": "Windows 11"},
            "amd-ryzen-9-7950x-2c-24gib-windows",
        ),
        ({"processor": "Apple M2 Pro", "os": "macOS 15"}, "apple-m2-pro-2c-24gib-macos"),
        ({"gpus": "NVIDIA H200 143771 MiB"}, "nvidia-h200-x1-amd-epyc-2c-24gib-linux"),
        (
            {"gpus": "NVIDIA H200 143771 MiB, NVIDIA H200 143771 MiB"},
            "nvidia-h200-x2-amd-epyc-2c-24gib-linux",
        ),
    ],
)
def test_labels_are_readable(changes, label):
    assert machine_label(identity(**changes)) == label


def test_a_long_name_gives_way_to_size_and_system():
    label = machine_label(identity(gpus="NVIDIA RTX 6000 Ada Generation 49140 MiB" * 3))
    assert label.endswith("-2c-24gib-linux")
    assert len(label) <= LONGEST_LABEL


def test_an_identity_without_facts_has_a_label_too():
    assert machine_label({}) == "unknown-unknownc-unknown-unknown"


KEYS = st.sampled_from(["processor", "logical_processors", "memory", "os", "gpus"])


@given(st.dictionaries(KEYS, st.text(max_size=90)))
def test_every_label_is_fit_for_a_folder(facts):
    label = machine_label(facts)
    assert re.fullmatch(r"[a-z0-9._-]{1,60}", label)
    assert label[0] not in ".-"
    assert label == machine_label(dict(reversed(facts.items())))
