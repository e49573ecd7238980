"""The contents of the figures of curves: over steps, over training, and on log axes (how they are
read: drawn.py)."""

import numpy as np
import pytest
from drawn import (
    BLACK,
    BLUE,
    DASH_DOTS,
    GREEN,
    GREY,
    IN_ORDER,
    LOOKS,
    ORANGE,
    PINK,
    TRUTH,
    X,
    check,
    check_labels,
    curve,
    dots,
    lines,
    of_seeds,
    read,
    read_labels,
    same,
    skewed,
    ticks,
)
from matplotlib.colors import to_hex

from tinymeta.course import figures, style

# Curves with bands


def test_learning_curves_draws_means_over_tasks_in_bands_from_lowest_to_highest_seed():
    curves = {
        "Reptile": skewed(0, 3, 6, 5) ** 2,
        "random": skewed(1, 3, 6, 5),
        "mine": skewed(2, 4, 6, 3),
        "MAML": skewed(3, 2, 6, 5) / 2,
    }
    for values, end in zip(curves.values(), (7.0, 5.0, 3.0, 1.0)):
        values[:, -1] *= end / values[:, -1].mean()
    looks = {**LOOKS, "mine": LOOKS["transfer"]}  # the first look that no drawn method has
    printed = {"MAML": {1: 2.5, 4: 0.5}, "random": {2: 6.0}}
    figure = figures.plot_learning_curves(curves, "four", 9.0, 7, printed, "loss", ("a line", 8.0))
    drawn, bands, labels = [], [], {"a line": (8.0, GREY)}
    for method, values in curves.items():
        seeds = sum(np.moveaxis(values, 2, 0)) / values.shape[2]
        low, high, mean = of_seeds(seeds)
        colour, style = looks[method]
        bands.append((np.arange(6), low, high, colour))
        drawn.append(curve(np.arange(6), mean, colour, style))
        rings = printed.get(method, {})
        drawn += [dots(step, loss, colour, hollow=True) for step, loss in rings.items()]
        labels[method] = (mean[5], colour)
    xlabel = "steps of gradient descent on the task's 7 points"
    names = {"title": "four", "xlabel": xlabel, "ylabel": "loss"}
    limits = {"xlim": (0, 5), "ylim": (0, 9)}
    check(figure.axes[0], drawn, bands, [(8.0, GREY, "-")], labels=labels, **names, **limits)


def test_learning_curves_draws_nothing_else_by_default():
    (ax,) = figures.plot_learning_curves({"MAML": np.full((1, 3, 1), 7.0)}, "one").axes
    xlabel = "steps of gradient descent on the task's support points"
    names = {"title": "one", "xlabel": xlabel, "ylabel": "mean squared error on new points"}
    line, labels = curve([0, 1, 2], [7, 7, 7], BLUE), {"MAML": (7, BLUE)}
    check(ax, [line], labels=labels, ylim=(0, 7.35), xlim=(0, 2), **names)  # one seed: no band


def test_learning_curves_end_where_the_longest_does_and_a_little_above_the_highest_mean():
    short, long = skewed(0, 3, 2, 4), skewed(1, 2, 6, 5)
    short[:, 0], long[:, :, :] = 0.2, np.linspace(0.1, 0.8, 6)[:, None]
    long[0] += 0.1  # the means over seeds reach 0.85, below the highest seed
    short[:, 1] = 0.3

    def ends(**options):
        (ax,) = figures.plot_learning_curves({"a": long, "b": short}, "", **options).axes
        assert ax.get_xlim() == (0, 5)
        return ax.get_ylim()

    assert ends() == pytest.approx((0, 1.05 * 0.85))
    assert ends(line=("perfect", 1.0)) == pytest.approx((0, 1.05))
    assert ends(printed={"b": {1: 0.9, 0: 0.1}}) == pytest.approx((0, 1.05 * 0.9))
    assert ends(top=0.5) == (0, 0.5)
    long -= 2
    assert ends() == pytest.approx((-1.05 * 1.85, 1.05 * 0.3))


