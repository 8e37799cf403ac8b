"""Pieces of the page: figures with their legend and table, key numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources

from .markup import Child, Markup, join, tag


@dataclass(frozen=True)
class Table:
    """Numbers behind a figure. `texts`: how many columns at the left are words; the others are numbers."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    texts: int = 1
    total: Sequence[str] | None = None

    def render(self, caption: str) -> Markup:
        """The table as markup."""
        return tag(
            "div",
            tag(
                "table",
                tag("caption", caption),
                tag("thead", tag("tr", [self._cell("th", i, c, "col") for i, c in enumerate(self.head)])),
                tag("tbody", [self._row(row) for row in self.rows]),
                tag("tfoot", self._row(self.total)) if self.total else None,
            ),
            class_="scroll",
            tabindex="0",
            role="region",
            aria_label=caption,
        )

    def _row(self, row: Sequence[str]) -> Markup:
        first, *rest = row
        return tag(
            "tr",
            self._cell("th", 0, first, "row"),
            [self._cell("td", index, cell) for index, cell in enumerate(rest, start=1)],
        )

    def _cell(self, name: str, index: int, words: str, scope: str | None = None) -> Markup:
        return tag(name, words, class_=None if index < self.texts else "n", scope=scope)


@dataclass(frozen=True)
class Figure:
    """One figure of the page: what it shows in words, how to read it, the picture, the numbers."""

    key: str
    title: str
    lead: str
    body: Markup
    table: Table
    legend: Markup | None = None

    def render(self, number: int) -> Markup:
        """The figure as markup, with its number."""
        return tag(
            "figure",
            tag(
                "figcaption",
                tag("h2", tag("span", f"{number}", class_="no"), self.title),
                tag("p", self.lead),
            ),
            self.legend,
            self.body,
            tag("details", tag("summary", "The numbers"), self.table.render(self.title)),
            id=self.key,
        )


def legend(*entries: tuple[str, str]) -> Markup:
    """What colours mean: (class of the swatch, words)."""
    return tag(
        "ul",
        [
            tag("li", tag("span", class_=f"swatch {swatch}", aria_hidden="true"), words)
            for swatch, words in entries
        ],
        class_="legend",
    )


def plot(*pictures: Child) -> Markup:
    """Pictures as wide as the page; on a narrow screen they scroll."""
    return tag("div", *pictures, class_="plot")


def key_number(value: str, unit: str, name: str, details: Iterable[str]) -> Markup:
    """One key number with its name above and what belongs to it below."""
    return tag(
        "div",
        tag("dt", name),
        tag(
            "dd", tag("span", value, class_="value"), tag("span", f" {unit}", class_="unit") if unit else None
        ),
        [tag("dd", words, class_="detail") for words in details],
    )


def paragraphs(texts: Iterable[str]) -> Markup:
    """Each text a paragraph."""
    return join(tag("p", words) for words in texts)


def document(title: str, *body: Child, style: str = "") -> str:
    """A whole page that needs nothing else.

    Args:
        style: rules of this page, after those of all pages.
    """
    sheet = resources.files(__package__).joinpath("page.css").read_text(encoding="utf-8")
    page = tag(
        "html",
        tag(
            "head",
            tag("meta", charset="utf-8"),
            tag("meta", name_="viewport", content="width=device-width, initial-scale=1"),
            tag("meta", name_="color-scheme", content="light dark"),
            tag("title", title),
            # Style is not parsed for entities in HTML; the sheets are ours and have nothing to escape.
            tag("style", Markup(f"{sheet}\n{style}")),
        ),
        tag("body", *body),
        lang="en",
    )
    return f"<!DOCTYPE html>\n{page}\n"
