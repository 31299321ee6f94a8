from pytest_llmbench.probes.procfs import kilobytes, read_fields, read_quickly, read_text


def test_a_file_that_is_not_there_is_none(tmp_path):
    assert read_text(tmp_path / "absent") is None
    assert read_quickly(f"{tmp_path}/absent") is None
    assert read_fields(tmp_path / "absent") == {}


def test_a_folder_is_not_a_file(tmp_path):
    assert read_text(tmp_path) is None
    assert read_quickly(str(tmp_path)) is None


def test_the_first_of_repeated_fields_stands(tree):
    tree.write("cpuinfo", "processor : 0\nmodel name\t: First\n\nprocessor : 1\nno colon\n")
    assert read_fields(tree.root / "cpuinfo") == {"processor": "0", "model name": "First"}


def test_kilobytes_are_read_as_bytes():
    assert kilobytes({"VmRSS": "3 kB"}, "VmRSS") == 3072


def test_what_is_not_a_size_is_none():
    assert kilobytes({}, "VmRSS") is None
    assert kilobytes({"VmRSS": "3"}, "VmRSS") is None
    assert kilobytes({"VmRSS": "x kB"}, "VmRSS") is None


def test_quick_reading_returns_the_bytes(tree):
    tree.write("loadavg", "0.5 0.4\n")
    assert read_quickly(f"{tree.root}/loadavg") == b"0.5 0.4\n"
