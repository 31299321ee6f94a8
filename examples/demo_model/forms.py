"""Make the demo model's other forms: GGUF for llama.cpp, MLX folders.

    python examples/demo_model/forms.py                     # all of them, into forms/
    python examples/demo_model/forms.py f16.gguf mlx-4bit   # some

A form that is there already is left alone; delete it to make it anew.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

import gguf_forms
import mlx_forms

HERE: Final = Path(__file__).parent
MODEL: Final = HERE / "model"
FORMS: Final = {
    "f16.gguf": gguf_forms.build,
    "q8_0.gguf": gguf_forms.build,
    "q4_k_m.gguf": gguf_forms.build,
    "q4_0.gguf": gguf_forms.build,
    "mlx-f16": mlx_forms.build,
    "mlx-4bit": mlx_forms.build,
}
"""What makes each form: called with its name, the model's folder and the path to write to."""


def make(name: str, folder: Path) -> Path:
    """Make the form *name* in *folder*, unless it is there; return its path."""
    form = folder / name
    if not form.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as draft:
            FORMS[name](name, MODEL, Path(draft) / name)
            shutil.move(Path(draft) / name, form)  # whole or not at all
    return form


def main() -> None:
    """Read the command line and make what it names."""
    parser = argparse.ArgumentParser(description="Make the demo model's other forms.")
    parser.add_argument("names", nargs="*", help=f"of: {', '.join(FORMS)} (default: all)")
    parser.add_argument("--out", type=Path, default=HERE / "forms", help="default: %(default)s")
    arguments = parser.parse_args()
    for name in arguments.names or FORMS:
        if name not in FORMS:
            sys.exit(f"there is no form {name!r}; choose of: {', '.join(FORMS)}")
        print(make(name, arguments.out))


if __name__ == "__main__":
    main()
