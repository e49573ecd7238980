"""The contents of the figures of one task or a few (how they are read: drawn.py)."""

import numpy as np
import pytest
from drawn import (
    BLACK,
    BLUE,
    DASH_DOTS,
    GREEN,
    GREY,
    IN_ORDER,
    ORANGE,
    PINK,
    TRUTH,
    X,
    check,
    check_labels,
    curve,
    dots,
    network,
    one_task,
    read_labels,
    skewed,
)

from tinymeta import MLP, TaskBatch
from tinymeta.course import figures

# One task or a few


def test_few_tasks_draws_each_task_in_its_look_with_its_points():
    rng = np.random.default_rng(0)
    x = np.broadcast_to(X[:, None], (6, 5, 1))
    y = rng.uniform(-2, 4, (6, 5, 1))
    y[:, -1, 0] = [1.0, -2.0, 4.0, 0.0, 3.0, -1.0]
    points, values = rng.uniform(-3, 4, (6, 2, 1)), rng.standard_normal((6, 2, 1))
    figure = figures.plot_few_tasks(TaskBatch(points, values, x, y))
    looks = [*IN_ORDER, (PINK, DASH_DOTS), (BLACK, ":"), (BLUE, "-")]
    curves, labels = [], {}
    for i, (colour, dashes) in enumerate(looks):
        curves.append(curve(X, y[i, :, 0], colour, dashes))
        curves.append(dots(points[i, :, 0], values[i, :, 0], colour))
        labels[f"task {i + 1}"] = (y[i, -1, 0], colour)
    title, names = "6 tasks, 2 points of each", {"xlabel": "x", "ylabel": "y"}
    check(figure.axes[0], curves, labels=labels, title=title, xlim=(-3, 4), **names)


def test_few_tasks_with_query_points_in_any_order_are_drawn_from_left_to_right():
    x, y = np.array([[[4.0], [-3.0], [1.0]]]), np.array([[[2.0], [5.0], [-1.0]]])
    points, values = np.array([[[6.0], [-4.0]]]), np.ones((1, 2, 1))
    (ax,) = figures.plot_few_tasks(TaskBatch(points, values, x, y)).axes
    drawn = [curve([-3, 1, 4], [5, -1, 2], BLUE), dots([6, -4], [1, 1], BLUE)]
    names = {"title": "1 task, 2 points of each", "xlabel": "x", "ylabel": "y"}
    check(ax, drawn, labels={"task 1": (2, BLUE)}, xlim=(-4, 6), **names)


def test_many_tasks_draws_every_task():
    y = skewed(0, 7, 5)
    (ax,) = figures.plot_many_tasks(X, y, "many").axes
    curves = [curve(X, task, BLUE) for task in y]
    check(ax, curves, title="many", xlabel="x", ylabel="y", xlim=(-3, 4))


def test_fits_draws_truth_guesses_dots_and_rings():
    truth = (X[:, None], np.array([0.5, -3.0, 1.0, 4.0, 2.5])[:, None])
    guesses = {
        name: np.append(skewed(i, 4), end)[:, None]
        for i, (name, end) in enumerate({"one": -4.0, "two": 6.0, "three": 0.0}.items())
    }
    support, query = skewed(5, 2, 3), -skewed(6, 2, 4)
    (ax,) = figures.plot_fits(support, query, truth, guesses, "fits", "true sine").axes
    curves, labels = [curve(X, truth[1][:, 0], TRUTH)], {"true sine": (2.5, GREY)}
    for (name, guess), look in zip(guesses.items(), IN_ORDER):
        curves.append(curve(X, guess[:, 0], *look))
        labels[name] = (guess[4, 0], look[0])
    curves += [dots(*query, PINK, hollow=True), dots(*support, BLACK)]
    names = {"title": "fits", "xlabel": "x", "ylabel": "y"}
    check(ax, curves, labels=labels, xlim=(-3, 4), ylim=(-6, 8), **names)


@pytest.mark.parametrize("shift, ends", [(10, (0, 28)), (-10, (-26, 0))])
def test_fits_of_a_function_that_is_nowhere_0_are_in_sight(shift, ends):
    y = np.array([-3.0, 0.5, 4.0, 1.0, 2.0]) + shift
    (ax,) = figures.plot_fits((X, y), (X, y), (X, y), {}, "").axes
    assert ax.get_ylim() == pytest.approx(ends)
    check_labels(read_labels(ax), {"true function": (shift + 2, GREY)})


