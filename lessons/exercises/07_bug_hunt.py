# %% [markdown]
"""
# Exercise 7: hunt seven bugs

Before it: lessons 03, 04 and 06. implementations.py has eight implementations of MAML, A to H.
Seven are wrong, in ways that have been published or are easily made; one is right. All eight train,
and all eight curves look well. Find out which is which, from numbers, before you read the code.
Time: an hour; the training takes ten seconds or so.

    python 07_bug_hunt.py             the whole hunt, once
    python 07_bug_hunt.py --quick     with a short training, while you work
"""

# %%
import numpy as np
from implementations import ALL

from tinymeta import MLP, Adam, SineTasks, meta_train
from tinymeta.course import hunt, style
from tinymeta.course.hunt import example, off
from tinymeta.course.lesson import Lesson
from tinymeta.extras import autopsy

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

Two tasks a meta-step, one inner step, squared error. The curve is the loss that each implementation
reports itself; then 100 new tasks, each fine-tuned by the implementation's own `adapt`.
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
looks = zip(five + five[:3], ("-", "--", "-", "-.", "-", "--", "-.", "--"))
middles = (np.arange(10) + 0.5) * lesson.iterations / 10  # of the tenths of training
ends = []
for (letter, curve), (colour, line) in zip(curves.items(), looks):
    ax.plot(middles, curve, line, color=colour, zorder=2 + (line != "-"))
    ends.append((curve[-1], letter, colour))
ax.set(xlim=(0, lesson.iterations), xlabel="meta-steps")
ax.set(ylim=(0, None), ylabel="loss that each reports")
ax.set_title("Eight implementations, one of them right", loc="left")
style.label_ends(ax, ends)
first, last = (np.array([curve[i] for curve in curves.values()]) for i in (0, -1))
lesson.save(
    figure,
    "curves",
    f"From between {first.min():.2f} and {first.max():.2f} all eight fall, "
    f"to between {last.min():.2f} and {last.max():.2f}; the lowest is {[*curves][last.argmin()]}.",
)

# %% [markdown]
"""
## What the autopsy says

`autopsy.examine` compares a meta-gradient with every mistake that it knows. Of these seven it knows
one by name.
"""

# %%
print("\nThe autopsy, on tanh, squared error, three tasks, two inner steps")
for letter, implementation in ALL.items():
    print(f"  {letter}  {autopsy.examine(implementation.meta_grad, *example(), 0.1).verdict}")

# %% [markdown]
"""
## Your tools

`off` says how far an implementation is off tinymeta's own, which is proven (lessons 03 and 06), on
small networks and random numbers: a relative error, 1e-15 on *every* input if it is right itself.
An *input* is what you change in this, the usual one:

    compare      "meta_grad", the gradient; or "loss", which meta_grad returns with it; or "adapt",
                 the change in theta by fine-tuning on one task
    activation   "tanh"; or "relu", "sigmoid", "softplus"
    criterion    "mse"; or "cross_entropy"
    sizes        (2, 5, 3), the widths of the network: input, hidden layers, output
    n_tasks 3    shots 6    query 5    inner_steps 1    inner_lr 0.1

Let `table` have more inputs. Change one thing at a time first, then two. How large an error is says
little; where it is there, and where it is not, says nearly everything.
"""


# %%
def table(*inputs):
    """Print how far each letter is off at each input."""
    for given in inputs:
        errors = (off(implementation, **given) for implementation in ALL.values())
        print("  " + "".join(f"{error:9.1e}" for error in errors) + f"   {given}")


print("\nHow far each is off")
print("  " + "".join(f"{letter:>9s}" for letter in ALL))
table({}, {"inner_steps": 0})

# %% [markdown]
"""
## Which is which?

Each name belongs to one letter.

    "right"           it is MAML, and so is its fine-tuning
    "fine-tuning"     meta_grad is right, and adapt descends along something else
    "cut short"       the gradient goes back through some of the inner steps, not through all
    "loss''"          the Hessian-vector product takes the loss's second derivative for a constant
    "reported loss"   the gradient is right, and the loss returned with it is another one
    "f''"             the Hessian-vector product lacks f''
    "left over"       a task descends along more than its own gradient
    "other points"    Hessian-vector products are taken on the points of another task

An answer is a name with its evidence: an input at which the letter is wrong, and the number that
`off` returns for it there, to two digits. Write all of it out; nothing here is computed:

    "A": ("left over", {"n_tasks": 2, "inner_lr": 0.2}, 0.21),

The evidence for "right" is a list of at most eight inputs. The letter is right at all of them, and
each of the seven bugs would be wrong at one of them at least: a test that only MAML passes.

    "B": ("right", [{"n_tasks": 2}, {"activation": "relu"}], 0),

At the end this file says of each letter whether its evidence holds, and how many names are right,
not which.
"""

# %%
ANSWERS = {
    "A": None,
    "B": None,
    "C": None,
    "D": None,
    "E": None,
    "F": None,
    "G": None,
    "H": None,
}

# %%
print()
hunt.check(ANSWERS, ALL)
for letter, curve in curves.items():
    lesson.expect(f"{letter}: last tenth of training over the first", curve[-1] / curve[0], 0, 0.7)
lesson.end()
