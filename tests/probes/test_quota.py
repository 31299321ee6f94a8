import pytest

from pytest_llmbench.probes.quota import cpu_quota


@pytest.fixture
def quota(tree):
    return lambda: cpu_quota(proc=tree.root / "proc", sys_root=tree.root / "sys")


def test_without_control_groups_there_is_no_limit(quota):
    assert quota() is None


def test_the_strictest_group_on_the_way_up_counts(tree, quota):
    tree.write("proc/self/cgroup", "0::/user/job\n")
    tree.write("sys/fs/cgroup/user/job/cpu.max", "max 100000\n")
    tree.write("sys/fs/cgroup/user/cpu.max", "150000 100000\n")
    tree.write("sys/fs/cgroup/cpu.max", "400000 100000\n")
    assert quota() == 1.5


def test_a_containers_own_root_counts(tree, quota):
    tree.write("proc/self/cgroup", "0::/\n")
    tree.write("sys/fs/cgroup/cpu.max", "200000 100000\n")
    assert quota() == 2.0


def test_no_limit_in_either_version(tree, quota):
    tree.write("proc/self/cgroup", "4:cpu,cpuacct:/box\n0::/\n")
    tree.write("sys/fs/cgroup/cpu.max", "max 100000\n")
    tree.write("sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us", "-1\n")
    tree.write("sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us", "100000\n")
    assert quota() is None


@pytest.mark.parametrize("mount", ["cpu", "cpu,cpuacct"])
def test_version_one_has_quota_and_period(tree, quota, mount):
    tree.write("proc/self/cgroup", "9:memory:/box\n4:cpu,cpuacct:/box\n")
    tree.write(f"sys/fs/cgroup/{mount}/box/cpu.cfs_quota_us", "250000\n")
    tree.write(f"sys/fs/cgroup/{mount}/box/cpu.cfs_period_us", "100000\n")
    assert quota() == 2.5


def test_version_one_in_a_container_that_sees_the_hosts_path(tree, quota):
    tree.write("proc/self/cgroup", "4:cpu:/docker/abc\n")
    tree.write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000\n")
    tree.write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n")
    assert quota() == 0.5


def test_a_group_above_the_visible_root_is_not_followed(tree, quota):
    tree.write("proc/self/cgroup", "0::/../other\n")
    tree.write("sys/fs/other/cpu.max", "100000 100000\n")
    assert quota() is None


def test_a_period_of_nothing_is_no_limit(tree, quota):
    tree.write("proc/self/cgroup", "0::/\n")
    tree.write("sys/fs/cgroup/cpu.max", "100000 0\n")
    assert quota() is None
