"""What a failed test shows, whole; and that nothing in it acts on a terminal or breaks XML."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.report.failure import failure_text

from .facts import HOSTILE, regressed, verdict

NAME = "exo-five/finetuned-int8-lora-n64-t0"


def test_two_regressions_and_a_text(golden):
    verdicts = (regressed(), regressed("ttft_s", "40 %", "10 ms", "14 ms"))
    golden("failure-regressed", failure_text(NAME, verdicts, "LoRA adds low-rank\nmatrices."))


def test_an_error_without_evidence(golden):
    said = f"case {NAME} failed: the worker of finetuned-int8 died with SIGSEGV"
    golden("failure-error", failure_text(NAME, (verdict(VerdictKind.ERROR, sentence=said),), None))


def test_lines_of_a_value_stand_under_its_first(golden):
    block = (("now", "line one\nline two"), ("a longer label", "x"))
    said = verdict(VerdictKind.REGRESSED, "score", "score fell by 1, from 1 to 0", block)
    golden("failure-lines", failure_text(NAME, (said,), None))


def test_hostile_text_stays_text(golden):
    golden("failure-hostile", failure_text(NAME, (regressed(),), HOSTILE))


def test_every_part_goes_into_xml():
    said = verdict(VerdictKind.ERROR, sentence=HOSTILE, block=((HOSTILE, HOSTILE),))
    shown = failure_text(HOSTILE, (said,), HOSTILE)
    element = ET.Element("failure")
    element.text = shown
    assert ET.fromstring(ET.tostring(element, encoding="utf-8")).text == shown
    assert not set("\x1b\x00\x9b\u202e\r") & set(shown)


def test_a_long_text_is_cut_visibly():
    assert failure_text(NAME, (), "x" * 400).endswith("> " + "x" * 400)
    assert failure_text(NAME, (), "x" * 401).endswith("x … (1 more characters)")


def test_a_text_of_many_lines_is_cut_visibly():
    shown = failure_text(NAME, (), "\n".join("abc"[n % 3] for n in range(30)))
    assert shown.endswith("    … (18 more lines)")


def test_an_empty_text_is_said_to_be_empty():
    assert failure_text(NAME, (), "").endswith("generated text: empty")


def test_no_text_is_not_mentioned():
    assert failure_text(NAME, (), None) == NAME


def test_what_the_text_says_is_shown_beside_the_reference_s():
    worse = verdict(VerdictKind.REGRESSED, "score", sentence="score fell")
    shown = failure_text("case", [worse], "It is Lyon, in 1,500 years.", "It is Paris.")
    assert shown.splitlines()[2:] == [
        "the reference's text:",
        "    > It is [-Paris-].",
        "generated text:",
        "    > It is {+Lyon, in 1,500 years+}.",
        "numbers changed: none -> 1,500",
        "names changed: Paris -> Lyon",
    ]
    same = failure_text("case", [worse], "It is Paris.", "It is Paris.")
    assert "generated text, the same as the reference's:\n    > It is Paris." in same
    slower = verdict(VerdictKind.REGRESSED, "itl_s", sentence="itl_s rose")
    assert "reference" not in failure_text("case", [slower], "It is Lyon.", "It is Paris.")