def after_steps(model, theta, task, rate, steps, x=None):
    """Return the network's outputs (n,) at x (n,), by default the query points, by gradient descent
    written out."""
    for _ in range(steps):
        theta = theta - rate * model.grad(theta, task.x_support[0], task.y_support[0])
    return model.predict(theta, task.x_query[0] if x is None else x[:, None])[:, 0]


ADAPTED = [(PINK, ":"), (ORANGE, "--"), (BLUE, "-"), (GREEN, "-.")]


def x_range(task):
    x = [*task.x_support.ravel(), *task.x_query.ravel()]
    return min(x), max(x)


def adaptation_lines(model, theta, task, rate, steps):
    x, y = task.x_query[0, :, 0], task.y_query[0, :, 0]
    curves = [curve(x, y, TRUTH), dots(task.x_support[0], task.y_support[0], BLACK)]
    labels = {"true sine": (y[-1], GREY)}
    for n, (colour, dashes) in zip(steps, ADAPTED):
        out = after_steps(model, theta, task, rate, n)
        curves.append(curve(x, out, colour, dashes))
        labels[{0: "before", 1: "1 step"}.get(n, f"{n} steps")] = (out[-1], colour)
    return curves, labels


@pytest.mark.parametrize("steps", [(0, 1, 10), (3, 0, 7, 1)])
def test_adaptation_draws_the_network_after_each_number_of_steps(steps):
    (model, theta), task = network(), one_task(2)
    (ax,) = figures.plot_adaptation(model, theta, {"one": task}, 0.1, steps, "true sine").axes
    curves, labels = adaptation_lines(model, theta, task, 0.1, steps)
    drawn = read_labels(ax)
    check(ax, curves, labels=drawn, title="one", xlabel="x", ylabel="y", xlim=x_range(task))
    assert {text: colour for text, (_, colour) in drawn.items()} == {
        text: colour for text, (_, colour) in labels.items()
    }
    outs = [line.get_ydata() for line in curves[2:]]
    apart = [abs(a - b).max() for i, a in enumerate(outs) for b in outs[:i]]
    assert min(apart) > 0.1  # otherwise exchanged curves could pass


def test_adaptation_draws_each_task_under_its_title():
    model, theta = network()
    examples = {"first": one_task(2), "second": one_task(3)}
    for task, ends in zip(examples.values(), (9.0, -9.0)):
        task.y_query[0, -1] = ends
    steps = (1, 12)
    axes = figures.plot_adaptation(model, theta, examples, 0.1, steps, truth="true sine").axes
    assert len(axes) == 2
    for ax, (title, task), ylabel in zip(axes, examples.items(), ("y", "")):
        curves, labels = adaptation_lines(model, theta, task, 0.1, steps)
        names = {"title": title, "xlabel": "x", "ylabel": ylabel}
        check(ax, curves, labels=labels, xlim=x_range(task), ylim=axes[0].get_ylim(), **names)


def test_adaptation_takes_0_1_and_10_steps_by_default():
    (model, theta), task = network(), one_task(2)
    (ax,) = figures.plot_adaptation(model, theta, {"one": task}, 0.1, truth="true sine").axes
    curves, labels = adaptation_lines(model, theta, task, 0.1, (0, 1, 10))
    assert {*read_labels(ax)} == {*labels}
    check(ax, curves, labels=read_labels(ax), title="one", xlabel="x", ylabel="y")


def test_adaptation_to_a_function_whose_samples_are_in_any_order_is_the_same_figure():
    (model, theta), task = network(), one_task(2)
    order = [3, 0, 5, 1, 4, 2]
    mixed = task._replace(x_query=task.x_query[:, order], y_query=task.y_query[:, order])
    (ax,) = figures.plot_adaptation(model, theta, {"": mixed}, 0.1, truth="step function").axes
    curves, labels = adaptation_lines(model, theta, task, 0.1, (0, 1, 10))
    drawn = read_labels(ax)
    check(ax, curves, labels=drawn, xlabel="x", ylabel="y", xlim=x_range(task))
    assert {*drawn} == {*labels} - {"true sine"} | {"step function"}


def own_task(n_query):
    """Return a TaskBatch with T = 1 of noisy points of a straight line, in no order."""
    rng = np.random.default_rng(4)
    x = rng.permutation(np.linspace(20, 30, 5 + n_query))[None, :, None]
    y = 0.7 * x - 16 + 0.2 * rng.standard_normal(x.shape)
    return TaskBatch(x[:, :5], y[:, :5], x[:, 5:], y[:, 5:])


