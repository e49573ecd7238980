"""A solution of exercise 2."""

import numpy as np


def hvp(model, theta, x, y, v):
    tape = model.backprop(theta, x, y).tape
    directions = model.unpack(v)
    product = np.zeros_like(theta)
    blocks = model.unpack(product)
    Rh, Rz = [np.zeros_like(x)], []
    for l, (V, Vb) in enumerate(directions):
        Rz.append(tape.inputs[l] @ V + Rh[l] @ tape.layers[l][0] + Vb)
        if l + 1 < len(directions):
            Rh.append(tape.slope[l] * Rz[l])
    Rdelta = model.loss_fn.hvp(tape.z[-1], y, Rz[-1])
    for l in reversed(range(len(blocks))):
        RgW, Rgb = blocks[l]
        RgW[...] = Rh[l].T @ tape.delta[l] + tape.inputs[l].T @ Rdelta
        Rgb[...] = Rdelta.sum(axis=0)
        if l > 0:
            W, V = tape.layers[l][0], directions[l][0]
            curvature = model.activation_fn.curvature(tape.z[l - 1])
            bend = curvature * Rz[l - 1] * (tape.delta[l] @ W.T)
            Rdelta = tape.slope[l - 1] * (Rdelta @ W.T + tape.delta[l] @ V.T) + bend
    return product
