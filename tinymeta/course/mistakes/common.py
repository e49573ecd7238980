"""How a table of switches becomes a table of results, for all exercises."""

import functools
import itertools

FACTORS = {0.0: "missing", -1.0: "with the wrong sign", 2.0: "taken twice", 0.5: "halved"}


def one_each(right, compute, groups):
    """Return {phrase: function}: what is `right`, compute(), and compute(**switches) for each
    {phrase: switches} of the groups."""
    known = {right: compute}
    for group in groups:
        for phrase, switches in group.items():
            known[f"{right} with {phrase}"] = functools.partial(compute, **switches)
    return known


def two_each(right, compute, groups):
    """Return the same for two mistakes at once, one each of two groups."""
    known = {}
    for one, other in itertools.combinations(groups, 2):
        for (a, first), (b, second) in itertools.product(one.items(), other.items()):
            both = first | second
            if "factors" in first and "factors" in second:
                both["factors"] = first["factors"] | second["factors"]
            known[f"{right} with {a}, and {b}"] = functools.partial(compute, **both)
    return known


def switch(name, table, what=""):
    """Return {phrase: {name: function}} of a table {phrase: function}."""
    return {phrase + what: {name: function} for phrase, function in table.items()}


def as_it_is(pairs):
    return pairs
