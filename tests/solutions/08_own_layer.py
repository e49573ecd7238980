"""A solution of exercise 8."""

import numpy as np


def swish(z, beta):
    s = 1 / (1 + np.exp(-beta * z))
    slope = beta * s * (1 - s)
    curvature = beta * slope * (1 - 2 * s)
    return z * s, s + z * slope, 2 * slope + z * curvature
