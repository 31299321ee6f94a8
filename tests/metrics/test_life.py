"""A variant's life in numbers, and what it did not come to."""

from __future__ import annotations

import msgspec

from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.record import ModelFacts
from pytest_llmbench.domain.trace import Life
from pytest_llmbench.metrics.life import life_metrics

from .facts import DEVICE, make_memory

FACTS = ModelFacts(identity={}, settings={}, model_bytes=77, context_tokens=None, device="cpu")


def on_device(process):
    return msgspec.structs.replace(DEVICE, process=process)


def whole_life():
    return Life(
        before=make_memory(rss=100, system=1000, device=on_device(7)),
        after_load=make_memory(rss=400, system=1300, anon=250, file=150, device=on_device(700)),
        after_free=make_memory(rss=120, system=1020, device=on_device(9)),
        load_s=2.5,
        first_generate_s=0.5,
        free_s=0.1,
        rss_peak=450,
        system_used_peak=1350,
        start_s=4.5,
    )


def values(life, facts, warnings):
    return {name: m.value for name, m in life_metrics(life, facts, warnings).items()}


def test_a_whole_life_has_every_metric_of_a_variant():
    assert values(whole_life(), FACTS, 3) == {
        "start_s": 4.5,
        "load_s": 2.5,
        "first_generate_s": 0.5,
        "free_s": 0.1,
        "rss_before_bytes": 100,
        "rss_after_load_bytes": 400,
        "rss_life_peak_bytes": 450,
        "rss_after_free_bytes": 120,
        "rss_delta_bytes": 300,
        "rss_anon_bytes": 250,
        "rss_file_bytes": 150,
        "system_ram_before_bytes": 1000,
        "system_ram_after_load_bytes": 1300,
        "system_ram_peak_bytes": 1350,
        "system_ram_after_free_bytes": 1020,
        "device_before_bytes": 7,
        "device_after_load_bytes": 700,
        "device_after_free_bytes": 9,
        "model_bytes": 77,
        "warnings": 3,
    }


def test_it_is_the_whole_catalogue_of_variants_in_its_order():
    of_variants = [
        metric.name
        for metric in CATALOGUE.values()
        if metric.of == "variant" and not metric.of_answers
    ]
    assert list(life_metrics(whole_life(), FACTS, 0)) == of_variants


def test_a_life_that_ended_at_the_load():
    life = Life(
        before=make_memory(),
        after_load=None,
        after_free=None,
        load_s=None,
        first_generate_s=None,
        free_s=None,
        rss_peak=None,
        system_used_peak=1000,
    )
    assert values(life, None, 0) == {
        "rss_before_bytes": 100,
        "system_ram_before_bytes": 1000,
        "system_ram_peak_bytes": 1000,
        "warnings": 0,
    }
