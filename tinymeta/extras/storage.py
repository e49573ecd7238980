"""Files: save and load an initialisation, or a training that is to be resumed.

    save_init("maml.npz", model, theta, "MAML", seed=0, inner_lr=0.01)
    model, theta, about = load_init("maml.npz")

A file is an .npz of plain arrays and a JSON string, and is never unpickled: one from a neighbour
can do no harm. It is written beside its place and renamed when it is complete: its place holds the
old file or the new one, never half of one."""

import contextlib
import io
import json
import os
from pathlib import Path

import numpy as np

from .. import _validate
from ..mlp import MLP

VERSION = 1
INIT, CHECKPOINT = "tinymeta initialisation", "tinymeta checkpoint"


class BadFile(ValueError):
    """A file that is broken, or is not what was asked for."""


def save_init(path, model, theta, algorithm="", seed=None, **settings):
    """Save theta (..., P) with its model, and what else one will want to know: how it was trained,
    and from which seed."""
    write(path, INIT, model, theta, {"algorithm": algorithm, "seed": seed, "settings": settings})


def load_init(path, model=None):
    """(model, theta, about) of a saved initialisation; about: algorithm, seed, settings, and the
    versions of tinymeta and numpy that wrote it. Raises BadFile where it is broken, or is not for
    the model given."""
    with bad_file(path, INIT):
        model, arrays, about = read(path, INIT, model)
        return (
            model,
            arrays["theta"],
            {key: about[key] for key in ("algorithm", "seed", "settings", "tinymeta", "numpy")},
        )


def save_checkpoint(path, model, theta, optimizer, rng, iteration):
    """Save all that meta_train needs to go on after `iteration` meta-steps: best from its callback,
    every now and then."""
    state = vars(optimizer)
    arrays = {
        f"optimizer.{name}": value for name, value in state.items() if isinstance(value, np.ndarray)
    }
    about = {
        "optimizer": [
            type(optimizer).__name__,
            {
                name: None if f"optimizer.{name}" in arrays else value
                for name, value in state.items()
            },
        ],
        "rng": _validate.check_generator(rng).bit_generator.state,
        "iteration": _validate.check_count("iteration", iteration, least=0),
    }
    write(path, CHECKPOINT, model, theta, about, arrays)


def load_checkpoint(path, model, optimizer, rng):
    """(theta, iteration) of a checkpoint, for this model; the optimiser and the generator, of the
    kinds that were saved, are set to what they were: training goes on as if it had never stopped.
    Raises BadFile, and then sets neither."""
    fresh = type(_validate.check_generator(rng).bit_generator)()
    with bad_file(path, CHECKPOINT):
        _, arrays, about = read(path, CHECKPOINT, model)
        name, state = about["optimizer"]
        if name != type(optimizer).__name__ or state.keys() != vars(optimizer).keys():
            raise ValueError(f"one of {type(optimizer).__name__} was expected; got one of {name}")
        for key in arrays.keys() - {"theta"}:
            state[key.removeprefix("optimizer.")] = _validate.check_finite(
                key, _validate.as_theta_and_grad(arrays["theta"], arrays[key])[1]
            )
        fresh.state = about["rng"]
        iteration = _validate.check_count("iteration", about["iteration"], least=0)
    vars(optimizer).update(state)
    rng.bit_generator.state = fresh.state
    return arrays["theta"], iteration


@contextlib.contextmanager
def replacing(path):
    """A file to write bytes to, which takes the place of `path` when it is complete and on the
    disk. If anything fails, nothing changes."""
    path = Path(path).resolve()
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def bad_file(path, kind):
    """Whatever zipfile, NumPy and json raise at bytes that are not what they seem is a BadFile;
    that there is no file is not."""
    try:
        yield
    except FileNotFoundError:
        raise
    except Exception as error:
        why = f"it lacks {error}" if isinstance(error, KeyError) else error or type(error).__name__
        raise BadFile(f"{path}: expected a {kind}; {why}") from error


def plain(value):
    """Numbers and arrays of NumPy as those that JSON knows."""
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__}")


def write(path, kind, model, theta, about, arrays=()):
    from .. import __version__

    theta = _validate.check_finite_theta(_validate.as_theta(model, theta))
    network = {"sizes": model.sizes, "activation": model.activation, "criterion": model.criterion}
    about = {
        "format": kind,
        "version": VERSION,
        **network,
        **about,
        "tinymeta": __version__,
        "numpy": np.__version__,
    }
    try:
        text = json.dumps(about, default=plain, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"settings: expected numbers, text, lists and dicts, which JSON can hold; got {error}"
        ) from None
    with replacing(path) as file:
        np.savez(file, theta=theta, about=np.array(text), **dict(arrays))


def read(path, kind, wanted):
    """(model, {name: array}, about) from a file of this kind, and for the wanted model if there is
    one."""
    data = io.BytesIO(Path(path).read_bytes())
    if not data.getvalue().startswith(b"PK"):
        raise ValueError("it is no .npz file")
    with np.load(data, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    about = json.loads(str(arrays.pop("about")))
    if (about["format"], about["version"]) != (kind, VERSION):
        raise ValueError(
            f"version {VERSION} was expected; got a {about['format']}, version {about['version']}"
        )
    model = MLP(about["sizes"], about["activation"], about["criterion"])
    if wanted is not None and repr(model) != repr(wanted):
        raise ValueError(f"one for {wanted!r} was expected; got one for {model!r}")
    if arrays["theta"].dtype not in (np.float32, np.float64):
        raise ValueError(f"theta: expected float32 or float64; got {arrays['theta'].dtype}")
    _validate.check_finite_theta(_validate.as_theta(model, arrays["theta"]))
    return model, arrays, about
