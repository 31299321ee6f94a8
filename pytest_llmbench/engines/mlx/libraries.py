"""The modules of mlx and mlx-lm that the engine calls, imported together when it starts."""

from __future__ import annotations

import dataclasses
import importlib
from typing import Any, Final, Self

from pytest_llmbench.engines.protocol import Survey
from pytest_llmbench.errors import EngineNotInstalledError

_MODULES: Final = {
    "core": "mlx.core",
    "nn": "mlx.nn",
    "trees": "mlx.utils",
    "loading": "mlx_lm.utils",
    "generation": "mlx_lm.generate",
    "sampling": "mlx_lm.sample_utils",
    "caches": "mlx_lm.models.cache",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Libraries:
    """The modules by what they are for; Any: they are foreign, and present only in the worker."""

    core: Any
    nn: Any
    trees: Any
    loading: Any
    generation: Any
    sampling: Any
    caches: Any

    @classmethod
    def imported(cls) -> Self:
        """Import them, and what transformers puts off until the first configuration is read.

        Where torch is installed that is a second and 90 MB of imports, which are not the model's.

        Raises:
            EngineNotInstalledError: one is absent, or mlx has no backend for this system.
        """
        try:
            found = {use: importlib.import_module(name) for use, name in _MODULES.items()}
            importlib.import_module("transformers.models.llama.configuration_llama")
        except ImportError as exc:
            raise EngineNotInstalledError(_missing(exc)) from exc
        return cls(**found)

    def kind(self, device: object) -> str:
        """Return ``cpu`` or ``gpu``, the name of *device* as the key ``device`` has it."""
        return "cpu" if device == self.core.cpu else "gpu"

    def backend(self, kind: str) -> str:
        """Return what computes on the device *kind*: ``cpu``, ``metal`` or ``cuda``."""
        if kind == "cpu":
            return "cpu"
        return "metal" if self.core.metal.is_available() else "cuda"


def survey() -> Survey:
    """Return the devices that mlx has here; imports it and mlx-lm."""
    mlx = Libraries.imported()
    kinds = [kind for kind in ("cpu", "gpu") if mlx.core.is_available(getattr(mlx.core, kind))]
    names = (f"mlx computes on {_described(mlx, kind)}" for kind in reversed(kinds))
    lacks = () if "gpu" in kinds else ("mlx has no GPU here: neither Metal nor CUDA",)
    return Survey(devices=tuple(kinds), notes=(*names, *lacks))


def _described(mlx: Libraries, kind: str) -> str:
    told = mlx.core.device_info(getattr(mlx.core, kind))
    name = told.get("device_name", "an unnamed device")
    how = {"cpu": "CPU", "metal": "GPU, through Metal", "cuda": "GPU, through CUDA"}
    return f"{name} ({told.get('architecture', 'unknown')} {how[mlx.backend(kind)]})"


def _missing(exc: ImportError) -> str:
    if "libmlx" in str(exc):
        return (
            "the package mlx is installed without a backend; on Linux type: "
            "pip install 'mlx[cpu]' (for an NVIDIA GPU: pip install 'mlx[cuda12]')"
        )
    return (
        f"the engine 'mlx' needs {exc.name or exc}, which is not installed; "
        "type: pip install 'pytest-llmbench[mlx]'"
    )
