# %% [markdown]
"""
# Exercise 1: write the backward pass

Before it: lesson 02. The forward pass is done: z = h W + b, and f(z) is the next layer's h. It has
left a tape, lists with one entry per layer:

    tape.layers[l]   (W, b) of layer l       (d_in, d_out) and (1, d_out)
    tape.inputs[l]   its input h             (K, d_in);   tape.inputs[0] is x
    tape.z[l]        its h W + b             (K, d_out);  tape.z[-1] is the output, which has no f

Return the gradient of model.loss(theta, x, y) with respect to theta, of shape (P,). Two functions
are given: model.activation_fn.slope(z) is f'(z), and model.loss_fn.grad(tape.z[-1], y), (K, d_out),
is the gradient of the loss with respect to the outputs; the mean over the points is in it already.
Layers are numbered as in the tape, l = 0 the first. The network may have any depth, activation and
loss; its own grad is not there.

    python 01_backward.py             checks your answer against numerical derivatives
    python 01_backward.py --hint 1    or 2, 3, 4, when you want one: the last is the formula
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
