"""A solution of exercise 2."""

import numpy as np


def hvp(model, theta, x, y, v):
    tape = model.forward(theta, x)
    model.backward(tape, y)
    directions = model.unpack(v)
    product = np.zeros_like(theta)
    blocks = model.unpack(product)
    Rh, Rz = [np.zeros_like(x)], []
    for l, (V, Vb) in enumerate(directions):
        Rz.append(tape.h[l] @ V + Rh[l] @ tape.layers[l][0] + Vb)
        if l + 1 < len(directions):
            Rh.append(tape.slope[l + 1] * Rz[l])
    Rdelta = model.losses.Rdelta(tape.out, y, Rz[-1])
    for l in reversed(range(len(blocks))):
        RgW, Rgb = blocks[l]
        RgW[...] = Rh[l].T @ tape.delta[l] + tape.h[l].T @ Rdelta
        Rgb[...] = Rdelta.sum(axis=0)
        if l > 0:
            W, V, slope = tape.layers[l][0], directions[l][0], tape.slope[l]
            second = -2 * tape.h[l] * slope if model.activation == "tanh" else 0
            Rdelta = slope * (Rdelta @ W.T + tape.delta[l] @ V.T)
            Rdelta = Rdelta + second * Rz[l - 1] * (tape.delta[l] @ W.T)
    return product
