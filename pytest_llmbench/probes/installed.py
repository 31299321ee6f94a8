"""Is a project's own code imported from where it is written, or from a copy that was installed?"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import re
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote, urlsplit


def copies(root: Path) -> dict[str, Path]:
    """Return which distributions of the project in *root* are imported from elsewhere, and where.

    They are told by where they were installed from, or by the name in pyproject.toml. One that
    was installed in place (``pip install -e``), or that the import path has in *root*, is none.
    """
    name = _normal(_project_name(root))
    found = {}
    for distribution in metadata.distributions():
        source, in_place = _source(distribution)
        known = _normal(distribution.name) == name or (source and source.is_relative_to(root))
        places = _places(distribution) if known and not in_place else ()
        outside = next((place for place in places if not place.is_relative_to(root)), None)
        if outside is not None:
            found[distribution.name] = outside
    return found


def _project_name(root: Path) -> str:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        told = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]["name"]
        return told if isinstance(told, str) else ""
    return ""


def _normal(name: str | None) -> str:
    """Return a distribution's name as names are compared (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name or "").lower()


def _source(distribution: metadata.Distribution) -> tuple[Path | None, bool]:
    """Return the folder or file that it was installed from, and whether in place (PEP 610)."""
    told = distribution.read_text("direct_url.json")
    with contextlib.suppress(ValueError, AttributeError):
        origin = json.loads(told or "{}")
        url = urlsplit(origin.get("url", ""))
        path = Path(unquote(url.path)).resolve() if url.scheme == "file" else None
        return path, bool(origin.get("dir_info", {}).get("editable"))
    return None, False


def _places(distribution: metadata.Distribution) -> Iterator[Path]:
    """Yield the folders that its modules are imported from."""
    for name in dict.fromkeys(_modules(distribution)):
        with contextlib.suppress(ImportError, ValueError):
            spec = importlib.util.find_spec(name)
            if spec is not None and spec.origin is not None and spec.has_location:
                folder = Path(spec.origin).resolve().parent
                yield folder.parent if spec.submodule_search_locations else folder


def _modules(distribution: metadata.Distribution) -> Iterator[str]:
    """Yield the names that it can be imported by."""
    for path in distribution.files or ():
        if path.suffix == ".py" and ".." not in path.parts:
            yield path.parts[0].removesuffix(".py")