def test_a_curve_ends_where_a_seed_has_diverged_and_the_others_stay_in_sight():
    lost, good = skewed(0, 3, 5, 4), skewed(1, 3, 5, 4)
    lost[:, 2] *= 1 / lost[:, 2].mean()
    good[:, 4] *= 2 / good[:, 4].mean()
    lost[1, 3:, 2], lost[0, 4, 0] = np.nan, np.inf
    curves = {"MAML": lost, "Reptile": good, "joint": np.full((2, 5, 4), np.nan)}
    (ax,) = figures.plot_learning_curves(curves, "").axes
    drawn, bands, labels = [], [], {}
    for (method, values), n in zip(curves.items(), (3, 5, 0)):
        low, high, mean = of_seeds(values.mean(axis=-1))
        colour, style = LOOKS[method]
        drawn.append(
            curve(np.arange(5), np.append(mean[:n], np.full(5 - n, np.nan)), colour, style)
        )
        bands.append((np.arange(n), low[:n], high[:n], colour))
        labels[method] = (mean[n - 1], colour)
    top = 1.05 * max(good.mean(axis=(0, 2)).max(), lost.mean(axis=(0, 2))[:3].max())
    labels["joint"] = (top, GREY)  # nothing of it is finite
    xlabel = "steps of gradient descent on the task's support points"
    names = {"xlabel": xlabel, "ylabel": "mean squared error on new points"}
    check(ax, drawn, bands[:2], labels=labels, xlim=(0, 4), ylim=(0, top), **names)


def test_where_nothing_is_finite_a_figure_has_no_curves():
    (ax,) = figures.plot_learning_curves({"MAML": np.full((2, 1, 4), np.inf)}, "").axes
    assert (ax.get_xlim(), ax.get_ylim()) == ((0, 1), (0, 1))
    ax.figure.draw_without_rendering()


def test_labels_that_are_no_methods_have_looks_that_no_method_here_has():
    spare = [style.METHODS[method] for method in ("random", "MAML")]
    labels = ("own", "MAML", "other", "third")
    wanted = [LOOKS["random"], LOOKS["MAML"], LOOKS["random"], LOOKS["random"]]
    looks = style.pick_looks(labels, spare)
    assert {name: (to_hex(m["color"]), m["linestyle"]) for name, m in looks.items()} == dict(
        zip(labels, wanted)
    )
    assert style.pick_looks(("MAML", "own"), spare[1:]) == {"MAML": spare[1], "own": spare[1]}


def test_along_training_draws_the_mean_over_seeds_in_a_band():
    steps = [0, 30, 1000, 20000]
    values = {
        name: dict(zip(steps, skewed(i, 3, 4, end=end).T.copy()))
        for i, (name, end) in enumerate({"a": 3.0, "b": 1.5, "c": 5.0}.items())
    }
    (ax,) = figures.plot_along_training(values, "training", "ratio").axes
    drawn, bands, labels = [], [], {}
    for (name, by_step), (colour, dashes) in zip(values.items(), IN_ORDER):
        low, high, mean = of_seeds(np.stack([by_step[step] for step in steps], axis=1))
        bands.append((steps, low, high, colour))
        drawn.append(curve(steps, mean, colour, dashes, "o"))
        labels[name] = (mean[3], colour)
    names = {"title": "training", "xlabel": "meta-steps", "ylabel": "ratio", "xscale": "symlog"}
    check(ax, drawn, bands, labels=labels, xlim=(0, 20000), **names)
    assert ax.xaxis.get_transform().linthresh == 100  # linear up to there
    assert (
        figures.plot_along_training(values, "", "", xlabel="steps").axes[0].get_xlabel() == "steps"
    )


def test_bands_draws_the_mean_over_seeds_in_a_band():
    values = {
        "MAML": skewed(0, 3, 5, end=0.3),
        "joint": skewed(1, 4, 5, end=0.6),
        "transfer": skewed(2, 2, 5, end=0.9),
    }
    (ax,) = figures.plot_bands(X, values, "bands", "features", "R^2", top=1).axes
    drawn, bands, labels = seed_bands(X, values)
    names = {"title": "bands", "xlabel": "features", "ylabel": "R^2"}
    check(ax, drawn, bands, labels=labels, xlim=(-3, 4), ylim=(0, 1), **names)
    assert {line.get_markersize() for line in ax.lines} == {3.5}


def test_bands_have_the_ends_of_the_numbers_by_default():
    values = {"MAML": skewed(0, 3, 5), "own": -skewed(1, 2, 5)}
    (ax,) = figures.plot_bands(X, values, "", "", "").axes
    ends = 1.05 * values["own"].min(), 1.05 * values["MAML"].max()
    assert ax.get_ylim() == pytest.approx(ends)
    assert to_hex(ax.lines[1].get_color()) == BLACK  # the first look that no method here has


