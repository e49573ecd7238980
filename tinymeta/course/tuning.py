"""Tuning alike: each method gets the same number of settings, on validation tasks."""

import numpy as np


def search(candidates, loss):
    """Return a table of the loss of every setting of every method, the best of each method first.

    Parameters
    ----------
    candidates : dict of {str: list of dict}
        The settings to try, by method; as many for each.
    loss : function
        `loss(method, **settings)` returns one number per network, (S,), on validation tasks.

    Returns
    -------
    table : str

    Raises
    ------
    ValueError
        If one method has more settings than another.

    Examples
    --------
    >>> candidates = {"MAML": [{"inner_lr": 0.01}, {"inner_lr": 0.02}]}
    >>> print(search(candidates, lambda method, inner_lr: np.array([1.0, 3.0]) - 10 * inner_lr))
    method  settings       loss  (lowest-highest of 2 networks)
    MAML    inner_lr=0.02  1.800 (0.800-2.800)
    MAML    inner_lr=0.01  1.900 (0.900-2.900)
    """
    if len(counts := {len(settings) for settings in candidates.values()}) > 1:
        raise ValueError(
            f"candidates: expected as many settings for each method; got {sorted(counts)}"
        )
    rows = []
    for method, settings in candidates.items():
        found = [(np.asarray(loss(method, **chosen)), chosen) for chosen in settings]
        # a setting with which a network diverges is the worst
        found.sort(key=lambda pair: np.nan_to_num(pair[0].mean(), nan=np.inf))
        for losses, chosen in found:
            words = ", ".join(f"{name}={value}" for name, value in chosen.items())
            ends = f"{losses.mean():.3f} ({losses.min():.3f}-{losses.max():.3f})"
            rows.append((method, words, ends))
    head = "method", "settings", f"loss  (lowest-highest of {len(losses)} networks)"
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(2)]
    return "\n".join(
        f"{method:{widths[0]}}  {words:{widths[1]}}  {ends}"
        for method, words, ends in (head, *rows)
    )
