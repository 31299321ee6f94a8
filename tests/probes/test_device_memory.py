import os
import sys
from types import SimpleNamespace

import pytest

from pytest_llmbench.domain.trace import DeviceMemory
from pytest_llmbench.probes.device_memory import (
    read_device_memory,
    read_device_used,
    reset_device_peaks,
    synchronize_device,
)

ME = os.getpid()
GIB = 2**30


class FakeCuda:
    def __init__(self, *, initialized=True, allocated=(100,), reserved=(200,)):
        self.initialized = initialized
        self.allocated, self.reserved = allocated, reserved
        self.reset, self.waited = [], []

    def is_initialized(self):
        return self.initialized

    def device_count(self):
        return len(self.reserved)

    def max_memory_allocated(self, index):
        return self.allocated[index]

    def max_memory_reserved(self, index):
        return self.reserved[index]

    memory_reserved = max_memory_reserved

    def reset_peak_memory_stats(self, index):
        self.reset.append(index)

    def synchronize(self, index):
        self.waited.append(index)


class FakeMps:
    def __init__(self, driver):
        self.driver, self.waited = driver, 0

    def current_allocated_memory(self):
        return 70

    def driver_allocated_memory(self):
        return self.driver

    def synchronize(self):
        self.waited += 1


class FakeMlx:
    """MLX's allocator: its peak is set back to zero, and it counts from what comes next."""

    def __init__(self, *, active=0, cache=0, peak=0):
        self.active, self.cache, self.peak, self.waited = active, cache, peak, 0

    def get_active_memory(self):
        return self.active

    def get_cache_memory(self):
        return self.cache

    def get_peak_memory(self):
        return self.peak

    def reset_peak_memory(self):
        self.peak = 0

    def synchronize(self):
        self.waited += 1


@pytest.fixture(autouse=True)
def no_libraries(monkeypatch):
    for name in ("torch", "mlx.core"):
        monkeypatch.delitem(sys.modules, name, raising=False)


@pytest.fixture
def load_torch(monkeypatch):
    def load(*, cuda=None, mps=None):
        backends = SimpleNamespace(mps=SimpleNamespace(is_available=lambda: mps is not None))
        torch = SimpleNamespace(cuda=cuda, mps=mps, backends=backends)
        monkeypatch.setitem(sys.modules, "torch", torch)

    return load


def test_nothing_loaded_uses_no_device():
    reset_device_peaks()
    synchronize_device()
    assert read_device_memory() is None
    assert not {"torch", "mlx.core"} & set(sys.modules)


def test_torch_that_is_being_imported_uses_no_device(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace())
    assert read_device_memory() is None


def test_cuda_that_nothing_initialised_is_left_alone(load_torch):
    cuda = FakeCuda(initialized=False)
    load_torch(cuda=cuda)
    reset_device_peaks()
    synchronize_device()
    assert (cuda.reset, cuda.waited) == ([], [])
    assert read_device_memory() is None


def test_allocator_peaks_are_summed_over_devices(load_torch):
    cuda = FakeCuda(allocated=(100, 30), reserved=(200, 50))
    load_torch(cuda=cuda)
    reset_device_peaks()
    assert cuda.reset == [0, 1]
    assert read_device_memory() == DeviceMemory(
        alloc_peak=130, reserved_peak=250, process=None, process_is_difference=False
    )


def test_only_devices_in_use_are_waited_for(load_torch):
    cuda = FakeCuda(allocated=(0, 30), reserved=(0, 50))
    load_torch(cuda=cuda)
    synchronize_device()
    assert cuda.waited == [1]


def test_the_only_device_is_waited_for(load_torch):
    cuda = FakeCuda(reserved=(0,))
    load_torch(cuda=cuda)
    synchronize_device()
    assert cuda.waited == [0]


def test_apples_gpu_tells_the_present(load_torch):
    mps = FakeMps(driver=90)
    load_torch(mps=mps)
    synchronize_device()
    memory = read_device_memory()
    assert (memory.alloc_peak, memory.reserved_peak, mps.waited) == (70, 90, 1)


def test_apples_gpu_that_holds_nothing_is_not_in_use(load_torch):
    load_torch(mps=FakeMps(driver=0))
    assert read_device_memory() is None


@pytest.fixture
def load_mlx(monkeypatch):
    def load(**figures):
        mlx = FakeMlx(**figures)
        monkeypatch.setitem(sys.modules, "mlx.core", mlx)
        return mlx

    return load


def test_mlx_that_allocated_nothing_is_not_in_use(load_mlx):
    mlx = load_mlx()
    synchronize_device()
    assert (read_device_memory(), mlx.waited) == (None, 0)


def test_mlx_that_is_being_imported_is_not_in_use(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlx.core", SimpleNamespace())
    assert read_device_memory() is None


def test_mlx_tells_its_peak_and_its_pool(load_mlx):
    mlx = load_mlx(active=50, cache=30, peak=70)
    synchronize_device()
    memory = read_device_memory()
    assert (memory.alloc_peak, memory.reserved_peak, mlx.waited) == (70, 80, 1)


def test_the_pool_of_mlx_was_never_less_than_what_was_allocated(load_mlx):
    load_mlx(active=50, cache=10, peak=90)
    memory = read_device_memory()
    assert (memory.alloc_peak, memory.reserved_peak) == (90, 90)


def test_a_peak_of_mlx_that_was_reset_is_no_less_than_what_stays(load_mlx):
    load_mlx(active=50, cache=0, peak=70)
    reset_device_peaks()
    assert read_device_memory().alloc_peak == 50


def test_nvml_figures_of_this_process_are_summed(gpus, fake_gpu):
    both = gpus(fake_gpu(processes={ME: 3, 1: 9}), fake_gpu(processes={ME: 4}))
    memory = read_device_memory(gpus=both, used_before=0)
    assert (memory.process, memory.process_is_difference) == (7, False)


def test_a_process_that_no_gpu_lists_uses_none(gpus, fake_gpu):
    assert read_device_memory(gpus=gpus(fake_gpu(processes={1: 9}))) is None


def test_a_figure_that_is_kept_back_becomes_a_difference(gpus, fake_gpu):
    hidden = gpus(fake_gpu(processes={ME: None}, used=5 * GIB))
    memory = read_device_memory(gpus=hidden, used_before=2 * GIB)
    assert (memory.process, memory.process_is_difference) == (3 * GIB, True)


def test_a_process_hidden_by_a_container_becomes_a_difference(gpus, fake_gpu):
    memory = read_device_memory(gpus=gpus(fake_gpu(used=5 * GIB)), used_before=2 * GIB)
    assert (memory.process, memory.process_is_difference) == (3 * GIB, True)


def test_memory_that_others_freed_is_no_negative_use(gpus, fake_gpu):
    memory = read_device_memory(gpus=gpus(fake_gpu(used=GIB)), used_before=2 * GIB)
    assert memory.process == 0


def test_listed_without_figures_or_a_before_is_in_use_but_unknown(gpus, fake_gpu):
    memory = read_device_memory(gpus=gpus(fake_gpu(processes={ME: None})))
    assert (memory.process, memory.process_is_difference) == (None, False)


def test_used_memory_is_summed_and_absent_without_gpus(gpus, fake_gpu):
    assert read_device_used(gpus(fake_gpu(used=1), fake_gpu(used=2))) == 3
    assert read_device_used(()) is None
    assert read_device_used(gpus(fake_gpu(), refuse=["nvmlDeviceGetMemoryInfo"])) is None