def seed_bands(x, values):
    drawn, bands, labels = [], [], {}
    for method, seeds in values.items():
        low, high, mean = of_seeds(seeds)
        colour, style = LOOKS[method]
        bands.append((x, low, high, colour))
        drawn.append(curve(x, mean, colour, style, "o"))
        labels[method] = (mean[-1], colour)
    return drawn, bands, labels


@pytest.mark.parametrize(
    "x, shown", [([1, 2, 5, 30], [1, 2, 5, 30]), ([0, 1, 2, 3, 4, 7, 9, 20], [0, 3, 9])]
)
def test_band_panels_draws_every_panel_under_its_title(x, shown):
    panels = {
        "one": {"MAML": skewed(0, 3, len(x), end=0.7), "random": skewed(1, 2, len(x), end=0.3)},
        "two": {"random": skewed(2, 3, len(x), end=0.8), "Reptile": skewed(3, 3, len(x), end=0.5)},
        "three": {"MAML": skewed(4, 3, len(x), end=0.4), "transfer": skewed(5, 3, len(x), end=0.2)},
    }
    axes = figures.plot_band_panels(x, panels, "examples", "accuracy").axes
    assert len(axes) == 4
    assert [ax.get_xlabel() for ax in axes] == ["", "", "examples", "examples"]
    assert [ax.get_ylabel() for ax in axes] == ["accuracy", "", "accuracy", ""]
    for ax, (title, values) in zip(axes, panels.items()):
        drawn, bands, labels = seed_bands(x, values)
        names = {"title": title, "xlabel": ax.get_xlabel(), "ylabel": ax.get_ylabel()}
        limits = {"xlim": (min(x), max(x)), "ylim": (0, 1), "xscale": "symlog"}
        check(ax, drawn, bands, labels=labels, **names, **limits)
        assert [*ax.get_xticks()] == shown
        assert ax.xaxis.get_transform().linthresh == 1
    assert ticks(axes[2].xaxis) == (
        shown,
        [str(tick) for tick in shown],
    )  # shared with the panel below
    assert len(figures.plot_band_panels(x, panels, "", "", columns=3).axes) == 3


def test_mean_and_median_draws_means_left_and_medians_right():
    curves = {"MAML": skewed(0, 3, 4, 5), "random": 5 * skewed(1, 3, 4, 5)}
    curves["MAML"][:, -1], curves["random"][:, -1] = [1, 2, 3, 4, 30], [20, 24, 22, 28, 96]
    curves["random"][1, -1] *= 1.5
    zero = np.array([9.0, 80.0, 12.0, 16.0, 13.0])
    axes = figures.plot_mean_and_median(curves, zero, "error").axes
    assert len(axes) == 2
    of_tasks = {
        "Mean": lambda values: sum(np.moveaxis(values, -1, 0)) / 5,
        "Median": lambda values: np.sort(values, axis=-1)[..., 2],
    }
    for ax, (name, statistic), ylabel in zip(axes, of_tasks.items(), ("error", "")):
        drawn, bands = [], []
        labels = {"predict 0": (statistic(zero), GREY)}
        for method, values in curves.items():
            low, high, mean = of_seeds(statistic(values))
            colour, style = LOOKS[method]
            bands.append((np.arange(4), low, high, colour))
            drawn.append(curve(np.arange(4), mean, colour, style))
            labels[method] = (mean[3], colour)
        names = {"title": f"{name} over tasks; bands: all 3 seeds", "ylabel": ylabel}
        limits = {"xlim": (0, 3), "ylim": axes[0].get_ylim(), "xlabel": "steps of gradient descent"}
        level = (statistic(zero), GREY, "-")
        check(ax, drawn, bands, [level], labels=labels, **names, **limits)
    default = figures.plot_mean_and_median(curves, zero).axes[0].get_ylabel()
    assert default == "squared error on new points"


def test_mean_and_median_count_what_is_not_finite_as_infinite():
    curves = {"own": skewed(0, 3, 4, 5), "MAML": skewed(1, 2, 6, 5)}
    curves["own"][2, 1:, :2] = np.nan  # of one seed, two of five tasks
    left, right = figures.plot_mean_and_median(curves, np.ones(5)).axes
    wanted = sum(np.sort(np.nan_to_num(curves["own"], nan=np.inf))[..., 2]) / 3
    same(right.lines[1].get_ydata(), wanted)
    mean = curves["own"].mean(axis=(0, 2))
    same(left.lines[1].get_ydata(), [mean[0], *3 * [np.nan]])
    assert left.get_title(loc="left") == "Mean over tasks; bands: all 2 or 3 seeds"
    assert left.get_xlim() == right.get_xlim() == (0, 5)


