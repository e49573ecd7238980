"""Weights in and out of PyTorch's layout, one (weight, bias) per layer, without importing PyTorch.

    linears = [part for part in net.modules() if isinstance(part, torch.nn.Linear)]
    layers = [(linear.weight.detach(), linear.bias.detach()) for linear in linears]
    theta = from_layers(model, layers)

and back:

    with torch.no_grad():
        for linear, (weight, bias) in zip(linears, to_layers(model, theta)):
            linear.weight.copy_(torch.from_numpy(weight))
            linear.bias.copy_(torch.from_numpy(bias))

There a layer is weight @ x + bias, its weight (d_out, d_in); here it is x W + b, W (d_in, d_out),
as in `MLP.unpack`. tests/benchmarks/torch_autopsy.py puts a meta-gradient of PyTorch to the test
with it.
"""

import numpy as np

from .. import _validate
from ..mlp import MLP

PAIRS_OF_A_DICT = '[(d[k], d[k[:-6] + "bias"]) for k in d if k.endswith("weight")]'
PAIRS_OF_A_FLAT_LIST = "list(zip(flat[::2], flat[1::2]))"


def to_layers(model, theta):
    """Return the weight and bias of every layer in the shapes of PyTorch's Linear, as copies.

    Parameters
    ----------
    model : MLP
    theta : array (..., P)

    Returns
    -------
    layers : list of (weight, bias)
        One pair per layer: weight (..., d_out, d_in) and bias (..., d_out), float32 if theta is,
        else float64.

    Raises
    ------
    ValueError, TypeError
        If theta is not of the model, is complex or not finite, or cannot be read by NumPy.

    Examples
    --------
    >>> from tinymeta import MLP
    >>> layers = to_layers(MLP([2, 3, 1]), np.arange(13.0))
    >>> [(weight.shape, bias.shape) for weight, bias in layers]
    [((3, 2), (3,)), ((1, 3), (1,))]
    >>> layers[0][0].tolist()
    [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]
    """
    check_model(model)
    theta = _validate.as_theta(model, as_floats("theta", theta))
    return [(W.swapaxes(-1, -2).copy(), b.copy()) for W, b in model.unpack(theta)]


def from_layers(model, layers):
    """Return theta from the weight and bias of every layer in the shapes of PyTorch's Linear.

    Of a square layer, no shape can tell whether the weight is transposed: compare the outputs of
    `MLP.predict` with those of the network that the weights come from.

    Parameters
    ----------
    model : MLP
    layers : list of (weight, bias)
        One pair per layer: weight (..., d_out, d_in) and bias (..., d_out), arrays, lists, or
        tensors of PyTorch that are detached and on the CPU; all with the same leading axes.

    Returns
    -------
    theta : array (..., P)
        A copy: float32 if all are float32, else float64, half precision and whole numbers too.

    Raises
    ------
    ValueError, TypeError
        If layers is not a list of one pair per layer, a bias is missing, a shape does not fit or is
        transposed, numbers are complex or not finite, float32 is mixed with others, or a tensor
        requires grad or cannot be read by NumPy.

    Examples
    --------
    >>> from tinymeta import MLP
    >>> model = MLP([2, 3, 1])
    >>> weights = [[0, 3], [1, 4], [2, 5]], [[9, 10, 11]]
    >>> from_layers(model, [(weights[0], [6, 7, 8]), (weights[1], [12])]).astype(int).tolist()
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
    >>> theta = np.ones((5, 13), np.float32)  # five replicas
    >>> np.array_equal(from_layers(model, to_layers(model, theta)), theta)
    True
    """
    check_model(model)
    check_pairs(layers, len(model.sizes) - 1)
    arrays, parts = {}, []
    for i, (weight, bias) in enumerate(layers):
        d_in, d_out = model.sizes[i : i + 2]
        names = f"weight of layers[{i}]", f"bias of layers[{i}]"
        weight = as_floats(names[0], weight)
        check_weight(names[0], weight, parts[0].shape[:-1] if parts else None, d_in, d_out)
        lead = weight.shape[:-2]
        if bias is None:
            raise ValueError(
                f"{names[1]}: expected shape {(*lead, d_out)}; got None, as of "
                f"Linear(bias=False); pass np.zeros({(*lead, d_out)}, {weight.dtype.name!r}), "
                "which computes the same until it is trained"
            )
        bias = as_floats(names[1], bias)
        if bias.shape != (*lead, d_out):
            raise ValueError(f"{names[1]}: expected shape {(*lead, d_out)}; got {bias.shape}")
        parts += [weight.swapaxes(-1, -2).reshape(*lead, d_in * d_out), bias]
        arrays |= dict(zip(names, (weight, bias)))
    check_one_dtype(arrays)
    return _validate.as_theta(model, np.concatenate(parts, axis=-1), "layers")


