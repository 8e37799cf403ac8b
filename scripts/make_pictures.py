"""Draw the pictures of the documents: docs/images/*.svg, from a study with seed 0.

Each picture is a figure of the study's report as a file of its own, with its style inside and on a light background, so
that a code host shows it. The same study gives the same bytes.
"""

from __future__ import annotations

import io
import re
import sys
import tempfile
from importlib import resources
from pathlib import Path

from rich.console import Console

from peerwatt.pages.layout import Figure
from peerwatt.study.report.curves import curves_figure
from peerwatt.study.report.energy import energy_figure
from peerwatt.study.report.plot import text_width
from peerwatt.study.results import StudyResult
from peerwatt.study.runner import StudyOptions, play

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
MARGIN, LEGEND_HEIGHT, LEGEND_SIZE = 20, 34, 13.5
SWATCH_WIDTH, GAP = 20, 22
_SVG = re.compile(r'<svg viewBox="0 0 ([\d.]+) ([\d.]+)" role="img" [^>]*>(.*?)</svg>', re.DOTALL)
_ENTRY = re.compile(r'<li><span class="swatch ([a-z ]+)"[^>]*></span>(.*?)</li>')
_VARIABLE = re.compile(r"--([a-z]+): ([^;}]+);")
_COLOUR = re.compile(r"\.swatch\.([a-z]+)(?=[^{}]*\{ ?color: ([^;}]+);)")


def read_style() -> tuple[str, dict[str, str]]:
    """The report's rules for drawings and its legend's colours, the light theme's values written out."""
    sheet = resources.files("peerwatt.pages").joinpath("page.css").read_text(encoding="utf-8")
    drawings = resources.files("peerwatt.study.report").joinpath("style.css").read_text(encoding="utf-8")
    variables = dict(_VARIABLE.findall(sheet.partition("@media")[0].partition("*")[0]))

    def fixed(rules: str) -> str:
        return re.sub(r"var\(--([a-z]+)\)", lambda found: variables[found[1]], rules)

    colours = {name: fixed(colour) for name, colour in _COLOUR.findall(sheet)}
    return fixed(drawings), colours | {"dot": variables["ink"], "paper": variables["paper"]}


def render_legend(figure: Figure, colours: dict[str, str]) -> str:
    """The figure's legend as one line of the drawing."""
    parts: list[str] = []
    x = 0.0
    for kinds, words in _ENTRY.findall(str(figure.legend)):
        name, _, shape = kinds.partition(" ")
        colour = colours[name]
        if name == "dot":
            parts.append(f'<circle cx="{x + 10:.1f}" cy="10" r="5" fill="#ffffff" stroke="{colour}" stroke-width="3"/>')
        elif shape == "rule":
            parts.append(f'<rect x="{x:.1f}" y="8.5" width="{SWATCH_WIDTH}" height="3" fill="{colour}"/>')
        else:
            parts.append(f'<rect x="{x + 3:.1f}" y="3" width="14" height="14" rx="2" fill="{colour}"/>')
        parts.append(f'<text x="{x + SWATCH_WIDTH + 7:.1f}" y="14.5" class="label">{words}</text>')
        x += SWATCH_WIDTH + 7 + text_width(words, LEGEND_SIZE) + GAP
    return "".join(parts)


def render_picture(figure: Figure) -> str:
    """The first drawing of a figure as a file that needs nothing else.

    Raises:
        ValueError: the figure has no drawing.
    """
    drawing = _SVG.search(str(figure.body))
    if drawing is None:
        raise ValueError(f"figure {figure.key} has no drawing; run a study in which something trades")
    rules, colours = read_style()
    legend = render_legend(figure, colours)
    width, height = float(drawing[1]) + 2 * MARGIN, float(drawing[2]) + 2 * MARGIN + LEGEND_HEIGHT
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'height="{height:g}" role="img">\n<style>\n{used_rules(rules, legend + drawing[3])}\n</style>\n'
        f'<rect width="{width:g}" height="{height:g}" fill="{colours["paper"]}"/>\n'
        f'<g transform="translate({MARGIN} {MARGIN})">{legend}</g>\n'
        f'<g transform="translate({MARGIN} {MARGIN + LEGEND_HEIGHT})">{drawing[3]}</g>\n</svg>\n'
    )


def used_rules(rules: str, drawing: str) -> str:
    """Those rules that a drawing needs: of its own classes or of none, and nothing about pointers."""
    classes = {name for names in re.findall(r'class="([^"]*)"', drawing) for name in names.split()}
    kept = []
    for selectors, declarations in re.findall(r"([^{}]+)\{([^}]*)\}", rules):
        wanted = [
            selector.strip()
            for selector in selectors.split(",")
            if ":" not in selector and set(re.findall(r"\.([\w-]+)", selector)) <= classes
        ]
        if wanted:
            kept.append(f"{', '.join(wanted)} {{{declarations}}}")
    return "\n".join(kept)


def render_pictures(result: StudyResult) -> dict[str, str]:
    """File name -> content."""
    return {
        "energy.svg": render_picture(energy_figure(result)),
        "clearing.svg": render_picture(curves_figure(result)),
    }


def main() -> int:
    """Run the study with seed 0 and write the pictures."""
    with tempfile.TemporaryDirectory() as folder:
        result = play(StudyOptions(seed=0, out=Path(folder)), Console(file=io.StringIO()))
    IMAGES.mkdir(parents=True, exist_ok=True)
    for name, content in render_pictures(result).items():
        (IMAGES / name).write_text(content, encoding="utf-8", newline="\n")
        print(f"docs/images/{name}: {len(content):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
