"""Our figures beside each engine's own, on a model of 115 M random parameters.

    python benchmarks/engines.py                    # transformers, llama-cpp, mlx
    python benchmarks/engines.py llama-server --llama-server PATH

Ours come through a worker, with the contention readings around each round; theirs from a bare
script that calls the library as its own documentation does and prints the library's own figures.
They take turns in one run. Where an engine keeps a clock beside ours (llama.cpp), both clocks of
one and the same round are compared too.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from pairs import ROOT, Figures, bare_script, in_turns, median, one_round, spread, worker_of

from pytest_llmbench.domain.trace import Trace
from pytest_llmbench.metrics.rounds import round_metrics
from pytest_llmbench.worker import Worker

DEMO = ROOT / "examples" / "demo_model"
WORDS = "The river rose quickly after three days of heavy rain in the hills. "
PROMPT = WORDS * 12
TOKENS = 64
THREADS = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    names = [*ENGINES, "llama-server"]
    parser.add_argument("engines", nargs="*", help=f"of: {', '.join(names)}")
    parser.add_argument("--rounds", type=int, default=15, help="pairs of runs (default 15)")
    parser.add_argument("--llama-server", help="path of llama.cpp's own server")
    asked = parser.parse_args()
    wanted = asked.engines or [*ENGINES, *(["llama-server"] if asked.llama_server else [])]
    if unknown := [name for name in wanted if name not in names]:
        sys.exit(f"there is no engine {unknown[0]!r} here; choose of: {', '.join(names)}")
    with tempfile.TemporaryDirectory() as folder:
        model = random_model(Path(folder) / "model")
        for name in wanted:
            if name == "llama-server":
                served(model, asked.llama_server, asked.rounds)
            else:
                ENGINES[name](model, asked.rounds)


SHAPE = {"hidden_size": 768, "intermediate_size": 2048, "num_hidden_layers": 16}
"""Of a Llama of 115 M parameters."""


def random_model(folder: Path, shape: Mapping[str, int] = SHAPE) -> Path:
    """Write a Llama of random parameters in float16, with the demo model's tokenizer."""
    import torch
    import transformers

    config = transformers.AutoConfig.from_pretrained(DEMO / "model")
    heads = shape["hidden_size"] // 64
    config.update({**shape, "num_attention_heads": heads, "num_key_value_heads": heads})
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(config)
    print(f"{model.num_parameters() / 1e6:.0f} M parameters")
    model.to(torch.float16).save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(DEMO / "model").save_pretrained(folder)
    return folder


def in_float32(model: Path) -> Path:
    """Write *model* in float32 beside it."""
    import torch
    import transformers

    target = model.with_name("model-float32")
    loaded = transformers.AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    loaded.save_pretrained(target)
    transformers.AutoTokenizer.from_pretrained(model).save_pretrained(target)
    return target


def gguf_of(model: Path) -> Path:
    """Write the F16 GGUF of *model* beside it."""
    sys.path.insert(0, str(DEMO))
    from gguf_forms import build

    target = model.with_name("f16.gguf")
    if not target.exists():
        build("f16.gguf", model, target)
    return target


def prompt_ids(model: Path) -> str:
    """Return the prompt's tokens under the chat template, as JSON."""
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(model)
    asked = [{"role": "user", "content": PROMPT}]
    ids = tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_dict=True)
    return json.dumps(ids["input_ids"])


# --- transformers -----------------------------------------------------------------------------

TRANSFORMERS = """
import json, sys, time, torch, transformers
path, ids, n, threads = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
torch.set_num_threads(threads)
model = transformers.AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval()

class Clock(transformers.generation.BaseStreamer):
    def put(self, value): self.at.append(time.perf_counter())
    def end(self): pass

print("ready", flush=True)
for line in sys.stdin:
    clock = Clock(); clock.at = []
    began = time.perf_counter()
    model.generate(torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long),
                   max_new_tokens=n, min_new_tokens=n, do_sample=False, streamer=clock)
    print(json.dumps({"prefill": len(ids) / (clock.at[1] - began),
                      "decode": (n - 1) / (clock.at[-1] - clock.at[1])}), flush=True)
"""


def with_transformers(model: Path, rounds: int) -> None:
    """A streamer's clock in a bare ``generate``: the library keeps none of its own."""
    options = {"model": str(model), "dtype": "float32", "device": "cpu", "threads": THREADS}
    arguments = (str(model), prompt_ids(model), str(TOKENS), str(THREADS))
    with (
        worker_of("transformers", **options) as worker,
        bare_script(TRANSFORMERS, *arguments) as bare,
    ):
        say("transformers", in_turns(lambda: ours(worker), bare, rounds))


