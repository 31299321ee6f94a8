"""What stands on the page: findings, outputs, tables, and how to do it again."""

from __future__ import annotations

import msgspec

from pytest_llmbench.domain.record import Environment, Invocation
from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.report.json_report import session_document
from pytest_llmbench.report.page.compared import compared_table
from pytest_llmbench.report.page.findings import findings, overview
from pytest_llmbench.report.page.outputs import LONGEST, examples, questions
from pytest_llmbench.report.page.surroundings import session_facts, variant_facts
from pytest_llmbench.report.page.tables import case_columns, case_lines, life_table, summary
from pytest_llmbench.report.results import results_of, study_of

from .facts import MEASURED, case, life, new, ok, regressed, session, verdict
from .studies import study


def read(record):
    return study_of([("one", results_of(session_document(record)))])


def headline(*cases, variants=()):
    return overview(read(session(cases=cases, variants=variants))).headline


def improved():
    return verdict(VerdictKind.IMPROVED, "itl_s")


def unsure():
    return verdict(VerdictKind.INCONCLUSIVE, "itl_s")


def test_what_was_not_run_is_in_the_headline() -> None:
    gone = verdict("missing", "score", "score has a limit but was not measured")
    assert headline(case(gone)) == (
        "Nothing got worse; something of the baseline, or of a limit, was not measured"
    )


def test_the_headline_says_how_it_ended() -> None:
    assert headline() == "Nothing was measured"
    assert headline(case(ok())) == "Nothing got worse"
    assert headline(case(regressed()), case(ok(), variant="b")) == (
        "1 of 2 variants got worse: base-fp16"
    )
    broken = verdict(VerdictKind.REGRESSED, "ttft_s", block=(("limit", "<= 500 ms"),))
    assert headline(case(broken)) == "1 of 1 variant broke a limit: base-fp16"
    assert headline(case(broken), case(regressed(), variant="b")) == (
        "2 of 2 variants got worse or broke a limit: base-fp16, b"
    )
    assert headline(case(error="it died")) == "1 of 1 variant failed: base-fp16"
    assert headline(case(regressed()), case(error="it died", variant="b")) == (
        "2 of 2 variants got worse or failed: b, base-fp16"
    )
    assert headline(case(unsure())) == (
        "Nothing got worse for sure; not all could be told of base-fp16"
    )
    assert headline(case(improved())) == "Nothing got worse; better than before: base-fp16"
    assert headline(case(new("case x"))) == (
        "1 variant measured; there is no baseline to compare with yet"
    )
    assert headline(case()) == "1 variant measured; nothing was compared"


def test_a_variant_that_failed_alone_is_in_the_headline() -> None:
    broken = life("broken", error="no model", loaded=False)
    assert headline(case(ok()), variants=[broken]) == "1 of 2 variants failed: broken"


def test_findings_are_grouped_and_the_worst_come_first() -> None:
    cases = [
        case(improved(), prompt="a"),
        case(regressed(), prompt="b"),
        case(regressed(), prompt="c"),
        case(regressed("ttft_s"), prompt="d"),
        case(ok(), prompt="e"),
    ]
    found = findings(read(session(cases=cases, variants=[life("base-fp16", regressed("itl_s"))])))
    assert [(f.kind.value, f.metric, f.cases, f.whole) for f in found] == [
        ("regressed", "itl_s", 2, True),
        ("regressed", "ttft_s", 1, False),
        ("improved", "itl_s", 1, False),
    ]
    assert found[0].sentences[0].label == "as a whole"
    assert [f.count for f in found] == ["as a whole, and 2 cases", "1 case", "1 case"]
    assert found[0].sentences[1].anchor == "case:exo-five/base-fp16-b-n64-t0"
    assert dict(found[1].sentences[0].evidence)["interval"] == "+24.1 % to +38.3 %"


