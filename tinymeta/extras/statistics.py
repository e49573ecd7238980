"""Statistics that separate variation between seeds from variation between tasks; selection of
rates, and tables."""

import functools
import math
from typing import NamedTuple

import numpy as np

from .. import _validate
from ..evaluation import adaptation_curve


def best_inner_lr(model, theta, batch, rates, steps):
    """Return the rate that is best after `steps` steps, by the mean over tasks and replicas.

    A classifier (criterion cross_entropy) is judged by accuracy, any other model by loss. A rate at
    which a task diverges never wins.

    Parameters
    ----------
    model : MLP
    theta : array (..., P)
    batch : TaskBatch
        Validation tasks, (..., T, K, d).
    rates : iterable
        The rates to try, each as `adaptation_curve` takes it.
    steps : int

    Returns
    -------
    rate : an entry of rates
        The first of the best ones.
    score : float
        Its mean accuracy or loss.

    Raises
    ------
    ValueError
        If there are no rates, if every one of them diverges, or as in adaptation_curve.

    Examples
    --------
    >>> from tinymeta import MLP, TaskBatch
    >>> x, y = np.array([[[0.0], [1.0]]]), np.array([[[1.0], [3.0]]])  # one task, 2 x + 1
    >>> batch = TaskBatch(x, y, x, y)
    >>> best_inner_lr(MLP([1, 1]), np.zeros(2), batch, [0.1, 0.5, 1000.0], steps=2)
    (0.5, 0.15625)
    """
    rates = list(rates)
    if not rates:
        raise ValueError("rates: expected at least one rate; got none")

    def means(rate, metric):
        curve = adaptation_curve(model, theta, batch, rate, steps, metric)
        with np.errstate(over="ignore", invalid="ignore"):
            return curve[..., 0, :].mean(), curve[..., -1, :].mean()

    def stays(before, after):  # as in `summarize`; nan is below nothing
        return after < math.inf and (after <= 100 * before or before == 0)

    if model.criterion == "cross_entropy":
        accuracies = [means(rate, "accuracy")[1] for rate in rates]
        # the best first; only a loss tells whether a rate diverges
        for i in sorted(range(len(rates)), key=lambda i: -accuracies[i]):
            if stays(*means(rates[i], "loss")):
                return rates[i], float(accuracies[i])
    else:
        losses = [means(rate, "loss") for rate in rates]
        after = [loss[1] if stays(*loss) else math.inf for loss in losses]
        if min(after) < math.inf:
            return rates[np.argmin(after)], float(min(after))
    raise ValueError(
        f"rates: expected one that does not diverge; got {len(rates)}, and all do; try smaller ones"
    )


class Summary(NamedTuple):
    """Hold an adaptation curve (S, steps + 1, T) in numbers, each (steps + 1,) but for two.

    Means, and lowest and highest seeds, are inf where a task diverged: they are worth little then,
    and the median is not."""

    seeds: np.ndarray  # (S, steps + 1): the mean over the tasks of every seed
    mean: np.ndarray  # the mean, lowest and highest of those
    seed_min: np.ndarray
    seed_max: np.ndarray
    median: np.ndarray  # over the tasks, each a mean over the seeds
    task_quartiles: tuple  # lower and upper, of the same
    diverged: np.ndarray  # how many of the S * T adaptations have diverged at that step
    seed_medians: np.ndarray  # (S, steps + 1): the median over the tasks of every seed
    halfwidth: np.ndarray  # `confidence_halfwidth`; inf for one task


def as_curve(name, curve):
    """Return a curve as float64 (S, n, T), from that or from one seed's (n, T)."""
    curve = _validate.as_numbers(name, curve, np.float64)
    if curve.ndim not in (2, 3) or curve.size == 0:
        raise ValueError(
            f"{name}: expected a curve (S, steps + 1, T), or (steps + 1, T) of one seed; got shape "
            f"{curve.shape}"
        )
    return curve if curve.ndim == 3 else curve[None]


def quantile(values, q):
    """Return the q-quantile along the last axis, as np.quantile does, and exactly for inf: where
    NumPy interpolates between inf and another number, inf - inf gives nan."""
    low, high = (np.quantile(values, q, axis=-1, method=m) for m in ("lower", "higher"))
    with np.errstate(invalid="ignore"):
        between = np.quantile(values, q, axis=-1)
    return np.where(low == high, low, np.where(np.isfinite(high), between, np.inf))