@pytest.mark.parametrize("n_query", [0, 1, 7])
def test_adaptation_to_other_points_draws_them_as_rings_and_the_network_between_all(n_query):
    (model, theta), task = network(), own_task(n_query)
    (ax,) = figures.plot_adaptation(model, theta, {"a line": task}, 0.01, (0, 1, 20)).axes
    low, high = x_range(task)
    x = low + (high - low) * np.linspace(-0.05, 1.05, 200)
    curves, names = [dots(task.x_support[0], task.y_support[0], BLACK)], {"before": PINK}
    if n_query:
        curves.insert(0, dots(task.x_query[0], task.y_query[0], GREY, hollow=True))
        names["query points"] = GREY
    for n, look in zip((0, 1, 20), ADAPTED):
        curves.append(curve(x, after_steps(model, theta, task, 0.01, n, x), *look))
    names |= {"1 step": ORANGE, "20 steps": BLUE}
    drawn = read_labels(ax)
    assert {text: colour for text, (_, colour) in drawn.items()} == names
    ends = {"xlim": (x[0], x[-1]), "title": "a line", "xlabel": "x", "ylabel": "y"}
    check(ax, curves, labels=drawn, within=1e-6, **ends)
    outs = [line.get_ydata() for line in curves[-3:]]
    assert min(abs(a - b).max() for i, a in enumerate(outs) for b in outs[:i]) > 0.1


def test_the_label_of_the_rings_is_beside_the_one_on_the_right():
    model, theta = MLP([1, 6, 1]), np.zeros(19)
    x, y = np.array([[[2.0], [5.0], [-1.0]]]), np.array([[[3.0], [10.0], [-4.0]]])
    task = TaskBatch(0 * x, 0 * x, x, y)
    (ax,) = figures.plot_adaptation(model, theta, {"": task}, 0.1).axes
    assert read_labels(ax)["query points"] == (pytest.approx(10), GREY)


def test_adaptation_to_a_single_point_has_room_on_both_sides():
    (model, theta), x = network(), np.full((1, 1, 1), 3.0)
    task = TaskBatch(x, x, x[:, :0], x[:, :0])
    (ax,) = figures.plot_adaptation(model, theta, {"": task}, 0.1).axes
    assert ax.get_xlim() == pytest.approx((2.5, 3.5))


def test_adaptation_at_a_rate_that_is_too_high_leaves_the_points_in_sight():
    model, theta = MLP([1, 6, 1]), np.ones(19)
    task = own_task(7)
    (ax,) = figures.plot_adaptation(model, theta, {"": task}, 10.0, (0, 1, 400)).axes
    y = np.append(task.y_support, task.y_query)
    room = y.max() - y.min() + abs(y).max()
    low, high = ax.get_ylim()
    assert y.min() - room == pytest.approx(low) and y.max() < high <= y.max() + room
    labels = read_labels(ax)
    assert {*labels} == {"before", "1 step", "400 steps: diverged", "query points"}
    assert labels["400 steps: diverged"][0] == pytest.approx(high)


ONE = one_task(2)
TWO_TASKS = TaskBatch(*(np.concatenate((array, array)) for array in ONE))
TWO_INPUTS = ONE._replace(x_support=np.ones((1, 4, 2)))
TWO_OUTPUTS = ONE._replace(y_query=np.ones((1, 6, 2)))
NO_QUERY = ONE._replace(x_query=np.ones((1, 0, 1)), y_query=np.ones((1, 0, 1)))
EXPECTED = "examples: expected one task with one input and one output, arrays (1, K, 1); got "
REFUSED = {
    "two tasks": ({"a": TWO_TASKS}, {}, EXPECTED + "x_support (2, 4, 1) in 'a'"),
    "two inputs": ({"b": ONE, "a": TWO_INPUTS}, {}, EXPECTED + "x_support (1, 4, 2) in 'a'"),
    "two outputs": ({"a": TWO_OUTPUTS}, {}, EXPECTED + "y_query (1, 6, 2) in 'a'"),
    "no tasks axis": (
        {"a": TaskBatch(*(q[0] for q in ONE))},
        {},
        EXPECTED + "x_support (4, 1) in 'a'",
    ),
    "no TaskBatch": ({"a": X}, {}, EXPECTED + "x_support () in 'a'"),
    "no task": ({}, {}, "examples: expected at least one {title: task}; got none"),
    "no samples": (
        {"a": NO_QUERY},
        {"truth": "true"},
        "truth: expected None where there are no query points; got 'true' for 'a'",
    ),
    "five stages": ({"a": ONE}, {"steps": range(5)}, "steps: expected at most 4 of them; got 5"),
    "two networks": (
        {"a": ONE},
        {"theta": np.ones((2, 19))},
        "theta: expected one network, (P,); got shape (2, 19)",
    ),
}


