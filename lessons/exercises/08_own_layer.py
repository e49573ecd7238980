# %% [markdown]
"""
# Exercise 8: a layer of your own

Before it: lessons 02 and 03. An activation is three functions of z, entry by entry: f itself, its
slope f' for the backward pass, and its curvature f'' for the Hessian-vector product. Write them for

    f(z) = z / (1 + exp(-beta z))          beta a number above 0

(swish, Ramachandran et al. 2017; 0 far to the left, z far to the right). Return the three of them,
(f(z), f'(z), f''(z)): derivatives with respect to z, each an array of the shape of z.

z may be complex, so that numerical derivatives can be taken through f: no abs, no .real in what is
returned. And it may be as large as 3000 or -3000: nothing may be nan.

    python 08_own_layer.py             checks f' and f'' against numerical derivatives of f
    python 08_own_layer.py --hint 1    or 2, 3, 4, when you want one: the last is the formula

When it is right, train with it (the product is right as well: `from tinymeta import checks`):

    ACTIVATIONS["swish"] = tuple(lambda z, i=i: swish(z, 1.0)[i] for i in range(3))
    model = MLP([1, 40, 40, 1], "swish")          ACTIVATIONS and MLP are in tinymeta.mlp
"""

# %%
import numpy as np

from tinymeta.course import grading


def swish(z, beta):
    raise NotImplementedError


# %%
if __name__ == "__main__":
    grading.check("08_own_layer", swish)
