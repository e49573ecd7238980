# %% [markdown]
"""
# Exercise 1: write the backward pass

Before it: lesson 02. The forward pass z = h W + b, h' = f(z) is done, and has left a tape, lists
with one entry a layer:

    tape.layers[l]   (W, b) of layer l       (d_in, d_out) and (d_out,)
    tape.h[l]        its input               (K, d_in);   tape.h[0] is x
    tape.slope[l]    f'(z) where h[l] = f(z) (K, d_in);   tape.slope[0] is None, for x is no f(z)
    tape.out         the network's output    (K, d_out);  the last layer has no f

Return the gradient of model.loss(theta, x, y) in theta, of shape (P,). The loss's own gradient in
the outputs, (K, d_out), is given: model.losses.delta(tape.out, y); the mean over the points is in
it already.

    python 01_backward.py             checks your answer against numerical derivatives
    python 01_backward.py --hint 1    or 2, when you want one
"""

# %%
import numpy as np

from tinymeta.course import grading


def backward(model, theta, x, y):
    tape = model.forward(theta, x)
    grad = np.zeros_like(theta)
    blocks = model.unpack(grad)  # [(gW, gb), ...]: views; what is written into them is in grad
    raise NotImplementedError
    return grad


# %%
if __name__ == "__main__":
    grading.check("01_backward", backward)
