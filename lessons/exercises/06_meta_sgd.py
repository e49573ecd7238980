# %% [markdown]
"""
# Exercise 6: learn the rates

Before it: lesson 10. Meta-SGD learns a rate for each parameter: theta_s+1 = theta_s - alpha g_s,
entry by entry, alpha of shape (P,). Return the gradient (P,) in *alpha* of the query loss after
inner_steps such steps on the support points; the mean over the tasks.

    model.grad(theta, x, y)                        the gradient of a task's loss, (P,)
    model.hvp(theta, x, y, v)                      the Hessian times v, (P,)
    for x, y, x_query, y_query in zip(*batch)      the tasks: x (K, d_in), y (K, d_out)

    python 06_meta_sgd.py             checks your answer against numerical derivatives
    python 06_meta_sgd.py --hint 1    or 2, 3, 4, when you want one: the last is the formula
"""

# %%
import numpy as np

from tinymeta.course import grading


def rates_grad(model, theta, alpha, batch, inner_steps):
    raise NotImplementedError


# %%
if __name__ == "__main__":
    grading.check("06_meta_sgd", rates_grad)
