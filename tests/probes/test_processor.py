import os
import platform
import subprocess
from types import SimpleNamespace

import pytest

from pytest_llmbench.probes import processor
from pytest_llmbench.probes.processor import (
    governors,
    instruction_set,
    physical_cores,
    processor_model,
    sysctl,
    usable_processors,
)

X86 = """processor : 0
model name\t: AMD EPYC 9R14  96-Core Processor
flags\t\t: fpu sse2 avx2 avx sse4_2 fma avx512_bf16 avx512f amx_tile

processor : 1
model name\t: AMD EPYC 9R14 96-Core Processor
"""
ARM = "processor : 0\nFeatures : fp asimd asimddp sve\nCPU implementer : 0x41\nCPU part : {part}\n"
APPLE = {
    "machdep.cpu.brand_string": "Apple M2 Pro",
    "hw.optional.AdvSIMD": "1",
    "hw.optional.arm.FEAT_BF16": "1",
    "hw.optional.arm.FEAT_SME": "0",
}


def test_x86_is_read_from_cpuinfo(tree):
    tree.write("cpuinfo", X86)
    assert processor_model(proc=tree.root) == "AMD EPYC 9R14 96-Core Processor"
    assert instruction_set(proc=tree.root) == "sse4_2 avx fma avx2 avx512f avx512_bf16 amx_tile"


@pytest.mark.parametrize(("part", "name"), [("0xd0c", "ARM Neoverse-N1"), ("0xfff", "ARM 0xfff")])
def test_arm_is_named_by_its_numbers(tree, part, name):
    tree.write("cpuinfo", ARM.format(part=part))
    assert processor_model(proc=tree.root) == name
    assert instruction_set(proc=tree.root) == "asimd asimddp sve"


def test_apple_is_asked_through_sysctl(tmp_path):
    assert processor_model(proc=tmp_path, ask_sysctl=APPLE.get) == "Apple M2 Pro"
    assert instruction_set(proc=tmp_path, ask_sysctl=APPLE.get) == "asimd bf16"


def test_a_system_that_tells_nothing_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setattr(platform, "processor", lambda: "")
    assert processor_model(proc=tmp_path, ask_sysctl={}.get) == "unknown"
    assert instruction_set(proc=tmp_path, ask_sysctl={}.get) == "unknown"


def test_sysctl_is_not_asked_elsewhere(monkeypatch):
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    assert sysctl("hw.optional.neon") is None


def test_sysctl_answers_and_failures(monkeypatch):
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: SimpleNamespace(stdout="1\n"))
    assert sysctl("hw.optional.neon") == "1"

    def fail(*arguments, **options):
        raise subprocess.TimeoutExpired("sysctl", 2)

    monkeypatch.setattr(subprocess, "run", fail)
    assert sysctl("hw.optional.neon") is None


def test_windows_features_have_names():
    assert processor._present(lambda number: number in (38, 40)) == {"sse4_2", "avx2"}


def test_the_fewer_of_affinity_and_quota_are_usable(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 3}, raising=False)
    assert usable_processors(None) == 4
    assert usable_processors(1.5) == 1.5
    assert usable_processors(16.0) == 4


def test_without_affinity_all_processors_are_usable(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 10)
    assert usable_processors(None) == 10


def test_physical_cores_are_counted_or_unknown(monkeypatch):
    import psutil

    monkeypatch.setattr(psutil, "cpu_count", lambda logical: 6)
    assert physical_cores() == 6
    monkeypatch.setattr(psutil, "cpu_count", lambda logical: None)
    assert physical_cores() is None


def test_governors_are_each_named_once(tree):
    for cpu, governor in enumerate(["schedutil", "performance", "performance"]):
        tree.write(f"devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor", f"{governor}\n")
    tree.write("devices/system/cpu/cpufreq/policy0/scaling_governor", "powersave\n")
    assert governors(sys_root=tree.root) == "performance schedutil"


def test_a_machine_without_governors(tmp_path):
    assert governors(sys_root=tmp_path) is None
