"""Who is loaded with whom: both sides of every limit, and what holds for any figures."""

from __future__ import annotations

import itertools
import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmbench.domain.claim import Claim
from pytest_llmbench.domain.variant import Variant
from pytest_llmbench.runner.crews import SHARE, Crews, crews
from tests.support import variant

GIB = 2**30
ON = "--llmbench-interleave=on"


def host(size: int | None, **more: str) -> Claim:
    return Claim(host_bytes=size, device_bytes=None, device=None, **more)


def gpu(size: int | None, device: str = "cuda:0", *, inside: int | None = GIB) -> Claim:
    return Claim(host_bytes=inside, device_bytes=size, device=device)


def named(name: str, host: str | None = None) -> Variant:
    return msgspec.structs.replace(variant(name, "scripted"), host=host)


def made(claims: dict[str, Claim], *, hosts: dict[str, str] | None = None, **more: object) -> Crews:
    """Crews of variants with these claims, on a machine with 10 GiB free and no device."""
    there = hosts or {}
    told = {
        "claims": claims,
        "available_host": 10 * GIB,
        "available_device": {},
        "mode": "auto",
        "reference": None,
        **more,
    }
    return crews([named(name, there.get(name)) for name in claims], **told)


def test_what_fits_is_loaded_together() -> None:
    together = made({"a": host(4 * GIB), "b": host(4 * GIB)})
    assert together == Crews(crews=(("a", "b"),), reasons=())


def test_one_byte_more_does_not_fit() -> None:
    apart = made({"a": host(4 * GIB), "b": host(4 * GIB + 1)})
    assert apart.crews == (("a",), ("b",))
    (reason,) = apart.reasons
    assert reason == (
        "'b' is not loaded together with 'a': together they would take 8 GiB of memory, more than "
        f"80 % of the 10 GiB that are free; to load them together all the same, type {ON}"
    )


def test_the_first_crew_that_has_room_is_taken() -> None:
    sizes = {"a": 5, "b": 6, "c": 3, "d": 2, "e": 8}
    found = made({name: host(size * GIB) for name, size in sizes.items()})
    assert found.crews == (("a", "c"), ("b", "d"), ("e",))
    assert [reason[:3] for reason in found.reasons] == ["'b'", "'d'", "'e'"]
    assert "'d' is not loaded together with 'a' and 'c'" in found.reasons[1]


def test_the_reference_is_in_the_first_crew() -> None:
    sizes = {"a": 5, "b": 5, "base": 3}
    found = made({name: host(size * GIB) for name, size in sizes.items()}, reference="base")
    assert found.crews == (("a", "base"), ("b",))
    assert made({"a": host(GIB)}, reference="gone").crews == (("a",),)


def test_what_is_not_known_is_loaded_alone_and_nobody_joins_it() -> None:
    found = made({"a": host(GIB), "b": host(None), "c": host(GIB)})
    assert found.crews == (("a", "c"), ("b",))
    (reason,) = found.reasons
    assert reason == (
        "'b' is loaded alone: how much memory it takes is not known beforehand; to load it "
        f"together with others all the same, type {ON}"
    )
    assert made({"a": host(GIB), "b": host(None)}, reference="b").crews == (("b",), ("a",))
    assert made({"b": host(None)}) == Crews(crews=(("b",),), reasons=())


def test_a_variant_without_a_claim_is_not_known() -> None:
    variants = [named("a"), named("b")]
    found = crews(
        variants, claims={"a": host(1)}, available_host=GIB, available_device={}, mode="auto",
        reference=None,
    )  # fmt: skip
    assert found.crews == (("a",), ("b",))


def test_what_was_measured_wins() -> None:
    claims = {"a": host(None), "b": host(9 * GIB), "c": host(GIB)}
    known = {"a": host(GIB), "b": host(2 * GIB), "gone": host(1)}
    assert made(claims, known=known) == Crews(crews=(("a", "b", "c"),), reasons=())
    assert len(made(claims, known={"c": host(9 * GIB)}).crews) == 3


def test_a_number_that_was_not_measured_leaves_the_estimate() -> None:
    claims = {"a": gpu(4 * GIB), "b": gpu(4 * GIB)}
    free = {"cuda:0": 10 * GIB}
    assert len(made(claims, available_device=free).crews) == 1
    assert len(made(claims, available_device=free, known={"b": host(GIB)}).crews) == 1
    larger = Claim(host_bytes=None, device_bytes=5 * GIB, device=None)
    assert len(made(claims, available_device=free, known={"b": larger}).crews) == 2


