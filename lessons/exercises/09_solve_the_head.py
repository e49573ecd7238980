# %% [markdown]
"""
# Exercise 9: solve the head

Before it: lesson 12. There a head w was solved for, with all support points alike. Here some are
believed more than others: point i has a weight c_i, which may be 0, and w is where

    sum over i of c_i |F_i w - y_i|^2  +  lam |w|^2

is smallest; F_i is row i of F, and |...|^2 a sum of squares over all entries. With C = the diagonal
matrix of c, that is w = A^-1 F^T C y, (D, d_out), where A = F^T C F + lam I. The query loss L is
the mean of (F_q w - y_q)^2 over the Q query points and the d_out outputs.

Return dL/dF, the gradient with respect to the support features, of shape (K, D). F moves, and w
with it; y, c, lam, F_q and y_q do not.

    F (K, D), y (K, d_out), c (K,)      features, values and weights of the support points
    lam                                 a number above 0, the lesson's mu
    F_q (Q, D), y_q (Q, d_out)          features and values of the query points

Lesson 12 solves with a K x K matrix and without weights; A here is D x D, and
np.linalg.solve(A, b) is A^-1 b. Differentiate this w, on paper first.

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
