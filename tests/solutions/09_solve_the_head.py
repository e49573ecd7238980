"""A solution of exercise 9."""

import numpy as np


def features_grad(F, y, c, lam, F_q, y_q):
    C = c[:, None]
    A = F.T @ (C * F) + lam * np.eye(F.shape[1])
    w = np.linalg.solve(A, F.T @ (C * y))
    g = 2 * (F_q @ w - y_q) / y_q.size
    u = np.linalg.solve(A, F_q.T @ g)
    return C * (y - F @ w) @ u.T - C * (F @ u) @ w.T
