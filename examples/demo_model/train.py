"""Train the demo model from nothing and save it in the layout of a Hugging Face model folder.

    python examples/demo_model/train.py --out examples/demo_model/model

The same script with the same library versions on the same machine gives the same weights, bit for
bit: every random choice hangs on `SEED`, and torch runs its deterministic algorithms on a fixed
number of threads.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from random import Random
from typing import Final

import torch
from corpus import epoch, suite_dialogues
from dialogue import Dialogue
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

SEED: Final = 20
THREADS: Final = 2

END: Final = "<|end|>"
PAD: Final = "<|pad|>"
ROLES: Final = ("<|system|>", "<|user|>", "<|assistant|>")
CHAT_TEMPLATE: Final = (
    "{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
VOCABULARY: Final = 2560
PROSE_REPEATS: Final = 10

CONTEXT: Final = 1024
ROW: Final = 384
"""Tokens in one packed training row; the longest dialogue must fit."""
ROWS_PER_STEP: Final = 12
STEPS: Final = 1500
WARMUP_STEPS: Final = 100
LEARNING_RATE: Final = 1.5e-3
FINAL_SHARE: Final = 0.02
"""The learning rate of the last step as a share of the highest."""
WEIGHT_DECAY: Final = 0.1
BETAS: Final = (0.9, 0.95)
LARGEST_GRADIENT: Final = 1.0
REPORT_EVERY: Final = 50


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """One dialogue as token ids; the answer begins at index `answer_from`."""

    ids: tuple[int, ...]
    answer_from: int


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Packed rows, all of shape (rows, tokens) except `visible`.

    `targets` holds the next token where it belongs to an answer and -1 elsewhere; `visible` has
    shape (rows, 1, tokens, tokens) and lets a token see the earlier ones of its own dialogue only.
    """

    ids: Tensor
    places: Tensor
    targets: Tensor
    visible: Tensor


def trained_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer with GPT-2's splitting rule, learned from the corpus."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[END, PAD, *ROLES],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus_texts(), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        chat_template=CHAT_TEMPLATE,
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
        padding_side="left",
    )


def corpus_texts() -> Iterator[str]:
    """The text the tokenizer learns its merges from, prose weighing more than in training."""
    random = Random(SEED)  # noqa: S311 - a seed that repeats is the point
    prose = [one for _ in range(PROSE_REPEATS) for one in suite_dialogues(random)]
    for dialogue in (*prose, *epoch(SEED)):
        yield dialogue.question
        yield dialogue.answer


def untrained_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """The model with random weights, in float32."""
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=256,
        intermediate_size=512,
        num_hidden_layers=5,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=64,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def encoded(tokenizer: PreTrainedTokenizerFast, dialogue: Dialogue) -> Encoded:
    """The dialogue under the chat template."""
    messages = dialogue.messages()
    whole = str(tokenizer.apply_chat_template(messages, tokenize=False))
    asked = str(
        tokenizer.apply_chat_template(messages[:-1], tokenize=False, add_generation_prompt=True)
    )
    before = tokenizer.encode(asked, add_special_tokens=False)
    ids = before + tokenizer.encode(whole[len(asked) :], add_special_tokens=False)
    return Encoded(ids=tuple(ids), answer_from=len(before))


def packed(dialogues: Sequence[Encoded]) -> list[list[Encoded]]:
    """The dialogues laid into rows of at most `ROW` tokens, each into the first that has room."""
    rows: list[list[Encoded]] = []
    free: list[int] = []
    shortest = min(len(one.ids) for one in dialogues)
    first_open = 0
    for one in dialogues:
        while first_open < len(rows) and free[first_open] < shortest:
            first_open += 1
        fits = (row for row in range(first_open, len(rows)) if free[row] >= len(one.ids))
        row = next(fits, len(rows))
        if row == len(rows):
            rows.append([])
            free.append(ROW)
        rows[row].append(one)
        free[row] -= len(one.ids)
    return rows


