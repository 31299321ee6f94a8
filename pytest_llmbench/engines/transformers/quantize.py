"""Quantizing weights with bitsandbytes while they are loaded.

Read in bitsandbytes 0.50.2 and transformers 5.23. The library's own defaults are fp4 with
float32 arithmetic; ours are written out: the kind that was asked for, and the model's own dtype.
Layers whose weights are tied to the embedding, and the output layer, are left as they are, so
that what was quantized is counted and told.
"""

from __future__ import annotations

from typing import Any, Final

from pytest_llmbench.engines.transformers.libraries import (
    Libraries,
    four_bit_kernel,
    packs_anew,
)
from pytest_llmbench.engines.transformers.options import TransformersOptions
from pytest_llmbench.errors import LoadError

_THRESHOLD: Final = 6.0
"""bitsandbytes' own, and the paper's."""
_ROWS, _COLUMNS = 32, 64
"""The AVX512-BF16 kernel packs 32 rows at once, in blocks of 64 columns."""


def quantization_config(libraries: Libraries, asked: TransformersOptions) -> Any:
    """Return the configuration that ``from_pretrained`` takes for what *asked* says."""
    config = libraries.transformers.BitsAndBytesConfig
    if asked.quantization == "bnb-int8":
        return config(load_in_8bit=True, llm_int8_threshold=_threshold(asked))
    assert asked.quantization is not None, "asked only where weights are quantized"
    dtype = None if asked.compute_dtype is None else getattr(libraries.torch, asked.compute_dtype)
    return config(
        load_in_4bit=True,
        bnb_4bit_quant_type=asked.quantization.removeprefix("bnb-"),
        bnb_4bit_use_double_quant=asked.double_quantization,
        bnb_4bit_compute_dtype=dtype,
    )


def settle(model: Any, bitsandbytes: Any, asked: TransformersOptions) -> None:
    """Give 4-bit layers the model's dtype to compute in, unless *asked* names another.

    Raises:
        LoadError: no layer was quantized, or the CPU's kernel can't compute one of them.
    """
    layers = quantized_layers(model, bitsandbytes)
    if not layers:
        raise LoadError(
            f"quantization = {asked.quantization!r} was asked for, but none of the layers of "
            f"model = {asked.model!r} is one that bitsandbytes quantizes (a linear layer other "
            "than the output); remove quantization"
        )
    for name, layer in layers.items():
        if isinstance(layer, bitsandbytes.nn.Linear4bit):
            _check_kernel(name, layer, bitsandbytes)
        if asked.four_bits and asked.compute_dtype is None:
            layer.compute_dtype = model.dtype


def quantized_layers(model: Any, bitsandbytes: Any) -> dict[str, Any]:
    """Return the layers of *model* whose weights bitsandbytes holds, by name."""
    kinds = (bitsandbytes.nn.Linear8bitLt, bitsandbytes.nn.Linear4bit)
    return {name: layer for name, layer in model.named_modules() if isinstance(layer, kinds)}


def quantized_identity(model: Any, bitsandbytes: Any) -> dict[str, str]:
    """Return how the layers of *model* are quantized, as they say it themselves."""
    layer = next(iter(quantized_layers(model, bitsandbytes).values()))
    if isinstance(layer, bitsandbytes.nn.Linear8bitLt):
        return {"quantization": "bnb-int8", "int8_threshold": f"{layer.state.threshold:g}"}
    on_cpu = layer.weight.device.type == "cpu"
    return {
        "quantization": f"bnb-{layer.weight.quant_type}",
        "double_quantization": str(bool(layer.weight.compress_statistics)).lower(),
        "compute_dtype": str(layer.compute_dtype).removeprefix("torch."),
        **({"four_bit_kernel": four_bit_kernel(bitsandbytes)} if on_cpu else {}),
    }


def quantized_settings(model: Any, bitsandbytes: Any, libraries: Libraries) -> dict[str, str]:
    """Return how many of the linear layers of *model* were quantized, and which were not."""
    quantized = quantized_layers(model, bitsandbytes)
    linear = libraries.torch.nn.Linear
    kept = [name for name, layer in model.named_modules() if type(layer) is linear]
    names = f" (not: {', '.join(kept)})" if kept else ""
    counted = {"quantized_layers": f"{len(quantized)} of {len(quantized) + len(kept)}{names}"}
    layer = next(iter(quantized.values()))
    if isinstance(layer, bitsandbytes.nn.Linear4bit) and _packed_anew(layer, bitsandbytes):
        counted["computed_in"] = "bfloat16, with scales in bfloat16, from the first generation on"
    return counted


def _check_kernel(name: str, layer: Any, bitsandbytes: Any) -> None:
    rows, columns = layer.out_features, layer.in_features
    if not _packed_anew(layer, bitsandbytes) or not (rows % _ROWS or columns % _COLUMNS):
        return
    raise LoadError(
        f"the layer {name} has {rows} × {columns} weights, and bitsandbytes' AVX512-BF16 kernel "
        f"for 4 bits on this CPU takes multiples of {_ROWS} × {_COLUMNS} only; write "
        'quantization = "bnb-int8", or another device'
    )


def _packed_anew(layer: Any, bitsandbytes: Any) -> bool:
    on_cpu = layer.weight.device.type == "cpu"
    return on_cpu and packs_anew(bitsandbytes)


def _threshold(asked: TransformersOptions) -> float:
    return _THRESHOLD if asked.int8_threshold is None else asked.int8_threshold
