# %% [markdown]
"""
# Exercise 8: a layer of your own

Before it: lessons 02 and 03. An activation is three functions of z, entry by entry: f itself, its
slope f' for the backward pass, and its curvature f'' for the Hessian-vector product. Here

    f(z) = z / (1 + exp(-beta z))          beta a number above 0

(swish, Ramachandran et al. 2017; 0 far to the left, z far to the right). Write one function that
returns all three, (f(z), f'(z), f''(z)): derivatives with respect to z, arrays of the shape of z.

z may be complex, so that numerical derivatives can be taken through f: z.real may choose between
two formulas, as in lesson 02's ReLU, but what is returned keeps its imaginary part. And a real z
may be as large as 3000 or -3000: nothing may be nan or infinite. A warning of overflow is no fault.

    python 08_own_layer.py             checks f' and f'' against numerical derivatives of f
    python 08_own_layer.py --hint 1    or 2, 3, 4, when you want one: the last is the formula

When it is right, a network can have it:

    from tinymeta.mlp import ACTIVATIONS, MLP
    ACTIVATIONS["swish"] = tuple(lambda z, i=i: swish(z, 1.0)[i] for i in range(3))
    model = MLP([1, 40, 40, 1], "swish")
"""

# %%
import numpy as np

from tinymeta.course import grading


def swish(z, beta):
    raise NotImplementedError


# %%
if __name__ == "__main__":
    grading.check("08_own_layer", swish)