# --- llama.cpp --------------------------------------------------------------------------------

LLAMA_CPP = """
import json, sys, llama_cpp
path, ids, n, threads = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
llm = llama_cpp.Llama(path, n_ctx=1024, n_threads=threads, n_threads_batch=threads, verbose=False)
print("ready", flush=True)
for line in sys.stdin:
    llm.reset()
    llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(llm.ctx), True)
    llama_cpp.llama_perf_context_reset(llm.ctx)
    for number, token in enumerate(llm.generate(ids, temp=0.0), start=1):
        if number == n:
            break
    own = llama_cpp.llama_perf_context(llm.ctx)
    print(json.dumps({"prefill": own.n_p_eval / (own.t_p_eval_ms / 1e3),
                      "decode": own.n_eval / (own.t_eval_ms / 1e3)}), flush=True)
"""


def with_llama_cpp(model: Path, rounds: int) -> None:
    """``llama_perf_context``, in a bare loop and in our own rounds."""
    path = gguf_of(model)
    options = {"model": str(path), "threads": THREADS, "threads_batch": THREADS}
    arguments = (str(path), prompt_ids(model), str(TOKENS), str(THREADS))
    traces: list[Trace] = []
    with worker_of("llama-cpp", **options) as worker, bare_script(LLAMA_CPP, *arguments) as bare:
        say("llama-cpp", in_turns(lambda: ours(worker, traces), bare, rounds))
    say_clocks("llama-cpp", traces[1:])


# --- mlx --------------------------------------------------------------------------------------

MLX = """
import json, sys, mlx_lm
path, ids, n = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
model, tokenizer = mlx_lm.load(path)
tokenizer._eos_token_ids = set()
print("ready", flush=True)
for line in sys.stdin:
    for last in mlx_lm.stream_generate(model, tokenizer, ids, max_tokens=n):
        pass
    assert last.generation_tokens == n
    print(json.dumps({"prefill": last.prompt_tps, "decode": last.generation_tps * (n - 1) / n}),
          flush=True)
"""


def with_mlx(model: Path, rounds: int) -> None:
    """``stream_generate``'s last response, its decode rate corrected by (n - 1) / n.

    In float32: MLX computes float16 very slowly on a CPU.
    """
    model = in_float32(model)
    arguments = (str(model), prompt_ids(model), str(TOKENS))
    with worker_of("mlx", model=str(model)) as worker, bare_script(MLX, *arguments) as bare:
        say("mlx", in_turns(lambda: ours(worker), bare, rounds))


# --- llama-server -----------------------------------------------------------------------------


def served(model: Path, program: str, rounds: int) -> None:
    """The server's own timings, in the rounds that we measure over HTTP."""
    serve = [
        program, "-m", str(gguf_of(model)), "--port", "{port}", "-c", "1024", "-t", str(THREADS),
    ]  # fmt: skip
    with worker_of("openai", model="bench", serve=serve) as worker:
        traces = [one_round(worker, PROMPT, TOKENS) for _ in range(rounds + 1)]
    say_clocks("llama-server", traces[1:])


# --- figures ----------------------------------------------------------------------------------


def ours(worker: Worker, kept: list[Trace] | None = None) -> Figures:
    """One round through *worker*."""
    trace = one_round(worker, PROMPT, TOKENS)
    if kept is not None:
        kept.append(trace)
    metrics = round_metrics(trace)
    return {"prefill": metrics["prefill_tps"], "decode": metrics["decode_tps"]}


def say(name: str, pairs: Sequence[tuple[Figures, Figures]]) -> None:
    """Print the ratios ours ÷ theirs of rounds taken in turns."""
    for what in ("prefill", "decode"):
        mine, theirs = ([pair[index][what] for pair in pairs] for index in (0, 1))
        ratios = [a / b for a, b in zip(mine, theirs, strict=True)]
        print(
            f"{name}: {what} tok/s, in turns, {len(pairs)} pairs: ours {median(mine):.1f}, "
            f"theirs {median(theirs):.1f}, ratio {spread(ratios)}",
            flush=True,
        )


def say_clocks(name: str, traces: Sequence[Trace]) -> None:
    """Print the ratios of our clock to the engine's own in the same rounds."""
    rounds = [round_metrics(trace) for trace in traces]
    for what in ("prefill", "decode"):
        ratios = [figures[f"{what}_tps"] / figures[f"engine_{what}_tps"] for figures in rounds]
        print(f"{name}: {what}, our clock / its own in the same {len(rounds)} rounds: "
              f"{spread(ratios)}", flush=True)  # fmt: skip


ENGINES = {"transformers": with_transformers, "llama-cpp": with_llama_cpp, "mlx": with_mlx}

if __name__ == "__main__":
    main()
