"""A search over settings: fair in number, sorted, and spoiled by no divergence."""

import numpy as np
import pytest

from tinymeta.course.tuning import search

CANDIDATES = {
    "MAML": [{"inner_lr": 0.01, "k": 1}, {"inner_lr": 0.02, "k": 1}, {"inner_lr": 0.5, "k": 1}],
    "Reptile": [{"inner_lr": 0.01}, {"inner_lr": 0.02}, {"inner_lr": 0.04}],
}


def loss(method, inner_lr, k=3):
    if inner_lr == 0.5:
        return np.array([0.1, np.nan])
    return np.array([1.0, 2.0]) * abs(inner_lr - 0.02) * (1 if method == "MAML" else 10) + 1


def test_each_method_has_all_its_settings_the_best_first():
    assert search(CANDIDATES, loss).splitlines() == [
        "method   settings            loss  (lowest-highest of 2 networks)",
        "MAML     inner_lr=0.02, k=1  1.000 (1.000-1.000)",
        "MAML     inner_lr=0.01, k=1  1.015 (1.010-1.020)",
        "MAML     inner_lr=0.5, k=1   nan (nan-nan)",
        "Reptile  inner_lr=0.02       1.000 (1.000-1.000)",
        "Reptile  inner_lr=0.01       1.150 (1.100-1.200)",
        "Reptile  inner_lr=0.04       1.300 (1.200-1.400)",
    ]


def test_a_method_with_more_settings_is_refused():
    unfair = {**CANDIDATES, "MAML": CANDIDATES["MAML"][:2]}
    with pytest.raises(ValueError, match=r"candidates: expected as many .*; got \[2, 3\]"):
        search(unfair, loss)
