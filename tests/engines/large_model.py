"""A model of 60 million random parameters, in the forms that the engines take."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support import DEMO_MODEL, ROOT

HIDDEN, INTERMEDIATE, LAYERS, HEADS, KV_HEADS = 1024, 2816, 5, 16, 4
GGUF = """\
import pathlib, sys
import gguf_forms
gguf_forms.build("f16.gguf", *map(pathlib.Path, sys.argv[1:]))
"""


def write_large_model(folder: Path) -> Path:
    """Write ``model/`` and ``f16.gguf`` into *folder*, with the demo model's tokenizer."""
    model = folder / "model"
    shutil.copytree(DEMO_MODEL, model, ignore=shutil.ignore_patterns("*.safetensors"))
    config = json.loads((model / "config.json").read_text("utf-8"))
    config |= {
        "hidden_size": HIDDEN,
        "intermediate_size": INTERMEDIATE,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "head_dim": HIDDEN // HEADS,
    }
    (model / "config.json").write_text(json.dumps(config), encoding="utf-8")
    _write_weights(model, config["vocab_size"])
    subprocess.run(
        [sys.executable, "-c", GGUF, model, folder / "f16.gguf"],
        cwd=ROOT / "examples" / "demo_model",
        check=True,
        capture_output=True,
    )
    return folder


def _write_weights(model: Path, vocabulary: int) -> None:
    import numpy as np
    from safetensors.numpy import save_file

    draw = np.random.default_rng(0)
    kv = HIDDEN // HEADS * KV_HEADS
    layer = {
        "self_attn.q_proj": (HIDDEN, HIDDEN),
        "self_attn.k_proj": (kv, HIDDEN),
        "self_attn.v_proj": (kv, HIDDEN),
        "self_attn.o_proj": (HIDDEN, HIDDEN),
        "mlp.gate_proj": (INTERMEDIATE, HIDDEN),
        "mlp.up_proj": (INTERMEDIATE, HIDDEN),
        "mlp.down_proj": (HIDDEN, INTERMEDIATE),
        "input_layernorm": (HIDDEN,),
        "post_attention_layernorm": (HIDDEN,),
    }
    shapes = {"model.embed_tokens.weight": (vocabulary, HIDDEN), "model.norm.weight": (HIDDEN,)}
    for number in range(LAYERS):
        shapes |= {f"model.layers.{number}.{name}.weight": s for name, s in layer.items()}
    tensors = {
        name: (0.02 * draw.standard_normal(shape, dtype=np.float32)).astype(np.float16)
        for name, shape in shapes.items()
    }
    save_file(tensors, model / "model.safetensors", metadata={"format": "pt"})
