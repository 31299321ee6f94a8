"""Train the demo model's LoRA adapter, which knows currencies, and save it as peft does.

    python examples/demo_model/train_lora.py --out examples/demo_model/lora

The demo model answers a question for a currency with something else that it knows. The adapter
learns the currencies of `currencies.toml`, mixed with the text that the model was trained on, so
that the rest stays as it was. As in `train.py`, the same script with the same library versions on
the same machine gives the same weights, bit for bit.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from random import Random
from typing import Final

import torch
from corpus import COLUMN, epoch, read_toml, varied
from dialogue import Dialogue
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict
from safetensors.torch import save_file
from train import PAD, THREADS, Batch, answer_loss, batch_of, encoded, packed
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

HERE: Final = Path(__file__).parent
MODEL: Final = HERE / "model"
BASE: Final = "../model"
"""What the adapter's configuration calls its model: a path from the adapter's own folder."""

SEED: Final = 21
RANK: Final = 8
SCALE: Final = 16
LAYERS: Final = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")

STEPS: Final = 240
ROWS_PER_STEP: Final = 6
WARMUP_STEPS: Final = 20
LEARNING_RATE: Final = 4e-3
CURRENCY_REPEATS: Final = 3
"""How often an epoch asks each question for each currency."""
OLD_DIALOGUES: Final = 700
"""How many dialogues of the model's own training text an epoch mixes in."""
REPORT_EVERY: Final = 20


def currency_dialogues() -> Iterator[Dialogue]:
    """Every question for every currency, each in a sentence or with the name alone."""
    for table in read_toml(HERE / "currencies.toml")["tables"]:
        for row in table["rows"]:
            cells = row.split(COLUMN)
            for ask in table["ask"]:
                yield Dialogue(question=ask.format(*cells), answer=table["answer"].format(*cells))
            for ask in table["brief"]:
                yield Dialogue(question=ask.format(*cells), answer=cells[-1])


def mixed_epoch(seed: int) -> list[Dialogue]:
    """One shuffled pass: every currency several times, and some of what the model knows."""
    random = Random(seed)  # noqa: S311 - a seed that repeats is the point
    new = [varied(random, one) for one in list(currency_dialogues()) * CURRENCY_REPEATS]
    dialogues = [*new, *epoch(seed)[:OLD_DIALOGUES]]
    random.shuffle(dialogues)
    return dialogues


def batches(tokenizer: PreTrainedTokenizerFast) -> Iterator[Batch]:
    """Batches without end, epoch after epoch."""
    pad = tokenizer.convert_tokens_to_ids(PAD)
    assert isinstance(pad, int)
    for number in count(SEED):
        rows = packed([encoded(tokenizer, dialogue) for dialogue in mixed_epoch(number)])
        Random(number).shuffle(rows)  # noqa: S311 - a seed that repeats is the point
        for first in range(0, len(rows), ROWS_PER_STEP):
            yield batch_of(rows[first : first + ROWS_PER_STEP], pad=pad)


def untrained_adapter() -> PeftModel:
    """The demo model in float32 with an adapter that changes nothing yet."""
    model = LlamaForCausalLM.from_pretrained(MODEL, dtype=torch.float32)
    config = LoraConfig(
        r=RANK,
        lora_alpha=SCALE,
        lora_dropout=0.0,
        target_modules=list(LAYERS),
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, config)


def rate_at(step: int, steps: int) -> float:
    """The learning rate as a share of the highest: a linear rise, then a linear fall."""
    if step < WARMUP_STEPS:
        return (step + 1) / WARMUP_STEPS
    return max(0.02, (steps - step) / max(1, steps - WARMUP_STEPS))


def train(adapted: PeftModel, tokenizer: PreTrainedTokenizerFast, steps: int) -> None:
    """Train the adapter in place for a number of steps, telling the loss on the way."""
    trained = [weight for weight in adapted.parameters() if weight.requires_grad]
    print(f"{sum(weight.numel() for weight in trained):,} parameters are trained")
    optimizer = torch.optim.AdamW(trained, lr=LEARNING_RATE, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_at(step, steps))
    began = time.monotonic()
    recent = 0.0
    for step, batch in enumerate(islice(batches(tokenizer), steps), start=1):
        loss = answer_loss(adapted.get_base_model(), batch)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        recent += loss.item()
        if step % REPORT_EVERY == 0:
            mean, seconds = recent / REPORT_EVERY, time.monotonic() - began
            print(f"step {step}/{steps}  loss {mean:.4f}  {seconds:.0f} s", flush=True)
            recent = 0.0


def save(adapted: PeftModel, folder: Path) -> None:
    """Write the adapter's weights in float16 and its configuration, which names no machine."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = get_peft_model_state_dict(adapted, save_embedding_layers=False)
    half = {name: weight.to(torch.float16).contiguous() for name, weight in weights.items()}
    save_file(half, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    config = adapted.peft_config["default"]
    config.inference_mode = True
    config.base_model_name_or_path = BASE
    config.save_pretrained(str(folder))
    path = folder / "adapter_config.json"
    written = json.loads(path.read_text(encoding="utf-8"))
    written["target_modules"] = sorted(written["target_modules"])  # a set: in any order
    path.write_text(json.dumps(written, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def main() -> None:
    """Read the command line, train and save."""
    parser = argparse.ArgumentParser(description="Train the demo model's LoRA adapter.")
    parser.add_argument("--out", type=Path, required=True, help="folder to write the adapter to")
    parser.add_argument(
        "--steps", type=int, default=STEPS, help="optimizer steps (default: %(default)s)"
    )
    arguments = parser.parse_args()
    torch.use_deterministic_algorithms(mode=True)
    torch.set_num_threads(THREADS)
    torch.manual_seed(SEED)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(MODEL)
    adapted = untrained_adapter()
    train(adapted, tokenizer, arguments.steps)
    save(adapted, arguments.out)


if __name__ == "__main__":
    main()