def test_a_finding_says_how_many_it_leaves_out() -> None:
    cases = [case(regressed(), prompt=f"p{number}") for number in range(100)]
    (found,) = findings(read(session(cases=cases)))
    assert len(found.sentences) == 40
    assert found.left_out == 60


def test_counts_hold_cases_lives_and_what_is_missing() -> None:
    gone = verdict(VerdictKind.MISSING, sentence="it was not run")
    top = overview(read(session([case(ok()), case()], [life("v", ok())], [("gone", gone)])))
    assert top.counts == ((VerdictKind.MISSING, "○", 1), (VerdictKind.OK, "✓", 2))
    assert top.kind is VerdictKind.MISSING


def texts(*those):
    """Cases of one question under variants a, b …: pairs of text and the reference's."""
    return [
        msgspec.structs.replace(
            each := case(variant=chr(97 + n), text=text),
            record=msgspec.structs.replace(each.record, original=original),
        )
        for n, (text, original) in enumerate(those)
    ]


def test_a_question_holds_all_that_was_said_to_it() -> None:
    same = "It is Paris."
    cases = texts((same, None), (same, same), ("It is Lyon.", same))
    record = msgspec.structs.replace(session(cases=cases), reference="a")
    (question,) = questions(read(record))
    assert [(o.variant, o.reference, o.differs) for o in question.outputs] == [
        ("a", True, None),
        ("b", False, False),
        ("c", False, True),
    ]
    assert question.differing == 1
    assert question.outputs[2].pieces[1:3] == (("gone", "Paris"), ("new", "Lyon"))


def test_the_reference_comes_first_and_stands_in_for_its_text() -> None:
    cases = texts(("It is Lyon.", None), ("It is Paris.", None))
    record = msgspec.structs.replace(session(cases=cases), reference="b")
    (question,) = questions(read(record))
    assert [o.variant for o in question.outputs] == ["b", "a"]
    assert question.outputs[1].differs is True


def test_what_is_drawn_is_not_held_against_the_reference() -> None:
    found = questions(study(prompts=1, rounds=1))
    drawn = [q for q in found if q.where.endswith("-t0.7")]
    assert drawn
    assert all(output.differs is None for q in drawn for output in q.outputs)


def test_a_text_is_cut_where_it_is_long() -> None:
    (question,) = questions(read(session(cases=[case(text="y" * 10_000)])))
    ((kind, words),) = question.outputs[0].pieces
    assert kind == "same"
    assert words == f"{'y' * LONGEST} … (6000 more characters)"


def test_many_differences_are_found_in_reasonable_time() -> None:
    import time

    looping = [("a b " * 500, "b c " * 500)] * 300
    cases = [
        msgspec.structs.replace(
            each := case(text=text, prompt=f"p{number}"),
            record=msgspec.structs.replace(each.record, original=original),
        )
        for number, (text, original) in enumerate(looping)
    ]
    began = time.process_time()
    questions(read(session(cases=cases)))
    assert time.process_time() - began < 10


def scored(variant, score, **more):
    return case(variant=variant, metrics=MEASURED | {"score": score} | more, prompt=variant)


def rated(*cases):
    good, bad = examples(read(session(cases=cases)))
    return [e.variant for e in good], [e.variant for e in bad]


def test_examples_are_the_best_and_the_worst() -> None:
    asked = [
        case(variant=v, metrics=MEASURED | {"score": s, "latency_s": t}, prompt=v, asked=v)
        for v, s, t in (("a", 1.0, 2.0), ("b", 1.0, 1.0), ("c", 0.0, 1.0), ("d", 0.5, 1.0))
    ]
    assert rated(*asked) == (["b", "a"], ["c", "d"])


def test_where_all_are_good_none_is_bad() -> None:
    assert rated(scored("a", 1.0)) == (["a"], [])
    assert rated(scored("a", 0.0)) == ([], ["a"])
    assert rated(case()) == ([], [])