# Over training


def smoothed(history, window):
    """Return each mean of `window` neighbours, by a loop."""
    return np.array(
        [sum(history[i : i + window]) / window for i in range(len(history) + 1 - window)]
    )


def test_history_draws_smoothed_means_in_bands_and_says_the_window():
    histories = {"MAML": skewed(0, 30, 3), "mine": skewed(1, 20, 2), "one": skewed(2, 25)}
    for history, end in zip(histories.values(), (3.0, 6.0, 9.0)):
        history[-7:] *= end / history[-7:].mean()
    (ax,) = figures.plot_history(histories, "three", smooth=7).axes
    drawn, bands, labels, top = [], [], {}, 0
    looks = {"MAML": (BLUE, "-"), "mine": (ORANGE, "--"), "one": (GREEN, "-.")}
    for label, history in histories.items():
        seeds = smoothed(history, 7).reshape(len(history) - 6, -1).T
        low, high, mean = of_seeds(seeds)
        places, (colour, dashes) = np.arange(7, len(history) + 1), looks[label]
        if label != "one":  # one seed has no band
            bands.append((places, low, high, colour))
        drawn.append(curve(places, mean, colour, dashes))
        labels[label], top = (mean[-1], colour), max(top, *high)
    names = {"title": "three", "xlabel": "meta-steps", "ylabel": "meta-loss, mean of 7 meta-steps"}
    limits = {"xlim": (0, 30), "ylim": (0, 1.05 * top), "yscale": "linear"}
    check(ax, drawn, bands, labels=labels, **names, **limits)


def test_history_on_a_log_axis_draws_the_same_numbers():
    history = skewed(0, 6, 2) ** 3
    (ax,) = figures.plot_history({"Reptile": history}, "", 1, log=True).axes
    low, high, mean = of_seeds(history.T)
    names = {"xlabel": "meta-steps", "ylabel": "meta-loss", "yscale": "log"}
    places, labels = np.arange(1, 7), {"Reptile": (mean[-1], GREEN)}
    band = (places, low, high, GREEN)
    check(ax, [curve(places, mean, GREEN, "-.")], [band], labels=labels, xlim=(0, 6), **names)


def test_of_a_long_history_each_twentieth_of_a_window_is_drawn_up_to_the_last():
    history = skewed(0, 1010)
    (ax,) = figures.plot_history({"MAML": history}, "").axes
    assert ax.get_ylabel() == "meta-loss, mean of 50 meta-steps"  # a twentieth of all
    (x, y), _ = read(ax.lines[0])
    same(x, np.arange(50, 1011, 2))
    same(y, smoothed(history, 50)[::2])


@pytest.mark.parametrize(
    "shape, smooth, window, log",
    [((1,), None, 1, False), ((1, 3), 9, 1, True), ((5,), 9, 5, False)],
)
def test_a_history_of_few_meta_steps_is_a_dot(shape, smooth, window, log):
    history = skewed(0, *shape)
    (ax,) = figures.plot_history({"MAML": history}, "", smooth, log).axes
    numbers, look = read(ax.lines[0])
    same(numbers, [[shape[0]], [history.mean()]])
    assert look == (BLUE, "-", "o", BLUE)
    assert not ax.lines[0].get_clip_on()  # it is on the edge
    assert ax.get_ylabel() == "meta-loss" + (", mean of 5 meta-steps" if window == 5 else "")
    ax.figure.draw_without_rendering()


def test_a_short_history_is_drawn_as_it_is():
    history = skewed(0, 19)
    (ax,) = figures.plot_history({"MAML": history}, "").axes
    same(read(ax.lines[0])[0], [np.arange(1, 20), history])
    assert ax.get_ylabel() == "meta-loss"


def test_the_window_is_at_most_the_shortest_history():
    (ax,) = figures.plot_history({"a": np.ones(200), "b": np.full(4, 2.0)}, "").axes
    assert ax.get_ylabel() == "meta-loss, mean of 4 meta-steps"
    assert [len(line.get_xdata()) for line in ax.lines] == [197, 1]


