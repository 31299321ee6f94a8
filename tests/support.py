"""What several tests build: variants, and where the demo model is."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pytest_llmbench.domain.gate import Gates
from pytest_llmbench.domain.variant import Variant

ROOT: Final = Path(__file__).parent.parent
DEMO_MODEL: Final = str(ROOT / "examples" / "demo_model" / "model")


def variant(name: str, engine: str, **options: object) -> Variant:
    """A variant with short time-outs and no gates."""
    return Variant(
        id=name,
        engine=engine,
        options=options,
        base_dir=ROOT,
        load_timeout_s=120.0,
        round_timeout_s=60.0,
        gates=Gates(),
    )
