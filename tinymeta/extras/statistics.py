"""Statistics that separate variation between seeds from variation between tasks; selection of
rates, and tables."""

from typing import NamedTuple

import numpy as np

from ..evaluation import adaptation_curve


def best_inner_lr(model, theta, batch, rates, steps):
    """Of some rates the one with the highest mean accuracy after `steps` steps, and that
    accuracy."""
    after = [
        adaptation_curve(model, theta, batch, rate, steps, "accuracy")[..., steps, :].mean()
        for rate in rates
    ]
    return rates[np.argmax(after)], max(after)


class Summary(NamedTuple):
    """An adaptation curve of losses (S, steps + 1, T) in numbers, each (steps + 1,) but for the
    first.

    Between seeds: every seed's mean over the tasks, their mean, lowest and highest. Between tasks,
    after the mean over seeds: median and quartiles. Last, how many of the S * T adaptations
    diverged (not finite, or above 100 times their start) by that step; they count in the means,
    which are worth little when there are any."""

    seeds: np.ndarray
    mean: np.ndarray
    seed_min: np.ndarray
    seed_max: np.ndarray
    median: np.ndarray
    task_quartiles: tuple
    diverged: np.ndarray


def summarize(curve):
    """The Summary of an adaptation curve of losses (S, steps + 1, T), or (steps + 1, T) for one
    seed."""
    curve = np.asarray(curve, dtype=float)
    # nan is as bad as can be
    curve = np.where(np.isnan(curve), np.inf, curve if curve.ndim == 3 else curve[None])
    with np.errstate(invalid="ignore"):  # what diverged is counted
        seeds = curve.mean(axis=-1)
        low, median, high = np.quantile(curve.mean(axis=0), [0.25, 0.5, 0.75], axis=-1)
    diverged = ~(np.isfinite(curve) & (curve <= 100 * curve[:, :1]))
    return Summary(
        seeds,
        seeds.mean(axis=0),
        seeds.min(axis=0),
        seeds.max(axis=0),
        median,
        (low, high),
        diverged.sum(axis=(0, 2)),
    )


def confidence_halfwidth(curve):
    """Half the width (n,) of the 95 % interval of a curve's mean, (S, n, T) with T >= 3: for other
    tasks, and these seeds.

    Student's t times the standard error of the tasks' means over seeds; t by three terms in 1 / (T
    - 1) (Abramowitz & Stegun 26.7.5)."""
    of_tasks = np.asarray(curve, float).mean(axis=0)
    n = of_tasks.shape[-1]
    if n < 3:
        raise ValueError(f"curve: expected at least 3 tasks, to tell how they differ; got {n}")
    z, f = 1.959964, n - 1
    t = (
        z
        + (z**3 + z) / (4 * f)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * f**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * f**3)
    )
    return t * of_tasks.std(axis=-1, ddof=1) / n**0.5


def accuracy_table(curves, steps):
    """{method: curve of accuracies (S, steps + 1, T)} as text, in per cent: at each of `steps` the
    mean, its 95 % interval over tasks, and (the lowest and highest seed's mean)."""
    width = max(map(len, curves))
    lines = [f"  {'':{width}}" + "".join(f"{f'{n} steps':>22s}" for n in steps)]
    for name, curve in curves.items():
        seeds, half = 100 * curve.mean(axis=-1), 100 * confidence_halfwidth(curve)
        cells = (
            f"{seeds[:, n].mean():.1f} +-{half[n]:.1f} "
            f"({seeds[:, n].min():.0f}-{seeds[:, n].max():.0f})"
            for n in steps
        )
        lines.append(f"  {name:{width}}" + "".join(f"{cell:>22s}" for cell in cells))
    return "\n".join(lines)


def table(curves, steps):
    """{method: curve (S, steps + 1, T)} as text: at each of `steps` the mean, (the lowest and
    highest seed's) and the median task."""
    summaries = {name: summarize(curve) for name, curve in curves.items()}
    width = max(map(len, curves))
    lines = [f"  {'':{width}}" + "".join(f"{f'{n} steps':>24s}" for n in steps) + "    diverged"]
    for name, s in summaries.items():
        cells = (
            f"{s.mean[n]:.2f} ({s.seed_min[n]:.2f}-{s.seed_max[n]:.2f}) {s.median[n]:.2f}"
            for n in steps
        )
        lines.append(
            f"  {name:{width}}"
            + "".join(f"{cell:>24s}" if len(cell) < 24 else f"  {cell}" for cell in cells)
            + f"{s.diverged[steps[-1]]:12d}"
        )
    return "\n".join(lines)
