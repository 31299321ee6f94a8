import getpass
import socket
from pathlib import Path

import pytest

from pytest_llmbench.probes.environment import host_environment, library_versions
from pytest_llmbench.probes.nvml import Nvml

FIELDS = {
    "processor",
    "instruction_set",
    "architecture",
    "logical_processors",
    "physical_cores",
    "memory",
    "os",
    "gpus",
}


@pytest.fixture
def environment(tree):
    """The environment of a made machine; keywords replace its parts."""
    tree.write("proc/cpuinfo", "model name : Fast One\nflags : avx2 fma\n")
    tree.write("proc/meminfo", f"MemTotal: {int(23.6 * 2**20)} kB\nMemAvailable: 1 kB\n")
    tree.write("proc/loadavg", "0.75 0 0 1/2 3\n")
    tree.write("proc/self/cgroup", "0::/\n")
    tree.write("sys/fs/cgroup/cpu.max", "50000 100000\n")
    tree.write("sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n")
    tree.write("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n")
    tree.write("etc/os-release", 'NAME="Debian GNU/Linux"\nVERSION_ID="12"\n')

    def build(*, nvml=None, folder=None, environ=None):
        return host_environment(
            nvml=nvml,
            folder=folder,
            environ=environ or {},
            proc=tree.root / "proc",
            sys_root=tree.root / "sys",
            etc=tree.root / "etc",
        )

    return build


def test_identity_is_what_results_depend_on(environment):
    identity = environment().identity
    assert set(identity) == FIELDS
    assert identity["processor"] == "Fast One"
    assert identity["instruction_set"] == "fma avx2"
    assert identity["logical_processors"] == "0.5"
    assert identity["memory"] == "24 GiB"
    assert identity["gpus"] == "none"


def test_context_is_what_may_explain_them(environment):
    context = environment().context
    assert context["cpu_governor"] == "performance"
    assert context["cpu_quota"] == "0.5"
    assert context["transparent_hugepages"] == "always"
    assert context["load_at_start"] == "busy"
    assert context["python"].split()[0] in ("CPython", "PyPy")
    assert {"kernel", "pytest-llmbench"} <= set(context)
    assert not {"gpu_driver", "git_commit"} & set(context)


def test_gpus_identify_and_drivers_explain(environment, fake_nvml, fake_gpu):
    nvml = Nvml.open(fake_nvml(fake_gpu(), fake_gpu(uuid="GPU-bbbb")))
    both = environment(nvml=nvml)
    one = environment(nvml=nvml, environ={"CUDA_VISIBLE_DEVICES": "1"})
    assert both.identity["gpus"] == "NVIDIA H200 143771 MiB, NVIDIA H200 143771 MiB"
    assert one.identity["gpus"] == "NVIDIA H200 143771 MiB"
    assert one.context["env.CUDA_VISIBLE_DEVICES"] == "1"
    assert both.context["gpu_driver"] == "570.86.15"
    assert both.context["cuda_driver"] == "12.8"
    assert "GPU-" not in str(both)


def test_a_gpu_that_tells_nothing_is_still_there(environment, fake_nvml, fake_gpu):
    refuse = ["nvmlDeviceGetName", "nvmlDeviceGetMemoryInfo"]
    nvml = Nvml.open(fake_nvml(fake_gpu(), refuse=refuse))
    assert environment(nvml=nvml).identity["gpus"] == "unknown GPU unknown memory"


@pytest.mark.parametrize(
    "name",
    [
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "TOKENIZERS_PARALLELISM",
        "CUDA_VISIBLE_DEVICES",
        "PYTORCH_CUDA_ALLOC_CONF",
        "PYTORCH_ALLOC_CONF",
        "KMP_AFFINITY",
        "OMP_WAIT_POLICY",
    ],
)
def test_variables_that_change_speed_are_context(environment, name):
    assert environment(environ={name: "4"}).context[f"env.{name}"] == "4"


def test_no_other_variable_is_read(environment):
    secrets = {"HF_TOKEN": "secret", "OPENAI_API_KEY": "secret", "MY_OMP_NUM_THREADS": "secret"}
    assert "secret" not in str(environment(environ=secrets))


def test_a_path_in_a_variable_is_not_kept(environment):
    context = environment(environ={"KMP_SETTINGS_FILE": "/home/someone/kmp"}).context
    assert context["env.KMP_SETTINGS_FILE"] == "(a path)"


def test_this_machine_has_every_field_and_no_names():
    here = host_environment(nvml=None, folder=Path(__file__).parent)
    assert set(here.identity) == FIELDS
    assert all(here.identity.values())
    assert "unknown" not in here.identity["processor"]
    values = {*here.identity.values(), *here.context.values()}
    assert socket.gethostname() not in values
    assert getpass.getuser() not in values
    assert not any(str(Path.home()) in value for value in values if str(Path.home()) != "/")


def test_versions_of_what_is_installed():
    versions = library_versions(["pytest", "no-such-distribution-of-this-name"])
    assert versions == {"pytest": pytest.__version__}