@pytest.mark.parametrize("examples, changes, message", REFUSED.values(), ids=[*REFUSED])
def test_adaptation_refuses_what_it_would_draw_wrongly(examples, changes, message):
    model, theta = network()
    given = {"theta": theta, "examples": examples, "inner_lr": 0.1, **changes}
    with pytest.raises(ValueError) as error:
        figures.plot_adaptation(model, **given)
    assert str(error.value) == message


def test_beside_one_task_draws_one_line_per_curve_and_a_label_at_their_mean():
    panels = {
        "left": (
            np.array([1.0, 0.0, 2.0, -1.0, 0.5]),
            {"a": skewed(0, 5, end=2), "b": skewed(1, 3, 5, end=4)},
        ),
        "right": (
            np.array([0.0, 3.0, 1.0, 1.0, 6.0]),
            {"b": -skewed(2, 2, 5, end=1), "a": skewed(3, 5, end=3)},
        ),
    }
    axes = figures.plot_beside_one_task(X, panels).axes
    assert len(axes) == 2
    for ax, (title, (task, drawn)), ylabel in zip(axes, panels.items(), ("y", "")):
        curves, labels = [curve(X, task, TRUTH)], {"one task": (task[4], GREY)}
        for (name, values), look in zip(drawn.items(), IN_ORDER):
            values = values.reshape(-1, 5)
            curves += [curve(X, line, *look) for line in values]
            labels[name] = (sum(values[:, 4]) / len(values), look[0])
        names = {"title": title, "xlabel": "x", "ylabel": ylabel}
        check(ax, curves, labels=labels, xlim=(-3, 4), ylim=axes[0].get_ylim(), **names)


def test_gallery_draws_each_task_before_and_after():
    panels, truths = {}, {}
    for i, name in enumerate(("one", "two", "three", "four")):
        task = one_task(i, grid=5)
        task.x_support[0, 0] = (0.5, -7.0, 8.0, 0.5)[i]  # left or right of the query points
        top = abs(task.y_query).max()
        task.y_query[0, -1], before, after = 0.5 * top, skewed(i, 5, 1), -skewed(i + 9, 5, 1)
        before[-1], after[-1], truths[name] = 1.2 * top, -0.7 * top, top
        panels[name] = (task, before, after)
    sorted_task, *sorted_outputs = panels["four"]
    mixed = {"x_query": sorted_task.x_query[:, ::-1], "y_query": sorted_task.y_query[:, ::-1]}
    panels["four"] = (sorted_task._replace(**mixed), *(out[::-1] for out in sorted_outputs))
    axes = figures.plot_gallery(panels).axes
    assert len(axes) == 6 and not any(ax.lines or ax.texts for ax in axes[4:])
    for ax, (title, (task, before, after)) in zip(axes, panels.items()):
        if title == "four":  # was given in another order
            task, before, after = sorted_task, *sorted_outputs
        x, y = task.x_query[0, :, 0], task.y_query[0, :, 0]
        curves = [
            curve(x, y, TRUTH),
            curve(x, before[:, 0], PINK, ":"),
            curve(x, after[:, 0], BLUE),
        ]
        curves.append(dots(task.x_support[0], task.y_support[0], BLACK))
        labels = {
            "true": (y[-1], GREY),
            "before": (before[-1, 0], PINK),
            "after": (after[-1, 0], BLUE),
        }
        top = 2.2 * truths[title]
        check(ax, curves, labels=labels, title=title, xlim=x_range(task), ylim=(-top, top))
    places = [
        (place.rowspan.start, place.colspan.start)
        for place in (ax.get_subplotspec() for ax in axes)
    ]
    assert places == [(row, column) for row in range(2) for column in range(3)]
    for n in (1, 2):
        assert len(figures.plot_gallery(dict([*panels.items()][:n]), columns=1).axes) == n
