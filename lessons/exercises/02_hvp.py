# %% [markdown]
"""
# Exercise 2: write the Hessian-vector product

Before it: lesson 03, "The product, one layer at a time". R{q} is how fast q changes as theta moves
along v. Both passes are done; the tape (see exercise 1) now also has

    tape.delta[l]    the loss's derivative in the z of layer l   (K, d_out of l)
    directions[l]    (V, Vb), the part of v that moves (W, b)    (d_in, d_out) and (d_out,)

Return the Hessian of the loss times v, of shape (P,): the R of every line of both passes. It
starts, on the way back, with model.losses.Rdelta(tape.out, y, Rout), (K, d_out), for Rout = R{out}.
The network is tanh (f'' = -2 f f') or ReLU (f'' = 0).

    python 02_hvp.py             checks your answer against numerical derivatives
    python 02_hvp.py --hint 1    or 2, when you want one
"""

# %%
import numpy as np

from tinymeta.course import grading


def hvp(model, theta, x, y, v):
    tape = model.forward(theta, x)
    model.backward(tape, y)
    directions = model.unpack(v)
    product = np.zeros_like(theta)
    # [(RgW, Rgb), ...]: views; what is written into them is in product
    blocks = model.unpack(product)
    raise NotImplementedError
    return product


# %%
if __name__ == "__main__":
    grading.check("02_hvp", hvp)
