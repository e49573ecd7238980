# %% [markdown]
"""
# Exercise 4: delete the second order

Before it: lesson 04, and exercise 3. Copy your maml_grad into first_order_maml_grad (or lesson 03's
lines, with a loop over the tasks around them), delete what makes it second-order, and return (P,).
A batch and the model are as there.

    python 04_first_order_maml.py      checks your answer, and what you say of it; --hint 1 to 4
"""

# %%
import numpy as np

from tinymeta.course import grading


def first_order_maml_grad(model, theta, batch, inner_lr, inner_steps):
    raise NotImplementedError


# %%
FIRST_TO_FAIL = None  # exercise 3's first check that it fails: "0 inner steps", ...; why not all?
BY = None  # the relative error there, to two digits

# %%
if __name__ == "__main__":
    grading.check("04_first_order_maml", first_order_maml_grad, FIRST_TO_FAIL=FIRST_TO_FAIL, BY=BY)