def test_device_memory_of_a_claim_that_knew_no_device_counts_on_the_first() -> None:
    free, figure = {"cuda:0": 10 * GIB}, gpu(5 * GIB)
    known = {name: Claim(host_bytes=GIB, device_bytes=5 * GIB, device=None) for name in "ab"}
    unknown = {name: host(None) for name in known}
    assert len(made(unknown, available_device=free, known=known).crews) == 2
    assert len(made(unknown, available_device=free, known={"a": figure, "b": host(1)}).crews) == 1


def test_every_device_has_its_own_memory() -> None:
    free = {"cuda:0": 10 * GIB, "cuda:1": 10 * GIB}
    claims = {"a": gpu(8 * GIB), "b": gpu(8 * GIB, "cuda:1"), "c": gpu(1)}
    found = made(claims, available_device=free)
    assert found.crews == (("a", "b"), ("c",))
    assert "would take 8 GiB of the memory of cuda:0, more than 80 %" in found.reasons[0]


def test_nobody_joins_a_variant_that_takes_too_much_itself() -> None:
    claims = {"a": gpu(9 * GIB), "b": host(1), "c": host(1)}
    assert made(claims, available_device={"cuda:0": 10 * GIB}).crews == (("a",), ("b", "c"))


def test_auto_is_the_first_device_and_none_where_there_is_none() -> None:
    claims = {"a": gpu(8 * GIB, "auto"), "b": gpu(None, "auto"), "c": gpu(1, "auto")}
    assert made(claims).crews == (("a", "b", "c"),)
    found = made(claims, available_device={"cuda:0": 10 * GIB, "cuda:1": 99 * GIB})
    assert found.crews == (("a",), ("b",), ("c",))
    assert "how much of the memory of cuda:0 it takes is not known" in found.reasons[0]


def test_a_device_that_does_not_tell_what_is_free_is_not_known() -> None:
    found = made({"a": gpu(1), "b": host(1)})
    assert found.crews == (("a",), ("b",))
    assert "'a' is loaded alone: how much memory cuda:0 has free is not known" in found.reasons[0]


SERVER = "http://127.0.0.1:11434"


@pytest.mark.parametrize("mode", ["auto", "on"])
def test_what_there_is_once_is_had_by_one(mode: str) -> None:
    found = made({"a": host(1, alone_on=SERVER), "b": host(1, alone_on=SERVER)}, mode=mode)
    assert found.crews == (("a",), ("b",))
    (reason,) = found.reasons
    assert reason == (
        f"'b' is not loaded together with 'a': only one of them at a time can have {SERVER}; "
        "to load them together, give one of them another"
    )


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ({"shared_as": "x"}, {"shared_as": "x"}, True),
        ({"shared_as": "x"}, {"shared_as": "y"}, False),
        ({}, {"shared_as": "x"}, False),
        ({"shared_as": "x"}, {}, False),
        ({}, {"alone_on": "http://127.0.0.1:8000"}, True),
        ({}, {"alone_on": "http://localhost:11434/v1"}, False),
        ({"alone_on": "http://gpu:80"}, {"alone_on": "http://gpu/v1"}, False),
        ({"alone_on": "the accelerator"}, {"alone_on": "the accelerator"}, False),
        ({"alone_on": "the accelerator"}, {"alone_on": "the other"}, True),
        ({"alone_on": "http://["}, {"alone_on": "http://["}, False),
    ],
)
def test_a_server_is_shared_by_those_who_want_the_same_of_it(
    one: dict[str, str], other: dict[str, str], together: bool
) -> None:
    claims = {
        "a": host(1, **{"alone_on": SERVER, **one}),
        "b": host(1, **{"alone_on": SERVER, **other}),
    }
    assert (len(made(claims).crews) == 1) is together


def test_loopback_is_every_host_s_own() -> None:
    here = {"a": host(1, alone_on=SERVER), "b": host(1, alone_on=SERVER)}
    assert len(made(here, hosts={"b": "ssh=box"}).crews) == 1
    same = {name: host(1, alone_on="http://gpu:11434") for name in here}
    assert len(made(same, hosts={"b": "ssh=box"}).crews) == 2


