import platform

import pytest

from pytest_llmbench.probes.operating_system import operating_system, transparent_huge_pages

WSL = "5.15.167.4-microsoft-standard-WSL2"


@pytest.mark.parametrize(
    ("os_release", "release", "expected"),
    [
        ('NAME="Debian GNU/Linux"\nVERSION_ID="12"\n', "6.1.0-18", "Linux (Debian 12)"),
        ('NAME="Ubuntu"\nVERSION_ID="24.04"\n', "6.8.0-45", "Linux (Ubuntu 24)"),
        ('NAME="Ubuntu"\nVERSION_ID="24.04"\n', WSL, "Linux (Ubuntu 24) on WSL"),
        ("NAME='Arch Linux'\n", "6.10", "Linux (Arch)"),
        ("", "6.10", "Linux (unknown)"),
    ],
)
def test_linux_is_named_with_its_distribution(tree, os_release, release, expected):
    tree.write("os-release", os_release)
    assert operating_system(etc=tree.root, system="Linux", release=release) == expected


def test_macos_by_its_major_release(tmp_path, monkeypatch):
    monkeypatch.setattr(platform, "mac_ver", lambda: ("15.3.1", ("", "", ""), "arm64"))
    assert operating_system(etc=tmp_path, system="Darwin", release="24.3.0") == "macOS 15"


def test_windows_by_its_release(tmp_path):
    assert operating_system(etc=tmp_path, system="Windows", release="11") == "Windows 11"


def test_this_system_has_a_name(tmp_path):
    assert operating_system(etc=tmp_path)


def test_the_setting_of_huge_pages_in_force(tree):
    tree.write("kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n")
    assert transparent_huge_pages(sys_root=tree.root) == "madvise"


def test_a_system_without_huge_pages(tmp_path):
    assert transparent_huge_pages(sys_root=tmp_path) is None