def summarize(curve, metric="loss"):
    """Return the Summary of an adaptation curve.

    Parameters
    ----------
    curve : array (S, steps + 1, T), or (steps + 1, T) for one seed; or a Summary
        Losses or accuracies. All numbers that are not finite are treated as inf. A Summary is
        returned as it is.
    metric : str
        "loss": an adaptation has diverged where its loss is not finite, or more than 100 times the
        loss before adaptation (if that is above 0). "accuracy": only where it is not finite.

    Returns
    -------
    summary : Summary

    Raises
    ------
    ValueError
        If the curve has no such shape, or the metric is another one.

    Examples
    --------
    >>> s = summarize([[2.0, 2.0, 8.0], [1.0, 1.0, float("inf")]])
    >>> s.mean.tolist(), s.median.tolist(), s.diverged.tolist()
    ([4.0, inf], [2.0, 1.0], [0, 1])
    """
    if isinstance(curve, Summary):
        return curve
    curve = as_curve("curve", curve)
    _validate.check_choice("metric", metric, ("loss", "accuracy"))
    curve = np.where(np.isfinite(curve), curve, np.inf)
    diverged = ~np.isfinite(curve)
    with np.errstate(over="ignore"):
        if metric == "loss":
            start = curve[:, :1]
            diverged |= (curve > 100 * start) & (start > 0)
        seeds, of_tasks = curve.mean(axis=-1), curve.mean(axis=0)
        mean = seeds.mean(axis=0)
    low, median, high = (quantile(of_tasks, q) for q in (0.25, 0.5, 0.75))
    halfwidth = confidence_halfwidth(curve) if curve.shape[-1] > 1 else np.full(len(mean), np.inf)
    return Summary(
        seeds,
        mean,
        seeds.min(axis=0),
        seeds.max(axis=0),
        median,
        (low, high),
        diverged.sum(axis=(0, 2)),
        quantile(curve, 0.5),
        halfwidth,
    )


def pack(summary):
    """Return a Summary as one array (2 S + 5, steps + 1), for a file."""
    s = summary
    parts = s.seeds, s.seed_medians, [s.median, *s.task_quartiles, s.diverged, s.halfwidth]
    return np.concatenate(parts)


def unpack(packed):
    """Return the Summary that `pack` made an array of."""
    *_, median, low, high, diverged, halfwidth = packed = np.asarray(packed, float)
    seeds, seed_medians = np.split(packed[:-5], 2)
    ends = seeds.mean(axis=0), seeds.min(axis=0), seeds.max(axis=0)
    return Summary(seeds, *ends, median, (low, high), diverged.astype(int), seed_medians, halfwidth)


def within(t, df):
    """Return the probability that Student's t with df degrees of freedom is between -t and t.

    Source: Abramowitz & Stegun 1964, equations 26.7.3 (odd df) and 26.7.4 (even)."""
    angle = math.atan(t / math.sqrt(df))
    n = np.arange(2 + df % 2, df - 1, 2)  # 2, 4, ... df - 2, or 3, 5, ... df - 2
    terms = np.cumprod((n - 1) / n * math.cos(angle) ** 2)
    if df % 2 == 0:
        return math.sin(angle) * (1 + terms.sum())
    total = math.sin(angle) * math.cos(angle) * (1 + terms.sum()) if df > 1 else 0.0
    return 2 / math.pi * (angle + total)


@functools.cache
def t_quantile(df):
    """Return the t that Student's t with df degrees of freedom stays below, in modulus, in 95 % of
    cases: by bisection, as `within` grows with t."""
    low, high = 1.9, 13.0  # from the normal distribution's to that of one degree of freedom
    while (middle := (low + high) / 2) not in (low, high):
        low, high = (middle, high) if within(middle, df) < 0.95 else (low, middle)
    return high


