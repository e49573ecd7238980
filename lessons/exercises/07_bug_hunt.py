# %% [markdown]
"""
# Exercise 7: hunt six bugs

Before it: lessons 03, 04 and 06. implementations.py has seven implementations of MAML, A to G. Six
are wrong, each in a way that has been published; one is right. All seven train, and all seven
curves look well. Find out which is which, from numbers, before you read the code. Time: an hour;
the training takes ten seconds or so.

    python 07_bug_hunt.py             the whole hunt; --quick: a short training
"""

# %%
import numpy as np
from implementations import ALL

from tinymeta import MLP, Adam, SineTasks, TaskBatch, checks, maml_grad, meta_loss, meta_train
from tinymeta.course import grading, style
from tinymeta.extras import autopsy
from tinymeta.course.lesson import Lesson

# %%
INNER_LR = 0.05  # alpha
lesson = Lesson("07_bug_hunt", iterations=800, quick=100)
model = MLP([1, 20, 20, 1], "tanh")
start = model.init(lesson.rng("initialisation"))
tasks = SineTasks()
test = tasks.sample(lesson.rng("test tasks"), 100, shots=10, query=50, grid=True)

# %% [markdown]
"""
## They all train

Two tasks a meta-step, one inner step. The curve is the loss that each implementation reports
itself; then 100 new tasks, each fine-tuned by the implementation's own `adapt`.
"""

# %%
curves, initialisations = {}, {}
for letter, implementation in ALL.items():
    initialisations[letter], history = meta_train(
        implementation.meta_grad, model, start, tasks, rng=lesson.rng("training tasks"),
        iterations=lesson.iterations, meta_batch_size=2, shots=10, inner_lr=INNER_LR,
        optimizer=Adam(6e-3), callback=lesson.progress(letter),
    )
    curves[letter] = [part.mean() for part in np.array_split(history, 10)]


def after(letter, steps):
    """Return the mean squared error on the test tasks, each fine-tuned for some steps."""
    adapt, start, losses = ALL[letter].adapt, initialisations[letter], []
    for x, y, x_query, y_query in zip(*test):
        theta = adapt(model, start, x, y, INNER_LR, steps)
        losses.append(model.loss(theta, x_query, y_query))
    return np.mean(losses)


print(
    "\n   loss that it reports, first and last tenth of training; "
    "on test tasks after 0, 1, 10 steps of its own"
)
for letter, curve in curves.items():
    tested = (f"{after(letter, n):6.2f}" for n in (0, 1, 10))
    print(f"{letter}  {curve[0]:6.2f} {curve[-1]:6.2f}           ", *tested)

# %%
figure, ax = style.new_figure()
five = (style.BLUE, style.ORANGE, style.GREEN, style.PINK, style.BLACK)
looks = zip(five + five[:2], ("-", "--", "-", "-.", "-", "--", "-."))
middles = (np.arange(10) + 0.5) * lesson.iterations / 10  # of the tenths of training
ends = []
for (letter, curve), (colour, line) in zip(curves.items(), looks):
    ax.plot(middles, curve, line, color=colour, zorder=2 + (line != "-"))
    ends.append((curve[-1], letter, colour))
ax.set(xlim=(0, lesson.iterations), xlabel="meta-steps")
ax.set(ylim=(0, None), ylabel="loss that each reports")
ax.set_title("Seven implementations, one of them right", loc="left")
style.label_ends(ax, ends)
first, last = (np.array([curve[i] for curve in curves.values()]) for i in (0, -1))
lesson.save(
    figure,
    "curves",
    f"From between {first.min():.2f} and {first.max():.2f} all seven fall, "
    f"to between {last.min():.2f} and {last.max():.2f}; the lowest is {[*curves][last.argmin()]}.",
)

# %% [markdown]
"""
## Your tools

`off` says how far a meta-gradient is from the derivative of the meta-loss. It should be 1e-15 on
*every* problem. Where it is not is the clue: on tanh but not on ReLU? With three tasks but not with
one? With no inner step at all? On a network without hidden layers? `off_fine_tuning` holds `adapt`
against the gradient. `autopsy.examine` says more, where it knows the mistake.
"""


# %%
def example(sizes=(2, 5, 4, 3), activation="tanh", n_tasks=3):
    """Return a model, a theta, and tasks of numbers that mean nothing."""
    rng = np.random.default_rng(1)
    model = MLP(sizes, activation)
    x, y = (rng.standard_normal((n_tasks, 11, size)) for size in (sizes[0], sizes[-1]))
    return model, 2 * model.init(rng), TaskBatch(x[:, :6], y[:, :6], x[:, 6:], y[:, 6:])


def off(meta_grad, steps=1, inner_lr=0.1, **problem):
    model, theta, batch = example(**problem)
    truth = checks.complex_step(lambda t: meta_loss(model, t, batch, inner_lr, steps), theta)
    return checks.relative_error(meta_grad(model, theta, batch, inner_lr, steps)[1], truth)


def off_fine_tuning(adapt, inner_lr=0.1, **problem):
    model, theta, (x, y, *_) = example(**problem)
    way = (theta - adapt(model, theta, x[0], y[0], inner_lr, 1)) / inner_lr
    return checks.relative_error(way, model.grad(theta, x[0], y[0]))


# %%
print("\nThe library's own maml_grad, to see how the tools are used; A to G are yours")
relu, one_task = off(maml_grad, activation="relu"), off(maml_grad, n_tasks=1)
print(f"  tanh {off(maml_grad):.0e}, ReLU {relu:.0e}, one task {one_task:.0e}")
print(autopsy.examine(maml_grad, *example(), inner_lr=0.1))

# %% [markdown]
"""
## Which is which?

    "right"          it is MAML
    "first order"    the second-order term is not there
    "leak"           the support gradient is added
    "f''"            the second-order term lacks f''
    "same points"    the outer loss is on the support points
    "tasks mix"      one task's gradient gets into another's
    "fine-tuning"    the meta-gradient is right, adapt is not
"""

# %%
ANSWERS = {"A": None, "B": None, "C": None, "D": None, "E": None, "F": None, "G": None}

# %%
grading.name_bugs(ANSWERS)
for letter, curve in curves.items():
    lesson.expect(f"{letter}: last tenth of training over the first", curve[-1] / curve[0], 0, 0.7)
lesson.end()
