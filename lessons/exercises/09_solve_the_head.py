# %% [markdown]
"""
# Exercise 9: solve the head

Before it: lesson 12. There a head w was solved for. Here some support points are believed more than
others: point i has a weight c_i, and w is where

    sum over i of c_i |F_i w - y_i|^2  +  lam |w|^2

is smallest. With C = the diagonal matrix of c, that is w = (F^T C F + lam I)^-1 F^T C y, of shape
(D, d_out). The query loss is the mean of (F_q w - y_q)^2 over the query points and the outputs.

Return its gradient with respect to the support features F, (K, D): F moves w; F_q, y, c and lam are
held.

    F (K, D), y (K, d_out), c (K,)      features, values and weights of the support points
    lam                                 a number above 0
    F_q (Q, D), y_q (Q, d_out)          features and values of the query points

Lesson 12 has two formulas for w, this one and one with a K x K matrix. Differentiate this one:
A = F^T C F + lam I is D x D, and np.linalg.solve(A, b) is A^-1 b.

    python 09_solve_the_head.py             checks your answer against numerical derivatives
    python 09_solve_the_head.py --hint 1    or 2, 3, 4, when you want one: the last is the formula
"""

# %%
import numpy as np

from tinymeta.course import grading


def features_grad(F, y, c, lam, F_q, y_q):
    raise NotImplementedError


# %%
if __name__ == "__main__":
    grading.check("09_solve_the_head", features_grad)
