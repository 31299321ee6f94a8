"""Links between pages lead somewhere, and the workflows are workflows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.docs.pages import DOCS, ROOT, Fence, fences

FOLDERS = ("baselines", "benchmarks", "changelog.d", "docs", "examples")
IMAGES = DOCS / "images"
PAGES = sorted(
    [*ROOT.glob("*.md"), *(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md"))]
)
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s]+)\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        _, _, anchor = link.partition("#")
        target = target_of(link, page)
        assert target.exists(), f"{link} leads nowhere"
        assert target.is_relative_to(ROOT), f"{link} leads out of the repository"
        assert not anchor or anchor in anchors(target), f"{link}: there is no such heading"


def links(page: Path) -> list[str]:
    """The links of *page* to files and headings, pictures among them; not those in fences."""
    words = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    return LINK.findall(words)


def target_of(link: str, page: Path) -> Path:
    file = link.partition("#")[0]
    return (page.parent / file).resolve() if file else page


def anchors(page: Path) -> set[str]:
    """The anchors that a forge makes of the headings of *page*."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), flags=re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.strip().replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("fence", fences(DOCS / "ci.md", "yaml"), ids=str)
def test_workflows_are_workflows(fence: Fence) -> None:
    # YAML 1.1 reads the key "on" as the boolean.
    workflow = yaml.safe_load(fence.text)
    assert workflow["name"]
    assert workflow[True]
    for job in workflow["jobs"].values():
        assert job["runs-on"]
        assert job["timeout-minutes"]
        assert all(("uses" in step) != ("run" in step) for step in job["steps"])


def test_every_page_is_in_the_index() -> None:
    index = (DOCS / "README.md").read_text("utf-8")
    for page in DOCS.glob("*.md"):
        assert page.name == "README.md" or f"({page.name})" in index


def test_every_picture_is_small_and_shown() -> None:
    shown = {target_of(link, page) for page in PAGES for link in links(page)}
    pictures = set(IMAGES.iterdir())
    assert pictures == {target for target in shown if target.parent == IMAGES}
    assert all(path.stat().st_size < 250_000 for path in pictures)