def test_what_runs_on_another_host_takes_nothing_here() -> None:
    claims = {"a": host(8 * GIB), "b": host(None), "c": gpu(99 * GIB)}
    assert made(claims, hosts={"b": "ssh=box", "c": "ssh=hut"}).crews == (("a", "b", "c"),)


def test_of_another_host_auto_takes_one_variant_at_a_time() -> None:
    claims, hosts = {"a": host(1), "b": host(1), "c": host(1)}, {"b": "ssh=box", "c": "ssh=box"}
    found = made(claims, hosts=hosts)
    assert found.crews == (("a", "b"), ("c",))
    assert "both are on host = 'ssh=box', and how much memory is free there" in found.reasons[0]
    assert found.reasons[0].endswith(ON)
    assert made(claims, hosts=hosts, mode="on").crews == (("a", "b", "c"),)


def test_off_is_one_by_one_and_on_is_all_at_once() -> None:
    claims = {"a": host(1), "b": host(99 * GIB), "c": host(None), "d": gpu(1, "cuda:7")}
    alone = made(claims, mode="off", reference="b")
    assert alone == Crews(crews=(("b",), ("a",), ("c",), ("d",)), reasons=())
    assert made(claims, mode="on") == Crews(crews=(("a", "b", "c", "d"),), reasons=())


def test_no_variants_no_crews() -> None:
    assert made({}) == Crews(crews=(), reasons=())


sizes = st.none() | st.integers(0, 12 * GIB)
servers = st.none() | st.sampled_from([SERVER, "http://localhost:11434", "http://gpu:1", "lock"])
any_claim = st.builds(
    Claim,
    host_bytes=sizes,
    device_bytes=sizes,
    device=st.sampled_from([None, "auto", "cuda:0", "cuda:1", "cuda:2"]),
    alone_on=servers,
    shared_as=st.none() | st.sampled_from("xy"),
)
devices = st.dictionaries(st.sampled_from(["cuda:0", "cuda:1"]), st.integers(0, 99 * GIB))
sessions = st.lists(any_claim, max_size=8).map(
    lambda found: dict(zip("abcdefgh", found, strict=False))
)
modes = st.sampled_from(["auto", "on", "off"])


@given(sessions, sessions, modes, st.integers(0, 40 * GIB), devices, st.sampled_from("abz"))
def test_everyone_is_in_one_crew_in_order(claims, known, mode, free, device, reference) -> None:
    found = made(
        claims, known=known, mode=mode, available_host=free, available_device=device,
        reference=reference,
    )  # fmt: skip
    assert sorted(itertools.chain(*found.crews)) == sorted(claims)
    assert all(list(crew) == sorted(crew) and crew for crew in found.crews)
    if reference in claims:
        assert reference in found.crews[0]
    later = [crew[0] for crew in found.crews[1:]]
    assert later == sorted(later)
    assert all(reason.startswith("'") and "; to load " in reason for reason in found.reasons)
    assert len(found.reasons) >= (len(found.crews) - 1 if mode != "off" else 0)


@given(sessions, st.integers(0, 40 * GIB), devices)
def test_no_crew_of_several_takes_more_than_its_share(claims, free, device) -> None:
    found = made(claims, available_host=free, available_device=device)
    first = next(iter(device), None)
    for crew in found.crews:
        if len(crew) == 1:
            continue
        taken = dict.fromkeys(device, 0)
        for claim in map(claims.__getitem__, crew):
            on = first if claim.device == "auto" else claim.device
            if on is not None:
                taken[on] += claim.device_bytes
        assert sum(claims[name].host_bytes for name in crew) <= SHARE * free
        assert all(taken[name] <= SHARE * device[name] for name in device)


@given(sessions, modes.filter(lambda mode: mode != "off"))
def test_nobody_shares_what_one_has_alone(claims, mode) -> None:
    found = made(claims, mode=mode, available_host=math.inf, available_device={"cuda:0": math.inf})
    for crew in found.crews:
        for one, other in itertools.combinations([claims[name] for name in crew], 2):
            same = one.alone_on is not None and place(one) == place(other)
            assert not same or one.shared_as == other.shared_as is not None


def place(claim: Claim) -> str | None:
    return claim.alone_on and claim.alone_on.replace("localhost", "127.0.0.1")
