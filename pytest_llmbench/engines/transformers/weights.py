"""From keys to a model in memory: a checkpoint or random weights, quantized, adapted.

An adapter that is merged *before* quantization is merged in the weights' own precision, on the
CPU, and the result is quantized as its checkpoint would be: bit for bit what one gets who saves
the merged model and loads it quantized. Merged *after*, it goes into the quantized weights,
which are quantized again.

Without a device map, transformers puts quantized weights on the first GPU, whatever was asked.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Final

from pytest_llmbench.engines.transformers import adapter as adapters
from pytest_llmbench.engines.transformers import quantize
from pytest_llmbench.engines.transformers.decoding import Decoding
from pytest_llmbench.engines.transformers.folders import (
    already_quantized,
    made_by_mlx,
    quantization_method,
    quantized_by_mlx,
)
from pytest_llmbench.engines.transformers.libraries import (
    Libraries,
    import_bitsandbytes,
    import_peft,
)
from pytest_llmbench.engines.transformers.options import TransformersOptions
from pytest_llmbench.errors import LoadError

RANDOM_SEED: Final = 20
"""Random weights are the same ones in every session."""


@dataclasses.dataclass(frozen=True, slots=True)
class Weights:
    """A model in memory, how it decodes, and what quantization and adapter add to its facts."""

    model: Any
    decoding: Decoding
    identity: dict[str, str]
    settings: dict[str, str]


class Loading:
    """One load of the weights that *asked* describes.

    Args:
        libraries: torch and transformers.
        asked: the variant's keys.
        source: the model's folder or its name on the hub.
        base_dir: the folder that relative paths start from.
        device: where the weights go.
    """

    def __init__(
        self,
        libraries: Libraries,
        asked: TransformersOptions,
        *,
        source: str,
        base_dir: Path,
        device: str,
    ) -> None:
        self._libraries = libraries
        self._asked = asked
        self._source = source
        self._device = device
        self._peft = None if asked.adapter is None else import_peft()
        self._bitsandbytes = None if asked.quantization is None else import_bitsandbytes()
        self._adapter = None if asked.adapter is None else adapters.adapter_folder(asked, base_dir)
        self._config = self._read_config()
        if _method(self._config) == "bitsandbytes":  # before transformers does it, hub and all
            self._bitsandbytes = import_bitsandbytes(f"the quantized model {asked.model!r}")

    def weights(self) -> Weights:
        """Return the model, ready to generate."""
        model, identity, settings = self._quantized() if self._quantizes else self._plain()
        decoding = Decoding(self._libraries, model)
        if self._adapter is not None:
            identity |= adapters.adapter_identity(self._asked, self._adapter)
            if not (self._quantizes and self._asked.adapter_merge == "before"):
                model = self._adapted(model)
            if self._asked.adapter_merge == "never":
                settings |= adapters.adapter_settings(model)
        return Weights(model.eval(), decoding, identity, settings)

    @property
    def _quantizes(self) -> bool:
        return self._asked.quantization is not None

    def _plain(self) -> tuple[Any, dict[str, str], dict[str, str]]:
        """Return the weights as they are; those of a quantized checkpoint say how they are."""
        if self._asked.weights == "random":
            return self._random(self._device), {}, {}
        model = self._checkpoint(self._device)
        method = _method(model.config)
        if method == "bitsandbytes":
            quantize.settle(model, self._bitsandbytes, self._asked)
            return model, *self._quantized_facts(model, self._bitsandbytes)
        return model, {} if method is None else quantized_by(model.config), {}

    def _quantized(self) -> tuple[Any, dict[str, str], dict[str, str]]:
        """Return the weights quantized by bitsandbytes, an adapter merged before in them."""
        assert self._bitsandbytes is not None, "imported where weights are quantized"
        merges = self._adapter is not None and self._asked.adapter_merge == "before"
        if merges or self._asked.weights == "random":
            model = (
                self._random("cpu") if self._asked.weights == "random" else self._checkpoint("cpu")
            )
            model = self._quantized_again(self._adapted(model) if merges else model)
        else:
            model = self._checkpoint(self._device, quantization_config=self._quantization())
        quantize.settle(model, self._bitsandbytes, self._asked)
        return model, *self._quantized_facts(model, self._bitsandbytes)

    def _quantized_facts(
        self, model: Any, bitsandbytes: Any
    ) -> tuple[dict[str, str], dict[str, str]]:
        return (
            quantize.quantized_identity(model, bitsandbytes),
            quantize.quantized_settings(model, bitsandbytes, self._libraries),
        )

    def _read_config(self) -> Any:
        config = self._libraries.transformers.AutoConfig.from_pretrained(
            self._source,
            revision=self._asked.revision,
            trust_remote_code=self._asked.trust_remote_code,
        )
        if quantized_by_mlx(_all_said(config)):
            raise LoadError(made_by_mlx(self._asked.model))
        method = _method(config)
        if method is None:
            return config
        if self._asked.quantization is not None:
            raise LoadError(already_quantized(self._asked.model, method))
        if self._asked.weights == "random":
            raise LoadError(
                f'weights = "random" was asked for, but model = {self._asked.model!r} is quantized '
                f"(by {method}), which random weights can't imitate; name the model that it was "
                "made from, and quantization where you want it"
            )
        return config

    def _checkpoint(self, device: str, **more: Any) -> Any:
        explicit = bool(more) or device != "cpu" or _method(self._config) is not None
        return self._libraries.transformers.AutoModelForCausalLM.from_pretrained(
            self._source,
            revision=self._asked.revision,
            trust_remote_code=self._asked.trust_remote_code,
            dtype=self._dtype or "auto",
            attn_implementation=self._asked.attention,
            device_map={"": device} if explicit else None,
            **more,
        )

    def _random(self, device: str) -> Any:
        torch = self._libraries.torch
        precision = {} if self._dtype is None else {"dtype": self._dtype}
        torch.manual_seed(RANDOM_SEED)
        with torch.device(device):
            return self._libraries.transformers.AutoModelForCausalLM.from_config(
                self._config,
                attn_implementation=self._asked.attention,
                trust_remote_code=self._asked.trust_remote_code,
                **precision,
            )

    def _quantized_again(self, model: Any) -> Any:
        """Return *model* as if it were loaded, quantized, from a checkpoint of its weights."""
        quantized = type(model).from_pretrained(
            None,
            config=model.config,
            state_dict=model.state_dict(),
            dtype=model.dtype,
            attn_implementation=self._asked.attention,
            device_map={"": self._device},
            quantization_config=self._quantization(),
        )
        quantized.generation_config = model.generation_config
        return quantized

    def _adapted(self, model: Any) -> Any:
        assert self._adapter is not None, "asked only where there is one"
        return adapters.with_adapter(self._peft, model, self._asked, self._adapter)

    def _quantization(self) -> Any:
        return quantize.quantization_config(self._libraries, self._asked)

    @property
    def _dtype(self) -> Any:
        asked = self._asked.dtype
        return None if asked == "auto" else getattr(self._libraries.torch, asked)


def _method(config: Any) -> str | None:
    """Return what the checkpoint of *config* is quantized by (``gptq``, say), if it is."""
    return _said(config).get("quant_method")


def quantized_by(config: Any) -> dict[str, str]:
    """Return the identity of a checkpoint that another library quantized."""
    said = _said(config)
    bits = said.get("bits")
    method = str(said["quant_method"])
    return {"quantization": method if bits is None else f"{method} ({bits} bits)"}


def _all_said(config: Any) -> dict[str, Any]:
    """Return what *config* says of quantization in the words of transformers and of MLX."""
    theirs = getattr(config, "quantization", None)
    return {"quantization": theirs, "quantization_config": _said(config)}


def _said(config: Any) -> dict[str, Any]:
    """Return the quantization that *config* describes, as plain data."""
    theirs = getattr(config, "quantization_config", None) or {}
    plain = theirs if isinstance(theirs, dict) else theirs.to_dict()
    method = quantization_method(plain)
    return plain if method is None else {**plain, "quant_method": method}
