"""Figure: what metered delivery did to the homes' reputations."""

from __future__ import annotations

from collections.abc import Sequence

from peerwatt.pages.layout import Figure, Table, legend, plot
from peerwatt.pages.markup import Markup, tag
from peerwatt.pages.numbers import grouped, kwh_exact, plural, share, shorten
from peerwatt.reference.reputation import LETTERS, POINTS, POINTS_PER_BAND

from ..results import HomeResult, StudyResult
from .plot import WIDTH, Bands, Scale, hover, left_axis, line, name_label, nice_scale, picture, rect, text

# Up to so many homes whose score moved get a row each; more are counted by rating.
NAMED = 40
ROW = 26.0
LEFT, RIGHT, TOP = 206.0, 150.0, 36.0


def reputation_figure(result: StudyResult) -> Figure:
    """A row for every home whose score moved, or counts by rating."""
    moved = sorted(
        (home for home in result.homes if home.score_before != home.score_after),
        key=lambda home: (-home.score_after, home.id),
    )
    kept = len(result.homes) - len(moved)
    better = sum(home.score_after > home.score_before for home in moved)
    found = (
        f"{grouped(better)} of {plural(len(moved), 'score')} that moved went up. "
        if moved
        else "No score moved: nothing was settled against a meter. "
    )
    rest = (
        f"{plural(kept, 'home')} kept the score it had"
        if kept == 1
        else f"{plural(kept, 'home')} kept theirs"
    )
    lead = (
        f"{found}{rest if kept else 'None stayed where it was'}. A seller's score moves with every "
        "metered delivery, a buyer's only if it chose to be rated. A high rating pays less network fee, "
        "a low one pays more and earns less."
    )
    in_rows = 0 < len(moved) <= NAMED
    drawn = _rows(moved) if in_rows else _counts(moved or result.homes)
    better_words, worse_words = ("higher", "lower") if in_rows else ("BBB+ or better", "below BBB+")
    return Figure(
        "reputation",
        "Reputations before and after",
        lead,
        plot(drawn),
        _table(moved or result.homes, moved=bool(moved), kept=kept),
        legend(("before", "before"), ("good", f"after, {better_words}"), ("bad", f"after, {worse_words}")),
    )


def _tone(home: HomeResult) -> str:
    return "good" if home.score_after > home.score_before else "bad"


def _rows(homes: Sequence[HomeResult]) -> Markup:
    bottom = TOP + ROW * len(homes)
    x = Scale(0, POINTS, LEFT, WIDTH - RIGHT)
    parts = []
    for index, letters in enumerate(reversed(LETTERS)):
        low, high = x(index * POINTS_PER_BAND), x((index + 1) * POINTS_PER_BAND)
        parts.append(rect(low, TOP, high - low, bottom - TOP, "band" if index % 2 else "no-band"))
        parts.append(text((low + high) / 2, TOP - 8, letters, "tiny", "middle"))
    for value in range(0, POINTS + 1, 2500):
        parts += [line(x(value), bottom, x(value), bottom + 5, "zero"),
                  text(x(value), bottom + 19, grouped(value), "tick", "middle")]  # fmt: skip
    parts.append(text(WIDTH - RIGHT, bottom + 38, "points", "axis", "end"))
    parts.append(text(WIDTH - 4, TOP - 8, "delivered of sold", "axis", "end"))
    for index, home in enumerate(homes):
        y = TOP + ROW * (index + 0.5)
        before, after = x(_clamp(home.score_before)), x(_clamp(home.score_after))
        tone = _tone(home)
        words = (
            f"{home.id}, {home.category}: {_points(home.score_before)} to "
            f"{_points(home.score_after)} points, {home.rating}"
        )
        parts.append(
            tag(
                "g",
                hover(words),
                rect(0, y - ROW / 2, WIDTH, ROW, "touch"),
                name_label(home.id, home.category, LEFT - 10, y + 4),
                line(before, y, after, y, f"{tone}-line"),
                tag("circle", cx=before, cy=y, r=4.5, class_="before-dot"),
                tag("circle", cx=after, cy=y, r=5, class_=f"{tone}-dot"),
                text(WIDTH - RIGHT + 14, y + 4, shorten(home.rating, 6), "strong"),
                text(WIDTH - 4, y + 4, share(home.delivered_wh, home.sold_wh), "faint number", "end"),
            )
        )
    return picture("reputation", WIDTH, bottom + 46, "Score of each home before and after",
                   f"{plural(len(homes), 'home')} moved; ratings run from D to AAA.", *parts)  # fmt: skip


def _counts(homes: Sequence[HomeResult]) -> Markup:
    left, height = 58.0, 240.0
    bands = Bands(len(LETTERS), left, WIDTH - 8)
    before, after = [0] * len(LETTERS), [0] * len(LETTERS)
    for home in homes:
        before[_band(home.score_before)] += 1
        after[_band(home.score_after)] += 1
    y = nice_scale([*before, *after], TOP + height, TOP)
    parts = [left_axis(y, left, WIDTH - 8, "homes")]
    for index, letters in enumerate(reversed(LETTERS)):
        x, half = bands.left(index) + bands.step * 0.12, bands.step * 0.36
        tone = "good" if index * POINTS_PER_BAND >= POINTS // 2 else "bad"
        parts.append(
            tag(
                "g",
                hover(f"{letters}: {plural(before[index], 'home')} before, {grouped(after[index])} after"),
                rect(bands.left(index), TOP, bands.step, height, "touch"),
                rect(x, y(before[index]), half, y.start - y(before[index]), "before-bar"),
                rect(x + half, y(after[index]), half, y.start - y(after[index]), f"{tone}"),
            )
        )
        parts.append(text(bands.centre(index), y.start + 19, letters, "tick", "middle"))
    parts.append(text(WIDTH - 8, y.start + 40, "rating, 625 points each", "axis", "end"))
    return picture("reputation", WIDTH, y.start + 48, "Homes by rating before and after",
                   f"{plural(len(homes), 'home')}; ratings run from D to AAA.", *parts)  # fmt: skip


def _clamp(score: float) -> float:
    return min(max(score, 0.0), float(POINTS))


def _band(score: float) -> int:
    return min(int(_clamp(score) // POINTS_PER_BAND), len(LETTERS) - 1)


def _points(score: float) -> str:
    return grouped(score, 1)


def _table(homes: Sequence[HomeResult], *, moved: bool, kept: int) -> Table:
    head = (
        "Home",
        "Category",
        "Rating",
        "Score before",
        "Score after",
        "Sold kWh",
        "Delivered kWh",
        "Windows with an order",
    )
    rows = [
        [home.id, home.category, home.rating, _points(home.score_before), _points(home.score_after),
         kwh_exact(home.sold_wh), kwh_exact(home.delivered_wh), grouped(home.windows_with_order)]
        for home in homes
    ]  # fmt: skip
    total = None
    if moved and kept:
        total = [f"and {plural(kept, 'home')} whose score did not move", *[""] * 7]
    return Table(head, rows, texts=3, total=total)