def test_columns_are_those_that_any_case_has() -> None:
    whole = study(prompts=1, rounds=2)
    headings = [heading for heading, _ in case_columns(whole)]
    assert headings == [
        "TTFT", "ITL", "output", "latency", "tokens", "RSS peak", "device peak", "score", "KL",
        "cosine",
    ]  # fmt: skip
    assert all(len(line.numbers) == len(headings) for line in case_lines(whole))
    bare = read(session(cases=[case(metrics={"ttft_s": 0.5})]))
    assert [heading for heading, _ in case_columns(bare)] == ["TTFT"]
    assert case_lines(bare)[0].numbers[0].text == "500 ms"


def test_the_summary_has_a_line_for_each_variant_and_suite() -> None:
    columns, lines = summary(study(prompts=2, rounds=2))
    assert [(line.variant, line.suite) for line in lines][:2] == [
        ("float16", "tasks"),
        ("lora-int8", "tasks"),
    ]
    assert len(lines) == 8
    speed = [heading for heading, _ in columns].index("speed")
    assert lines[0].numbers[speed].text == "–"
    assert lines[1].numbers[speed].text == "0.44 ×"


def test_a_life_is_told_in_full() -> None:
    table = life_table(study(prompts=1, rounds=1))
    lines = {line.cells[0]: line.cells[1:] for line in table.lines}
    assert table.headings == ("metric", "float16", "lora-int8", "nf4", "gguf-q4_0")
    assert lines["load_s"] == ("2.9 s", "7.2 s", "3.5 s", "600 ms")
    assert lines["device_after_load_bytes"][-1] == "–"
    assert lines["flips"] == ("–", "3", "3", "3")
    assert life_table(read(session())) is None


def test_what_was_compared_is_one_table() -> None:
    table = compared_table(study(prompts=1, rounds=1))
    assert table.headings == ("variant", "engine", "model", "precision", "runs on")
    assert table.words == len(table.headings)
    assert [line.cells for line in table.lines][2:] == [
        ("nf4", "transformers", "models/tinyllama", "nf4", "cuda:0"),
        ("gguf-q4_0", "llama-cpp", "models/tinyllama", "gguf-q4_0", "cpu"),
    ]
    assert compared_table(read(session())) is None


def test_what_was_compared_may_have_an_adapter_or_not_be_loaded() -> None:
    broken = life("broken", error="no model", loaded=False)
    record = msgspec.structs.replace(broken.record, config={"engine": "mlx", "adapter": "a\x1b"})
    table = compared_table(read(session(variants=[msgspec.structs.replace(broken, record=record)])))
    assert table.headings == ("variant", "engine", "model", "adapter", "precision", "runs on")
    assert table.lines[0].cells == ("broken", "mlx", "–", "a\\x1b", "–", "–")


def commands(context, words=("pytest", "--llmbench", "-k", "a b")):
    asked = Invocation(
        command=words, started_at="2026-11-20T09:00:00+00:00", ended_at="", compared_with=""
    )
    record = msgspec.structs.replace(
        session(variants=[life()]),
        environment=Environment(identity={}, context=context),
        invocation=asked,
    )
    return session_facts(read(record))[0].commands


def test_the_lines_to_type_to_do_it_again() -> None:
    assert commands({"git_commit": "1f2e3d", "pytest-llmbench": "0.1.0"}) == (
        "git checkout 1f2e3d",
        "pip install pytest-llmbench==0.1.0",
        "pytest --llmbench -k 'a b'",
    )
    assert commands({"git_commit": "1f2e3d+dirty"})[0] == (
        "git checkout 1f2e3d # with changes that were not committed"
    )


def test_the_versions_of_the_engines_are_among_them() -> None:
    (facts,) = session_facts(study(prompts=1, rounds=1))
    assert "pip install pytest-llmbench==0.1.0 torch==2.13.0" in facts.commands


def test_a_variant_that_was_not_loaded_says_why() -> None:
    broken = life("broken", error="no such model", loaded=False)
    (facts,) = variant_facts(read(session(variants=[broken])))
    assert facts.problem == "no such model"
    assert facts.identity == ()
