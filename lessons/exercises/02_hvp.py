# %% [markdown]
"""
# Exercise 2: write the Hessian-vector product

Before it: lesson 03, "The product, one layer at a time". R(z) is how fast z changes as theta moves
along v. Both passes are done; the tape (see exercise 1) now also has

    tape.delta[l]    the derivative of the loss with respect to z[l]   (K, d_out of l)
    tape.slope[l]    f'(z[l]); the last layer has none                 (K, d_out of l)
    directions[l]    (V, Vb), the part of v that moves (W, b)          (d_in, d_out) and (d_out,)

Return the Hessian of the loss times v, of shape (P,): the R of every line of both passes. The
backward pass starts with model.loss_fn.hvp(tape.z[-1], y, Rz), (K, d_out), for the Rz of the
output; model.activation_fn.curvature(z) is f''(z), and model.activation_fn.slope(z) is f'(z). The
network may have any depth, activation and loss; its own hvp is not there.

    python 02_hvp.py             checks your answer against numerical derivatives
    python 02_hvp.py --hint 1    or 2, 3, 4, when you want one: the last is the formula
"""

# %%
import numpy as np

from tinymeta.course import grading


def hvp(model, theta, x, y, v):
    tape = model.backprop(theta, x, y).tape
    directions = model.unpack(v)
    product = np.zeros_like(theta)
    # [(RgW, Rgb), ...]: views; what is written into them is in product
    blocks = model.unpack(product)
    raise NotImplementedError
    return product


# %%
if __name__ == "__main__":
    grading.check("02_hvp", hvp)
