import sys

import pytest

from pytest_llmbench.probes.nvml import Nvml, gpus_in_use


@pytest.fixture
def three(fake_nvml, fake_gpu):
    return Nvml.open(
        fake_nvml(*(fake_gpu(name=f"GPU {i}", uuid=f"GPU-{i}{i}{i}") for i in range(3)))
    )


def names(gpus):
    return [gpu.name() for gpu in gpus]


def test_without_the_package_there_is_no_nvml(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert Nvml.open() is None


def test_without_a_driver_there_is_no_nvml(fake_nvml):
    assert Nvml.open(fake_nvml(refuse=["nvmlInit"])) is None


def test_the_real_package_opens_or_says_none():
    pytest.importorskip("pynvml")
    nvml = Nvml.open()
    if nvml is not None:
        with nvml:
            assert nvml.driver()


def test_closing_lets_go(fake_nvml):
    library = fake_nvml()
    with Nvml.open(library):
        assert library.open == 1
    assert library.open == 0


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (None, ["GPU 0", "GPU 1", "GPU 2"]),
        ("", []),
        ("-1", []),
        ("2,0", ["GPU 2", "GPU 0"]),
        ("1,7,0", ["GPU 1"]),
        ("GPU-22", ["GPU 2"]),
        ("GPU-nothing", []),
        ("MIG-nothing", []),
    ],
)
def test_only_visible_gpus_are_read(three, visible, expected):
    environ = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    assert names(three.gpus(environ)) == expected


def test_a_slice_of_a_gpu_is_found_by_its_name(fake_nvml, fake_gpu):
    nvml = Nvml.open(fake_nvml(fake_gpu(uuid="MIG-1", name="slice")))
    assert names(nvml.gpus({"CUDA_VISIBLE_DEVICES": "MIG-1"})) == ["slice"]


def test_versions_are_written_as_people_know_them(three):
    assert three.driver() == "570.86.15"
    assert three.cuda_driver() == "12.8"


def test_clock_reasons_have_names_and_idleness_is_none(gpus, fake_gpu):
    (gpu,) = gpus(fake_gpu(reasons=0x1 | 0x4 | 0x20))
    assert gpu.clock_reasons() == ("sw_power_cap", "sw_thermal_slowdown")
    (idle,) = gpus(fake_gpu(reasons=0x1))
    assert idle.clock_reasons() == ()


def test_an_old_driver_knows_the_reasons_by_their_former_name(gpus, fake_gpu):
    (gpu,) = gpus(fake_gpu(reasons=0x8), refuse=["nvmlDeviceGetCurrentClocksEventReasons"])
    assert gpu.clock_reasons() == ("hw_slowdown",)


def test_names_as_bytes_are_decoded(gpus, fake_gpu):
    (gpu,) = gpus(fake_gpu(name=b"Tesla T4"))
    assert gpu.name() == "Tesla T4"


def test_what_a_driver_refuses_is_none(gpus, fake_gpu):
    functions = ["Name", "MemoryInfo", "ComputeRunningProcesses", "Temperature"]
    functions += ["CurrentClocksEventReasons", "CurrentClocksThrottleReasons"]
    (gpu,) = gpus(fake_gpu(), refuse=[f"nvmlDeviceGet{name}" for name in functions])
    assert gpu.name() is None
    assert gpu.memory() is None
    assert gpu.process_bytes() is None
    assert gpu.clock_reasons() is None
    assert gpu.temperature_c() is None


def test_gpus_in_use_are_those_that_list_the_process(gpus, fake_gpu):
    both = gpus(fake_gpu(processes={1: 5}), fake_gpu(processes={7: 5}))
    assert gpus_in_use(both, (7, 8)) == both[1:]
    assert gpus_in_use(both, (99,)) == ()