@pytest.mark.parametrize("log", [False, True])
def test_a_history_ends_where_a_seed_is_not_finite_and_the_others_stay_in_sight(log):
    lost, good = skewed(0, 12, 3), skewed(1, 12, 2)
    lost[8:, 1], lost[11, 0] = np.nan, np.inf
    histories = {"lost": lost, "MAML": good, "never": np.full(12, np.nan)}
    (ax,) = figures.plot_history(histories, "", 2, log).axes
    numbers = [read(line)[0] for line in ax.lines]
    same(numbers[0][1], [*smoothed(lost, 2).mean(axis=1)[:7], *4 * [np.nan]])
    same(numbers[1][1], smoothed(good, 2).mean(axis=1))
    assert np.isnan(numbers[2][1]).all()
    top = max(smoothed(lost, 2)[:7].max(), smoothed(good, 2).max())
    assert top < ax.get_ylim()[1] < 2 * top
    assert {*read_labels(ax)} == {*histories}
    assert ax.get_ylabel() == "meta-loss, mean of 2 meta-steps"
    ax.figure.draw_without_rendering()


@pytest.mark.parametrize("log", [False, True])
def test_a_history_of_nothing_finite_has_an_empty_figure(log):
    (ax,) = figures.plot_history({"MAML": np.full((9, 2), np.nan)}, "", log=log).axes
    ax.figure.draw_without_rendering()
    assert (ax.get_xlim(), ax.get_ylim()) == ((0, 9), (0, 1))


HISTORY = "histories: expected (iterations,) or (iterations, S), at least one of each; got shape "
NO_HISTORY = {
    "none": ({}, None, "histories: expected at least one {label: history}; got none"),
    "no meta-steps": ({"a": np.ones(3), "b": np.ones((0, 5))}, None, HISTORY + "(0, 5) for 'b'"),
    "no seeds": ({"a": np.ones((5, 0))}, None, HISTORY + "(5, 0) for 'a'"),
    "a number": ({"a": 1.0}, None, HISTORY + "() for 'a'"),
    "no window": ({"a": np.ones(3)}, 0, "smooth: expected a whole number of at least 1; got 0"),
}


@pytest.mark.parametrize("histories, smooth, message", NO_HISTORY.values(), ids=[*NO_HISTORY])
def test_history_refuses_what_it_cannot_draw(histories, smooth, message):
    with pytest.raises(ValueError) as error:
        figures.plot_history(histories, "", smooth)
    assert str(error.value) == message


# On log axes


def test_gradient_check_draws_the_differences_and_one_level_per_gradient():
    h, errors = np.array([1e-3, 1e-1, 1e-8, 1e-5]), np.array([1e-6, 1e-2, 1e-7, 1e-10])
    levels = {"exact": 1e-15, "first order": 1.0, "nearly": 1e-5, "worse": 1e-12}
    (ax,) = figures.plot_gradient_check(h, errors, levels, "check").axes
    looks = [(GREEN, "-."), (ORANGE, "--"), (PINK, DASH_DOTS), (BLACK, ":")]
    drawn = [(error, *look) for error, look in zip(levels.values(), looks)]
    labels = {name: (error, colour) for name, (error, colour, _) in zip(levels, drawn)}
    labels["central differences"] = (1e-2, BLUE)  # at the largest h
    names = {
        "title": "check",
        "xlabel": "h, the step of the differences",
        "ylabel": "relative error",
    }
    scales = {"xlim": (1e-8, 1e-1), "xscale": "log", "yscale": "log"}
    check(ax, [curve(h, errors, BLUE, "-", "o")], [], drawn, labels=labels, **names, **scales)


