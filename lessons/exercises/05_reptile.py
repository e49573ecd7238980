# %% [markdown]
"""
# Exercise 5: write Reptile

Before it: lesson 05. Return Reptile's meta-gradient, of shape (P,): for each task the way
(theta - theta_k) / alpha, where theta_k is theta after k = inner_steps steps of gradient descent at
the rate alpha = inner_lr on the support points; the mean over the tasks. With no step it is 0.

    model.grad(theta, x, y)                                 the gradient of a task's loss, (P,)
    for x, y, x_query, y_query in zip(*batch)               the tasks: x (K, d_in), y (K, d_out)

When it is right: is there a way to write it without dividing by alpha?

    python 05_reptile.py             checks your answer against a descent by numerical derivatives
    python 05_reptile.py --hint 1    or 2, 3, 4, when you want one: the last is the formula
"""

# %%
import numpy as np

from tinymeta.course import grading


def reptile_grad(model, theta, batch, inner_lr, inner_steps):
    raise NotImplementedError


# %%
if __name__ == "__main__":
    grading.check("05_reptile", reptile_grad)
