"""The score of a connection: where it starts, how metered delivery moves it, and how people read it."""

from __future__ import annotations

from .values import ceil_div

POINTS = 10000
SCORE_ONE = 65536
FULL_SCORE = POINTS * SCORE_ONE
START_SCORE = POINTS // 2 * SCORE_ONE
POINTS_PER_BAND = 625

# The credit rating by band, highest first.
LETTERS = (
    "AAA", "AA+", "AA", "AA-", "A+", "A", "A-", "BBB+", "BBB", "BBB-", "BB", "B", "CCC", "CC", "C", "D",
)  # fmt: skip


def band(score: int) -> int:
    """The band 0..15 of a score in 1/65536 points; 15 includes the full score."""
    return min(score // (POINTS_PER_BAND * SCORE_ONE), 15)


def rating(score: int) -> str:
    """The credit rating of a score, AAA to D."""
    return LETTERS[15 - band(score)]


def seller_target(delivered_wh: int, fill_wh: int, tolerance_bps: int) -> int:
    """Points towards which a seller moves: full inside the tolerance band, else the share delivered."""
    if delivered_wh * POINTS >= fill_wh * (POINTS - tolerance_bps):
        return POINTS
    return POINTS * delivered_wh // fill_wh


def buyer_target(imported_wh: int, fill_wh: int) -> int:
    """Points towards which a rated buyer moves: the share of the bought energy that was taken."""
    return POINTS * min(fill_wh, imported_wh) // fill_wh


def move_score(score: int, target_points: int, fill_wh: int, inertia_wh: int) -> int:
    """The score after a window: `fill / (inertia + fill)` of the way to the target, rounded towards it.

    Args:
        score: in 1/65536 points.
        target_points: 0..10000.
        fill_wh: weight of the window, > 0.
        inertia_wh: weight of everything before it.
    """
    target = target_points * SCORE_ONE
    moved = ceil_div(abs(target - score) * fill_wh, inertia_wh + fill_wh)
    return score + moved if target > score else score - moved