def confidence_halfwidth(curve):
    """Return half the width of the 95 % interval of a curve's mean, over tasks, conditional on the
    seeds.

    It is Student's t times the standard error of the tasks' means over seeds.

    Parameters
    ----------
    curve : array (S, n, T), or (n, T) for one seed

    Returns
    -------
    halfwidth : array (n,)
        inf where a number of the curve is not finite.

    Raises
    ------
    ValueError
        If there are fewer than 2 tasks.

    Examples
    --------
    >>> confidence_halfwidth([[0.0, 1.0, 2.0], [1.0, 1.0, 1.0]]).round(4).tolist()
    [2.4841, 0.0]
    """
    with np.errstate(over="ignore", invalid="ignore"):  # inf, or inf - inf: not finite below
        of_tasks = as_curve("curve", curve).mean(axis=0)
    n = of_tasks.shape[-1]
    if n < 2:
        raise ValueError(f"curve: expected at least 2 tasks, to tell how they differ; got {n}")
    finite = np.isfinite(of_tasks).all(axis=-1)
    with np.errstate(over="ignore"):
        spread = np.where(finite[:, None], of_tasks, 0.0).std(axis=1, ddof=1)
    return np.where(finite, t_quantile(n - 1) * spread / n**0.5, np.inf)


def as_summaries(curves, steps, metric):
    """Return {method: Summary} and steps, as a table can show them."""
    curves = {
        name: c if isinstance(c, Summary) else summarize(as_curve(f"curves[{name!r}]", c), metric)
        for name, c in dict(curves).items()
    }
    if not curves:
        raise ValueError("curves: expected at least one method's curve; got none")
    steps, last = tuple(steps), min(len(summary.mean) for summary in curves.values()) - 1
    if not steps:
        raise ValueError("steps: expected at least one number of steps; got none")
    for n in steps:
        if _validate.check_count("steps", n, least=0) > last:
            raise ValueError(f"steps: expected at most {last}, the last of the curves; got {n}")
    return curves, steps


def accuracy_table(curves, steps, losses=None):
    """Return curves of accuracies as a table in text, in per cent.

    At each of `steps`: the mean, its 95 % interval over tasks, and (the lowest and highest seed's
    mean).

    Parameters
    ----------
    curves : dict
        {method: accuracies (S, steps + 1, T), or their Summary}.
    steps : iterable of int
        Which numbers of steps to show.
    losses : dict, optional
        {method: losses (S, steps + 1, T), or their Summary}: adds a column with how many
        adaptations have diverged at the last of `steps`. Accuracies do not tell that: a task that
        diverges has 0, and so may another.

    Returns
    -------
    table : str

    Raises
    ------
    ValueError
        If there are no curves or steps, or a step is beyond a curve.

    Examples
    --------
    >>> print(accuracy_table({"MAML": [[0.2, 0.2], [0.6, 0.8]]}, (0, 1)))
                         0 steps               1 steps
      MAML    20.0 +-0.0 (20-20)  70.0 +-127.1 (70-70)
    """
    curves, steps = as_summaries(curves, steps, "accuracy")
    if losses is not None:
        losses, _ = as_summaries(losses, steps, "loss")
        if losses.keys() != curves.keys():
            raise ValueError(f"losses: expected the methods {list(curves)}; got {list(losses)}")
    width = max(len(str(name)) for name in curves)
    lines = [f"  {'':{width}}" + "".join(f"{f'{n} steps':>22s}" for n in steps)]
    lines[0] += "    diverged" if losses else ""
    for name, summary in curves.items():
        seeds, half = 100 * summary.seeds, 100 * summary.halfwidth
        cells = (
            f"{seeds[:, n].mean():.1f} +-{half[n]:.1f} "
            f"({seeds[:, n].min():.0f}-{seeds[:, n].max():.0f})"
            for n in steps
        )
        line = f"  {name:{width}}" + "".join(f"{cell:>22s}" for cell in cells)
        lines.append(line + f"{losses[name].diverged[steps[-1]]:12d}" if losses else line)
    return "\n".join(lines)


def table(curves, steps):
    """Return curves of losses as a table in text.

    At each of `steps`: the mean, (the lowest and highest seed's mean) and the median task; and how
    many adaptations have diverged at the last of them.

    Parameters
    ----------
    curves : dict
        {method: losses (S, steps + 1, T), or their Summary}.
    steps : iterable of int
        Which numbers of steps to show.

    Returns
    -------
    table : str

    Raises
    ------
    ValueError
        If there are no curves or steps, or a step is beyond a curve.

    Examples
    --------
    >>> print(table({"MAML": [[4.0, 4.0], [1.0, 2.0]]}, (0, 1)))
                           0 steps                 1 steps    diverged
      MAML   4.00 (4.00-4.00) 4.00   1.50 (1.50-1.50) 1.50           0
    """
    summaries, steps = as_summaries(curves, steps, "loss")
    width = max(len(str(name)) for name in summaries)
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
