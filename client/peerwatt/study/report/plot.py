"""What every figure is drawn with: scales, ticks, labels that keep their distance, the SVG around it all."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from peerwatt.pages.markup import Child, Markup, join, tag
from peerwatt.pages.numbers import shorten

WIDTH = 960.0
# Room that a time of day needs on an axis.
CLOCK_WIDTH = 52.0


@dataclass(frozen=True)
class Scale:
    """Values low..high onto coordinates start..end, linear."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self, count: int = 5) -> list[float]:
        """Round values on the scale, about so many."""
        step = nice_step(self.high - self.low, count)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [round(index * step, 10) for index in range(first, last + 1)]


@dataclass(frozen=True)
class Bands:
    """Places of equal width for things in a row."""

    count: int
    start: float
    end: float

    @property
    def step(self) -> float:
        return (self.end - self.start) / max(self.count, 1)

    def left(self, index: int) -> float:
        return self.start + index * self.step

    def centre(self, index: int) -> float:
        return self.start + (index + 0.5) * self.step

    def width(self, share: float, most: float) -> float:
        """Width of a bar that takes this share of its place, and never more than `most`."""
        return min(self.step * share, most)


def nice_step(span: float, count: int) -> float:
    """The step 1, 2 or 5 times a power of ten that cuts a span into about `count` parts."""
    if span <= 0:
        return 1.0
    rough = span / max(count, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.75)


def nice_scale(values: Iterable[float], start: float, end: float, count: int = 5, zero: bool = True) -> Scale:
    """A scale over the values that begins and ends at a tick, with zero on it if `zero`."""
    known = [*values, *([0.0] if zero else [])] or [0.0]
    low, high = min(known), max(known)
    if high == low:
        low, high = (low, low + 1) if zero else (low - 1, high + 1)
    step = nice_step(high - low, count)
    return Scale(math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step, start, end)


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Coordinates as near as can be to the wanted ones, `gap` apart, in the same sequence, inside low..high.

    More labels than fit get an equal part of the room each.
    """
    order = sorted(range(len(wanted)), key=lambda index: (wanted[index], index))
    gap = min(gap, (high - low) / max(len(wanted) - 1, 1))
    placed: list[float] = []
    for index in order:
        least = placed[-1] + gap if placed else low
        placed.append(max(wanted[index], least))
    limit = high
    for position in reversed(range(len(placed))):
        placed[position] = min(placed[position], limit)
        limit = placed[position] - gap
    result = [0.0] * len(wanted)
    for index, place in zip(order, placed, strict=True):
        result[index] = place
    return result


def tick_text(value: float) -> str:
    """A tick's value without needless digits."""
    text = f"{value:,.10g}" if abs(value) < 1e9 else f"{value:.3g}"
    return text.replace("-", "\u2212")


def text(x: float, y: float, words: str, class_: str = "label", anchor: str | None = None) -> Markup:
    """Words with their baseline at (x, y)."""
    return tag("text", words, x=x, y=y, class_=class_, text_anchor=anchor)


def text_width(words: str, size: float = 13.5) -> float:
    """About how wide words are drawn; rather more than less."""
    return size * sum(_letter_width(letter) for letter in words)


def _letter_width(letter: str) -> float:
    """In ems."""
    if letter in " .,:;|!'il":
        return 0.34
    if letter in "MWmw@%\u2026" or ord(letter) > 0x2FF:
        return 0.95
    return 0.72 if letter.isupper() else 0.62


def fit(words: str, room: float, size: float = 13.5) -> str:
    """Words that take no more than this room, their end cut off if need be."""
    length = len(words)
    while length > 1 and text_width(shorten(words, length), size) > room:
        length -= 1
    return shorten(words, length)


def name_label(name: str, kind: str, room: float, y: float) -> Markup:
    """A home's name and what it is, from the left edge, in so much room."""
    first = fit(name, room * 0.5)
    rest = fit(kind, room - text_width(first) - 10)
    return tag("text", tag("tspan", first, class_="strong"), f"  {rest}", x=0, y=y, class_="label")


def hover(words: str) -> Markup:
    """What a browser shows over a mark."""
    return tag("title", words)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line."""
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def rect(x: float, y: float, width: float, height: float, class_: str, *children: Child) -> Markup:
    """A rectangle; nothing where it has no area."""
    if width <= 0 or height <= 0:
        return Markup()
    return tag("rect", *children, x=x, y=y, width=width, height=height, class_=class_)


def points(places: Iterable[tuple[float, float]]) -> str:
    """Places as the path through them."""
    return "".join(f"{'L' if index else 'M'}{x:.1f} {y:.1f}" for index, (x, y) in enumerate(places))


def left_axis(
    scale: Scale, x0: float, x1: float, title: str, count: int = 5, show: Callable[[float], str] = tick_text
) -> Markup:
    """Grid lines from x0 to x1 with their values at the left, and the title above."""
    marks: list[Markup] = []
    for value in scale.ticks(count):
        y = scale(value)
        marks += [
            line(x0, y, x1, y, "zero" if value == 0 else "grid"),
            text(x0 - 8, y + 4, show(value), "tick", "end"),
        ]
    top = min(scale.start, scale.end)
    return join(marks, text(0, top - 14, title, "axis"))


def clock_axis(bands: Bands, times: Sequence[str], y: float) -> Markup:
    """Times of day at the edges of a row of bands: at every edge, or every second, fourth, ... that fits."""
    every = next((k for k in (1, 2, 4, 8, 16, 32, 48, 96) if k * bands.step >= CLOCK_WIDTH), bands.count or 1)
    marks: list[Markup] = []
    for index in range(0, len(times), every):
        x = bands.left(index)
        marks += [line(x, y, x, y + 5, "zero"), text(x, y + 19, times[index], "tick", "middle")]
    return join(marks)


def picture(key: str, width: float, height: float, title: str, desc: str, *children: Child) -> Markup:
    """An SVG that says what it shows. `key` makes its ids unique on the page."""
    return tag(
        "svg",
        tag("title", title, id=f"{key}-title"),
        tag("desc", desc, id=f"{key}-desc"),
        *children,
        viewBox=f"0 0 {width:g} {height:g}",
        role="img",
        aria_labelledby=f"{key}-title {key}-desc",
        id=f"{key}-svg",
    )
