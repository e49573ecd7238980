# %% [markdown]
"""
# Exercise 10: tasks of your own

Before it: lessons 03 and 05. Invent a family of functions (beats, decays, a response to a dose, the
year's temperatures of a place, your own data), learn an initialisation for it, draw what it does,
and say what you see. The README's "Your own tasks" has two families; any object will do whose
sample(rng, n_tasks, shots, query) returns a TaskBatch. Of data, return (training, held_out), as
split does. Training may take a minute.

A person reads this exercise, by five questions, 2 points each:

    tasks      Is it a family? What do all tasks share, what does each have of its own?
    question   Is there a sentence that could turn out wrong, written before the training?
    evidence   Does the figure show new tasks, before and after adapting, beside something simpler:
               a random initialisation, the mean function, a polynomial through the points?
    numbers    Are the numbers in the text those of the run, with the spread over 100 tasks or more?
    limits     Where does it stop: how far from the training tasks, with how few points? And why, or
               what is your guess?

Begin EXPLANATION with the question, before you train, and leave it as it is if it turns out wrong.
Let plot make the baseline, print your numbers, and save the figure: hand it in beside this file. A
run has the same random numbers each time, so what it prints is what your text may say.

    python 10_own_tasks.py             sanity checks: are these tasks, has anything been learned?
"""

# %%
import numpy as np

from tinymeta import MLP, FunctionTasks, adaptation_curve, maml_grad, meta_train
from tinymeta.course import own_tasks, style

SHOTS = 10  # support points of a task
INNER_LR = 0.01  # the rate of a step on a task; the checks take five. Set both as your tasks want


def make_tasks():
    raise NotImplementedError  # return the tasks, or (training, held_out)


def train(tasks, rng):
    raise NotImplementedError  # return model, theta: by meta_train, or by a loop of your own


def plot(tasks, model, theta, rng):
    raise NotImplementedError  # of new tasks: return a figure of matplotlib, with labelled axes


EXPLANATION = """
"""  # 80 words or more

# %%
if __name__ == "__main__":
    own_tasks.check(make_tasks, train, plot, EXPLANATION, shots=SHOTS, inner_lr=INNER_LR)