def test_remainders_draws_each_method_and_the_slope_of_alpha_squared():
    alphas = np.array([3e-3, 1e-1, 1e-3, 2e-2])
    panels = {
        "tanh": {
            "MAML": np.array([1e-5, 3e-2, 1e-6, 5e-4]),
            "Reptile": np.array([2e-3, 9.0, 1e-4, 0.2]),
        },
        "ReLU": {
            "Reptile": np.array([1e-2, 0.5, 4e-4, 0.1]),
            "joint": np.array([5e-5, 40.0, 3e-6, 6e-3]),
        },
    }
    axes = figures.plot_remainders(alphas, panels, "left over").axes
    assert len(axes) == 2
    lowest = {"tanh": 3e-2, "ReLU": 0.5}  # the lowest remainder at the largest alpha
    for ax, (title, values), ylabel in zip(axes, panels.items(), ("left over", "")):
        drawn, labels = [], {}
        for method, remainder in values.items():
            colour, style = LOOKS[method]
            drawn.append(curve(alphas, remainder, colour, style, "o"))
            labels[method] = (remainder[1], colour)
        square = lowest[title] / 5 * np.array([9e-4, 1.0, 1e-4, 0.04])
        drawn.append(curve(alphas, square, TRUTH))
        labels["alpha squared"] = (square[1], GREY)
        names = {"title": title, "ylabel": ylabel, "xlabel": "alpha, the rate of the inner steps"}
        limits = {
            "xlim": (1e-3, 1e-1),
            "ylim": axes[0].get_ylim(),
            "xscale": "log",
            "yscale": "log",
        }
        check(ax, drawn, labels=labels, **names, **limits)
        assert not any(tick.label1.get_visible() for tick in ax.xaxis.get_minor_ticks(2))


def test_either_side_draws_the_two_sides_of_the_threshold_in_two_looks():
    panels = {
        "one": (np.array([0.5, 3.0, 2.0, 7.0]), np.array([0.1, 5.0, 2.0, 40.0])),
        "two": (np.array([2.5, 0.1, 1.0, 2.0, 9.0]), np.array([3.0, 0.2, 0.5, 6.0, 0.01])),
    }
    sides = {
        "one": (
            ([0.5, 2.0], [0.1, 2.0]),
            ([3.0, 7.0], [5.0, 40.0]),
        ),  # x at the threshold counts as left
        "two": (([0.1, 1.0, 2.0], [0.2, 0.5, 6.0]), ([2.5, 9.0], [3.0, 0.01])),
    }
    axes = figures.plot_either_side(panels, 2.0, "rate", "loss").axes
    assert len(axes) == 2
    for ax, title, ylabel in zip(axes, panels, ("loss", "")):
        left, right = sides[title]
        drawn = [dots(*left, BLUE), dots(*right, ORANGE, "^")]
        names = {"title": title, "xlabel": "rate", "ylabel": ylabel, "yscale": "log"}
        limits = {"xlim": axes[0].get_xlim(), "ylim": axes[0].get_ylim()}
        check(ax, drawn, levels=[(1.0, GREY, "-")], places=[(2.0, GREY)], **names, **limits)


def test_differences_draws_means_and_intervals_side_by_side():
    x = [1, 4, 10, 30]
    values = {
        "a": (np.array([3.0, -1.0, 2.0, 5.0]), np.array([0.5, 2.0, 0.1, 1.0])),
        "b": (np.array([-2.0, 4.0, 0.0, -3.0]), np.array([1.5, 0.2, 0.3, 0.7])),
        "c": (np.array([6.0, 0.0, -4.0, 1.0]), np.array([0.4, 0.6, 1.1, 0.2])),
    }
    (ax,) = figures.plot_differences(x, values, "differences", "examples", "points").axes
    through, (zero,), _ = lines(ax)
    assert (*zero.get_ydata(), to_hex(zero.get_color())) == (0, 0, GREY)
    assert len(ax.containers) == 3
    for i, (drawn, (mean, half), look) in enumerate(zip(ax.containers, values.values(), IN_ORDER)):
        line, caps, (bars,) = drawn
        (places, means), seen = read(line)
        beside = [place * (1, 1.04, 1.04 * 1.04)[i] for place in x]
        same(places, beside)
        same(means, mean)
        assert seen == read(curve([], [], *look, "o"))[1]
        ends = [[(at, m - h), (at, m + h)] for at, m, h in zip(beside, mean, half)]
        same(bars.get_segments(), ends)
        same([cap.get_ydata() for cap in caps], [mean - half, mean + half])
        assert to_hex(bars.get_color()[0]) == look[0]
    labels = {name: (mean[3], IN_ORDER[i][0]) for i, (name, (mean, _)) in enumerate(values.items())}
    check_labels(read_labels(ax), labels)
    assert (ax.get_title(loc="left"), ax.get_xlabel(), ax.get_ylabel()) == (
        "differences",
        "examples",
        "points",
    )
    assert ax.get_xscale() == "log" and ax.get_xlim() == pytest.approx((0.9, 36))
    assert ticks(ax.xaxis) == (x, ["1", "4", "10", "30"]) and not [*ax.xaxis.get_minorticklocs()]
