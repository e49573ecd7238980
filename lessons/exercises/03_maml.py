# %% [markdown]
"""
# Exercise 3: write MAML

Before it: lesson 03. Each task's loss, gradient and Hessian-vector product are given, all of the
shapes of theta (P,):

    model.grad(theta, x, y)        the gradient
    model.hvp(theta, x, y, v)      the Hessian times v

A batch has T tasks: `for x, y, x_query, y_query in zip(*batch)`, with x (K, d_in), y (K, d_out),
and as many query points or not.

Return the gradient (P,), in theta, of the query loss after inner_steps steps of gradient descent at
the rate inner_lr on the support points; the mean over the tasks. There may be no step at all, or
one task. Nothing that comes in may be written to, and the library's own meta-gradients cannot be
called.

    python 03_maml.py             checks your answer against numerical derivatives
    python 03_maml.py --hint 1    or 2, 3, 4, when you want one: the last is the formula
"""

# %%
import numpy as np

from tinymeta.course import grading


def maml_grad(model, theta, batch, inner_lr, inner_steps):
    raise NotImplementedError


# %%
if __name__ == "__main__":
    grading.check("03_maml", maml_grad)