def batch_of(rows: Sequence[Sequence[Encoded]], *, pad: int) -> Batch:
    """The rows as tensors."""
    shape = (len(rows), ROW)
    ids = torch.full(shape, pad)
    places = torch.zeros(shape, dtype=torch.long)
    targets = torch.full(shape, -1)
    owner = torch.full(shape, -1)
    for row, dialogues in enumerate(rows):
        start = 0
        for number, one in enumerate(dialogues):
            stop = start + len(one.ids)
            tokens = torch.tensor(one.ids)
            ids[row, start:stop] = tokens
            places[row, start:stop] = torch.arange(len(one.ids))
            targets[row, start + one.answer_from - 1 : stop - 1] = tokens[one.answer_from :]
            owner[row, start:stop] = number
            start = stop
    earlier = torch.ones(ROW, ROW, dtype=torch.bool).tril()
    visible = (owner[:, :, None] == owner[:, None, :]) & earlier
    return Batch(ids=ids, places=places, targets=targets, visible=visible[:, None])


def batches(tokenizer: PreTrainedTokenizerFast) -> Iterator[Batch]:
    """Batches without end: epoch after epoch, each with newly drawn dialogues."""
    pad = tokenizer.convert_tokens_to_ids(PAD)
    assert isinstance(pad, int)
    for number in count(SEED):
        rows = packed([encoded(tokenizer, dialogue) for dialogue in epoch(number)])
        Random(number).shuffle(rows)  # noqa: S311 - a seed that repeats is the point
        for first in range(0, len(rows), ROWS_PER_STEP):
            yield batch_of(rows[first : first + ROWS_PER_STEP], pad=pad)


def answer_loss(model: LlamaForCausalLM, batch: Batch) -> Tensor:
    """Mean cross-entropy of the answers' tokens, in nats per token."""
    with torch.autocast("cpu", torch.bfloat16):
        hidden = model.model(
            input_ids=batch.ids,
            position_ids=batch.places,
            attention_mask=batch.visible,
            use_cache=False,
        ).last_hidden_state
        counted = batch.targets >= 0
        logits = model.lm_head(hidden[counted])
    return cross_entropy(logits.float(), batch.targets[counted])


def rate_at(step: int, steps: int) -> float:
    """The learning rate as a share of the highest: a linear rise, then half a cosine."""
    if step < WARMUP_STEPS:
        return (step + 1) / WARMUP_STEPS
    done = (step - WARMUP_STEPS) / max(1, steps - WARMUP_STEPS)
    return FINAL_SHARE + (1 - FINAL_SHARE) * 0.5 * (1 + math.cos(math.pi * done))


def train(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, steps: int) -> None:
    """Train in place for a number of steps, telling the loss on the way."""
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=LEARNING_RATE, betas=BETAS, weight_decay=WEIGHT_DECAY
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_at(step, steps))
    began = time.monotonic()
    recent = 0.0
    for step, batch in enumerate(islice(batches(tokenizer), steps), start=1):
        loss = answer_loss(model, batch)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        torch.nn.utils.clip_grad_norm_(model.parameters(), LARGEST_GRADIENT)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        recent += loss.item()
        if step % REPORT_EVERY == 0:
            mean = recent / REPORT_EVERY
            print(
                f"step {step}/{steps}  loss {mean:.4f}  {time.monotonic() - began:.0f} s",
                flush=True,
            )
            recent = 0.0


def save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write weights in float16, tokenizer, configuration and greedy generation settings."""
    model.generation_config = GenerationConfig(
        do_sample=False, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    model.to(torch.float16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def main() -> None:
    """Read the command line, train and save."""
    parser = argparse.ArgumentParser(description="Train the demo model.")
    parser.add_argument("--out", type=Path, required=True, help="folder to write the model to")
    parser.add_argument(
        "--steps", type=int, default=STEPS, help="optimizer steps (default: %(default)s)"
    )
    arguments = parser.parse_args()
    torch.use_deterministic_algorithms(mode=True)
    torch.set_num_threads(THREADS)
    torch.manual_seed(SEED)
    tokenizer = trained_tokenizer()
    model = untrained_model(tokenizer)
    print(f"{model.num_parameters():,} parameters")
    train(model, tokenizer, arguments.steps)
    save(model, tokenizer, arguments.out)


if __name__ == "__main__":
    main()
