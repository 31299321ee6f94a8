"""How a model of transformers is told to generate: by the case alone.

Read in transformers 5.23: ``generate`` fills what a given generation config leaves open from the
model's own, which may sample or penalize; the model's is therefore emptied when it is loaded, its
end and padding tokens kept here. Fixed length is generation without an end token: banning end
tokens (``min_new_tokens``) costs an operation on the whole vocabulary at every token, and makes
the model say something else than it would.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pytest_llmbench.domain.case import Parameters
from pytest_llmbench.engines.transformers.libraries import Libraries


class Decoding:
    """Takes *model*'s generation config over and makes one for every case.

    Attributes:
        ends: the model's end tokens; empty where it has none.
    """

    def __init__(self, libraries: Libraries, model: Any) -> None:
        self._make = libraries.transformers.GenerationConfig
        theirs = model.generation_config
        self.ends = _ids(theirs.eos_token_id)
        self._pad = theirs.pad_token_id
        model.generation_config = self._make()

    def config(self, parameters: Parameters) -> Any:
        """Return the generation config of a case."""
        sampling = {
            "temperature": parameters.temperature,
            "top_p": parameters.top_p,
            "top_k": parameters.top_k,
        }
        return self._make(
            max_new_tokens=parameters.max_new_tokens,
            do_sample=not parameters.greedy,
            **({} if parameters.greedy else sampling),
            **(self._stopping() if parameters.length == "natural" else {}),
        )

    def ended(self, parameters: Parameters, ids: Sequence[int]) -> bool:
        """Return whether the generated *ids* stopped at an end token."""
        return parameters.length == "natural" and ids[-1] in self.ends

    def _stopping(self) -> dict[str, Any]:
        if not self.ends:
            return {}
        pad = self.ends[0] if self._pad is None else self._pad
        return {"eos_token_id": list(self.ends), "pad_token_id": pad}


def _ids(said: int | Sequence[int] | None) -> tuple[int, ...]:
    if said is None:
        return ()
    return (said,) if isinstance(said, int) else tuple(said)
