"""The demo model as GGUF files: F16 by the `gguf` package, the others quantized by llama.cpp.

What llama.cpp's own converter writes for a Llama, and no more: its names for the tensors, the rows
of the query and key weights in its order of rotary pairs, norms in float32, the vocabulary with
GPT-2's splitting rule and the chat template. Tied embeddings are written once; llama.cpp takes the
token embedding for the output where there is no output tensor.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from safetensors.numpy import load_file

if TYPE_CHECKING:
    from gguf import GGUFWriter

ARCHITECTURE: Final = "llama"
FILE_TYPES: Final = {
    "q8_0.gguf": "LLAMA_FTYPE_MOSTLY_Q8_0",
    "q4_k_m.gguf": "LLAMA_FTYPE_MOSTLY_Q4_K_M",
    "q4_0.gguf": "LLAMA_FTYPE_MOSTLY_Q4_0",
}
"""llama.cpp's name for the mixture of tensor types of each quantized form."""

Array = np.ndarray[Any, Any]


def build(name: str, model: Path, target: Path) -> None:
    """Write the form *name* of the Hugging Face folder *model* to the file *target*."""
    if name == "f16.gguf":
        convert(model, target)
        return
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        whole = Path(folder) / "f16.gguf"
        convert(model, whole)
        quantize(whole, target, FILE_TYPES[name])


def convert(model: Path, target: Path) -> None:
    """Write *model* as GGUF: matrices in float16, vectors in float32."""
    from gguf import GGUFWriter

    config = json.loads((model / "config.json").read_text("utf-8"))
    writer = GGUFWriter(target, ARCHITECTURE)
    add_shape(writer, config)
    add_vocabulary(writer, model)
    for name, tensor in renamed(load_file(model / "model.safetensors"), config):
        writer.add_tensor(name, tensor.astype(np.float32 if tensor.ndim == 1 else np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def quantize(source: Path, target: Path, file_type: str) -> None:
    """Write *source* with its matrices in the mixture that llama.cpp calls *file_type*."""
    import llama_cpp

    logging.getLogger("llama-cpp-python").setLevel(logging.ERROR)
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = getattr(llama_cpp, file_type)
    parameters.nthread = 1
    if llama_cpp.llama_model_quantize(str(source).encode(), str(target).encode(), parameters):
        raise RuntimeError(f"llama.cpp could not quantize {source} to {file_type}")


def add_shape(writer: GGUFWriter, config: dict[str, Any]) -> None:
    """Write the numbers that make the architecture."""
    from gguf import LlamaFileType

    rope = config["rope_parameters"]
    assert rope["rope_type"] == "default", "other rotary embeddings need further keys"
    writer.add_name("pytest-llmbench demo model")
    writer.add_file_type(LlamaFileType.MOSTLY_F16)
    writer.add_vocab_size(config["vocab_size"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_rope_dimension_count(config["head_dim"])
    writer.add_rope_freq_base(rope["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])


def add_vocabulary(writer: GGUFWriter, model: Path) -> None:
    """Write tokens, merges, special tokens and the chat template."""
    from gguf import TokenType

    tokenizer = json.loads((model / "tokenizer.json").read_text("utf-8"))
    config = json.loads((model / "config.json").read_text("utf-8"))
    tokens = sorted(tokenizer["model"]["vocab"], key=tokenizer["model"]["vocab"].__getitem__)
    assert len(tokens) == config["vocab_size"], "every row of the embedding has its token"
    special = {token["content"] for token in tokenizer["added_tokens"]}
    kinds = [TokenType.CONTROL if token in special else TokenType.NORMAL for token in tokens]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([" ".join(pair) for pair in tokenizer["model"]["merges"]])
    writer.add_eos_token_id(config["eos_token_id"])
    writer.add_pad_token_id(config["pad_token_id"])
    writer.add_add_bos_token(value=False)
    writer.add_chat_template((model / "chat_template.jinja").read_text("utf-8"))


def renamed(weights: dict[str, Array], config: dict[str, Any]) -> Iterator[tuple[str, Array]]:
    """Give every weight under llama.cpp's name, in llama.cpp's order of rows."""
    from gguf import MODEL_ARCH, get_tensor_name_map

    names = get_tensor_name_map(MODEL_ARCH.LLAMA, config["num_hidden_layers"])
    heads = {
        "q_proj.weight": config["num_attention_heads"],
        "k_proj.weight": config["num_key_value_heads"],
    }
    for name, tensor in weights.items():
        theirs = names.get_name(name, try_suffixes=(".weight",))
        assert theirs is not None, f"llama.cpp has no place for {name}"
        rotated = next((count for end, count in heads.items() if name.endswith(end)), None)
        yield theirs, tensor if rotated is None else paired(tensor, rotated)


def paired(weight: Array, heads: int) -> Array:
    """Reorder rows from rotary halves (i, i + n/2) to the neighbours (2i, 2i + 1) of llama.cpp."""
    halves = weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:])
    return halves.swapaxes(1, 2).reshape(weight.shape)
