"""A machine made of files, and a management library that says what a test wants."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_llmbench.probes.nvml import Nvml


class Tree:
    """Files below *root*, written by relative path."""

    def __init__(self, root: Path):
        self.root = root

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def status(self, *, rss=100, peak=150, anon=60, file=40) -> None:
        self.write(
            "self/status",
            f"Name:\tworker\nVmHWM:\t{peak} kB\nVmRSS:\t{rss} kB\nRssAnon:\t{anon} kB\n"
            f"RssFile:\t{file} kB\n",
        )

    def meminfo(self, *, total=1000, available=400) -> None:
        self.write("meminfo", f"MemTotal: {total} kB\nMemAvailable: {available} kB\n")

    def thread(self, pid, tid, *, delay=0, ran=1, slices=1, switches=0) -> None:
        task = f"{pid}/task/{tid}"
        self.write(f"{task}/schedstat", f"{ran} {delay} {slices}\n")
        self.write(f"{task}/status", f"Name:\tx\nnonvoluntary_ctxt_switches:\t{switches}\n")

    def end_thread(self, pid, tid) -> None:
        task = self.root / f"{pid}/task/{tid}"
        for file in task.iterdir():
            file.unlink()
        task.rmdir()


class FakeNvml:
    """Speaks as ``pynvml`` does; a function given to ``refuse`` raises as an old driver would."""

    class NVMLError(Exception):
        pass

    def __init__(self, *gpus, refuse=()):
        self.devices = gpus
        self.refuse = set(refuse)
        self.open = 0

    def __getattr__(self, name):
        if not name.startswith("nvml"):
            raise AttributeError(name)
        if name in self.refuse:
            return self._no
        answers = {
            "nvmlInit": self._init,
            "nvmlShutdown": self._shutdown,
            "nvmlSystemGetDriverVersion": lambda: "570.86.15",
            "nvmlSystemGetCudaDriverVersion": lambda: 12080,
            "nvmlDeviceGetCount": lambda: len(self.devices),
            "nvmlDeviceGetHandleByIndex": lambda index: self.devices[index],
            "nvmlDeviceGetHandleByUUID": self._by_uuid,
            "nvmlDeviceGetName": lambda gpu: gpu.name,
            "nvmlDeviceGetUUID": lambda gpu: gpu.uuid,
            "nvmlDeviceGetMemoryInfo": lambda gpu: SimpleNamespace(total=gpu.total, used=gpu.used),
            "nvmlDeviceGetComputeRunningProcesses": lambda gpu: [
                SimpleNamespace(pid=pid, usedGpuMemory=used) for pid, used in gpu.processes.items()
            ],
            "nvmlDeviceGetCurrentClocksEventReasons": lambda gpu: gpu.reasons,
            "nvmlDeviceGetCurrentClocksThrottleReasons": lambda gpu: gpu.reasons,
            "nvmlDeviceGetTemperature": lambda gpu, sensor: gpu.degrees,
        }
        if name not in answers:
            raise AttributeError(name)
        return answers[name]

    def _init(self):
        self.open += 1

    def _shutdown(self):
        self.open -= 1

    def _by_uuid(self, uuid):
        for gpu in self.devices:
            if gpu.uuid == uuid:
                return gpu
        raise self.NVMLError("Not Found")

    def _no(self, *arguments):
        raise self.NVMLError("Not Supported")


def make_gpu(**changes):
    facts = {
        "name": "NVIDIA H200",
        "uuid": "GPU-aaaa",
        "total": 143771 * 2**20,
        "used": 5 * 2**30,
        "processes": {},
        "reasons": 0,
        "degrees": 40,
    }
    return SimpleNamespace(**(facts | changes))


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path)


@pytest.fixture
def proc(tree):
    tree.status()
    tree.meminfo()
    return tree


@pytest.fixture
def fake_gpu():
    return make_gpu


@pytest.fixture
def fake_nvml():
    return FakeNvml


@pytest.fixture
def gpus():
    """The probes' GPUs for made ones, behind a made library."""

    def wrap(*devices, refuse=()):
        return Nvml.open(FakeNvml(*devices, refuse=refuse)).gpus({})

    return wrap


@pytest.fixture
def run_python():
    """Run a script in a fresh interpreter and return what it printed."""

    def run(script, *arguments):
        answer = subprocess.run(
            [sys.executable, "-W", "error", "-c", script, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    return run
