# %% [markdown]
"""
# Exercise 4: delete the second order

Before it: lesson 04. Here is MAML. Copy it into first_order_maml_grad, delete what makes it
second-order, and return (P,).

    python 04_first_order_maml.py      checks your answer, and what you say of it; --hint 1 to 4
"""

# %%
import numpy as np

from tinymeta.course import grading


def maml_grad(model, theta, batch, inner_lr, inner_steps):
    each = []
    for x, y, x_query, y_query in zip(*batch):
        thetas = [theta]
        for s in range(inner_steps):
            thetas.append(thetas[s] - inner_lr * model.grad(thetas[s], x, y))
        v = model.grad(thetas[-1], x_query, y_query)
        for s in reversed(range(inner_steps)):
            v = v - inner_lr * model.hvp(thetas[s], x, y, v)
        each.append(v)
    return np.mean(each, axis=0)


def first_order_maml_grad(model, theta, batch, inner_lr, inner_steps):
    raise NotImplementedError


# %%
FIRST_TO_FAIL = None  # exercise 3's first check that it fails: "0 inner steps", ...; why not all?
BY = None  # the relative error there, to two digits

# %%
if __name__ == "__main__":
    grading.check("04_first_order_maml", first_order_maml_grad, FIRST_TO_FAIL=FIRST_TO_FAIL, BY=BY)