def check_model(model):
    if not isinstance(model, MLP):
        raise TypeError(f"model: expected an MLP; got {type(model).__name__}")


def check_pairs(layers, n_layers):
    """Check that layers is a list of n_layers pairs."""
    form = f"{n_layers} pair{'s' * (n_layers > 1)} (weight, bias), one per layer"
    if isinstance(layers, dict):
        raise TypeError(
            f"layers: expected a list of {form}; got {type(layers).__name__}; of a state_dict d, "
            f"in the order of its layers, pass {PAIRS_OF_A_DICT}"
        )
    if not isinstance(layers, (list, tuple)):
        raise TypeError(f"layers: expected a list of {form}; got {type(layers).__name__}")
    for i, pair in enumerate(layers):
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            got = type(pair).__name__
            if isinstance(pair, (list, tuple)):
                got = f"a {got} of {len(pair)}"
            elif len(layers) == 2 * n_layers:
                got += f"; of a flat list [weight, bias, weight, ...] pass {PAIRS_OF_A_FLAT_LIST}"
            raise TypeError(f"layers[{i}]: expected a pair (weight, bias); got {got}")
    if len(layers) != n_layers:
        raise ValueError(f"layers: expected {form}; got {len(layers)}")


def as_floats(name, value):
    """Return finite numbers: float32 ones as they are, other real ones as float64."""
    try:
        array = _validate.as_array(name, value)
    except (RuntimeError, TypeError) as error:
        if isinstance(value, np.ma.MaskedArray):
            raise
        what, got = name.split()[0], type(value).__name__
        hint = (
            f"for a tensor pass {what}.detach(), .cpu() if on a GPU, .float() if bfloat16; {error}"
        )
        if getattr(value, "requires_grad", False):
            hint = f"pass {what}.detach(), as it requires grad"
        raise TypeError(
            f"{name}: expected numbers that NumPy can read; got {got}; {hint}"
        ) from None
    dtype = np.float32 if array.dtype == np.float32 else np.float64
    return _validate.check_finite(name, _validate.as_numbers(name, array, dtype))


def check_weight(name, weight, lead, d_in, d_out):
    """Check the shape of a weight; its leading axes are those of the first, which has lead=None."""
    if weight.shape[-2:] == (d_out, d_in) and lead in (None, weight.shape[:-2]):
        return
    expected = f"(..., {d_out}, {d_in})" if lead is None else f"{(*lead, d_out, d_in)}"
    hint = ""
    if weight.shape[-2:] == (d_in, d_out) != (d_out, d_in):
        turned = "weight.T" if weight.ndim == 2 else "weight.swapaxes(-1, -2)"
        hint = f"; did you mean {turned}? PyTorch's Linear stores (out, in)"
    raise ValueError(f"{name}: expected shape {expected}; got {weight.shape}{hint}")


def check_one_dtype(arrays):
    """Check that {name: array}, as `as_floats` returns them, are all float32 or all float64."""
    (first, reference), *others = arrays.items()
    for name, array in others:
        if array.dtype != reference.dtype:
            raise ValueError(
                f"{name}: expected {reference.dtype}, the dtype of {first}; got {array.dtype}; "
                "make all of them one or the other"
            )
