"""An HTML page as a test reads it: elements with their attributes and words, in order."""

from __future__ import annotations

import dataclasses
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "img", "input", "hr"}


@dataclasses.dataclass
class Element:
    """An element: *words* are all text in it, that of its children included."""

    tag: str
    attributes: dict[str, str]
    depth: int
    words: str = ""


class Page(HTMLParser):
    """All elements of *text*; fails where one is not closed, or closed twice."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.feed(text)
        self.close()
        assert not self._open, [element.tag for element in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"an attribute twice: {attrs}"
        given = {name: value or "" for name, value in attrs}
        element = Element(tag, given, len(self._open))
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open[-1].tag == tag, f"</{tag}> closes <{self._open[-1].tag}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.words += data

    def all(self, tag: str, **attributes: str) -> list[Element]:
        """Elements of *tag* with these attributes (``class_`` is one of its classes)."""
        return [e for e in self.elements if e.tag == tag and _has(e, attributes)]

    def ids(self) -> list[str]:
        return [e.attributes["id"] for e in self.elements if "id" in e.attributes]

    def outline(self) -> str:
        """Landmarks, headings, figures and what is absent, a line each."""
        lines = []
        for element in self.elements:
            words = " ".join(element.words.split())
            mark = {"header": "header", "nav": "nav", "main": "main", "footer": "footer"}
            if element.tag in mark:
                lines.append(mark[element.tag])
            elif element.tag in ("h1", "h2", "h3"):
                lines.append(f"{'  ' * int(element.tag[1])}{element.tag} {words}")
            elif element.attributes.get("class") == "plot":
                lines.append(f"        plot {element.attributes['data-figure']}")
            elif "absent" in element.attributes.get("class", "").split():
                lines.append(f"        absent: {words}")
            elif element.tag == "li" and words.endswith(".") and element.attributes.get("id"):
                lines.append(f"        absent {element.attributes['id']}: {words}")
        return "\n".join(lines)


def _has(element: Element, attributes: dict[str, str]) -> bool:
    for name, value in attributes.items():
        if name == "class_":
            if value not in element.attributes.get("class", "").split():
                return False
        elif element.attributes.get(name) != value:
            return False
    return True
