"""Forecasts that homes order by: seasonal-naive, and a blend with the last hours; metered quarters only."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from peerwatt.study.models import ForecastModel
from peerwatt.study.world.timeline import PER_DAY, Flags, Floats, Ints

Numbers = npt.NDArray[np.float64] | npt.NDArray[np.int64]


def nrmse(actual: Numbers, forecast: Numbers) -> float:
    """Root mean square error over the mean of what happened, over all homes and windows; 0 without energy."""
    mean = float(np.mean(actual)) if actual.size else 0.0
    if mean == 0.0:
        return 0.0
    return float(np.sqrt(np.mean((np.asarray(actual, dtype=np.float64) - forecast) ** 2)) / mean)


def seasonal_naive(series: Numbers, quarters: Ints, known: int) -> Floats:
    """The same quarter of the last day that was metered, per row [Wh]."""
    days_back = np.maximum((quarters - known) // PER_DAY + 1, 1)
    return np.asarray(series[..., quarters - days_back * PER_DAY], dtype=np.float64)


def _days_like(quarter: int, known: int, weekend: Flags) -> list[int]:
    """The same quarter on metered days of its kind (working day, weekend); without one, on all days."""
    days = [q for q in range(quarter - PER_DAY, -1, -PER_DAY) if q < known]
    alike = [q for q in days if weekend[q] == weekend[quarter]]
    return alike or days


def similar_days(series: Numbers, quarters: Ints, known: int, weekend: Flags) -> Floats:
    """Mean of the same quarter over similar metered days, per row [Wh]."""
    columns = [np.mean(series[:, _days_like(int(q), known, weekend)], axis=1) for q in quarters]
    return np.asarray(np.stack(columns, axis=1), dtype=np.float64)


def similar_samples(series: Numbers, quarters: Ints, known: int, weekend: Flags) -> Floats:
    """All metered values of those quarters on similar days, per row [Wh]."""
    columns = [series[:, _days_like(int(q), known, weekend)] for q in quarters]
    return np.asarray(np.concatenate(columns, axis=1), dtype=np.float64)


def similar_spread(series: Numbers, quarters: Ints, known: int, weekend: Flags) -> Floats:
    """Standard deviation around that mean, pooled over the quarters, per row [Wh]."""
    variances = [np.var(series[:, _days_like(int(q), known, weekend)], axis=1) for q in quarters]
    return np.asarray(np.sqrt(np.mean(np.stack(variances, axis=1), axis=1)), dtype=np.float64)


def forecast_loads(series: Ints, quarters: Ints, known: int, weekend: Flags, model: ForecastModel) -> Floats:
    """Load of each row in the quarters asked for [Wh], from quarters before `known`.

    Mean of similar days, moved by how today's last windows differ from them; that correction fades with the
    horizon.
    """
    mean = similar_days(series, quarters, known, weekend)
    recent = np.arange(max(known - model.level_windows, PER_DAY), known)
    if recent.size == 0:
        return mean
    usual = similar_days(series, recent, int(recent[0]), weekend).sum(axis=1)
    ratio = series[:, recent].sum(axis=1) / np.maximum(usual, 1.0)
    weight = model.level_weight * model.level_decay ** (quarters - known)
    return np.asarray(mean * (1.0 + weight[None, :] * (ratio[:, None] - 1.0)), dtype=np.float64)


def persistent_index(
    actual: Ints, ideal: Floats, quarters: Ints, known: int, decay: float, today: float
) -> Floats:
    """Energy of a generator in some quarters [Wh]: its ideal output times an index.

    The index goes from its last value to the usual one, which mixes the history's mean and today's.

    Args:
        actual: metered energy; only quarters before `known` are read.
        ideal: what it would give under a clear sky (PV) or at rated power (wind); known in advance.
        decay: how much of the last index's deviation is left after each quarter.
        today: weight of today's mean in the usual index.
    """
    usual = _index(actual, ideal, 0, known, 1.0)
    usual += today * (_index(actual, ideal, known - known % PER_DAY, known, usual) - usual)
    last = _index(actual, ideal, known - 1, known, usual)
    fade = decay ** (quarters - known + 1.0)
    return np.asarray(ideal[quarters] * (usual + fade * (last - usual)), dtype=np.float64)


def _index(actual: Ints, ideal: Floats, start: int, stop: int, otherwise: float) -> float:
    """Energy over ideal energy between two quarters; `otherwise` where there is none (night)."""
    possible = float(ideal[start:stop].sum())
    return float(actual[start:stop].sum()) / possible if possible > 0 else otherwise


def index_spread(actual: Ints, ideal: Floats, known: int) -> float:
    """Standard deviation of a generator's index over two quarters, the distance from the last reading."""
    day = ideal[:known] > 0.2 * max(float(ideal[:known].max(initial=0.0)), 1.0)
    index = np.where(day, actual[:known] / np.maximum(ideal[:known], 1.0), np.nan)
    moves = index[2:] - index[:-2]
    moves = moves[np.isfinite(moves)]
    return float(np.std(moves)) if moves.size else 0.0
