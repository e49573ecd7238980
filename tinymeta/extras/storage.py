"""Files: save and load an initialisation, or a training that is to be resumed.

    save_init("maml.npz", model, theta, "MAML", seed=0, inner_lr=0.01)
    model, theta, about = load_init("maml.npz")

A file is an .npz of plain arrays and a JSON text, and is never unpickled: files from untrusted
sources are safe to load. A SHA-256 over all of it tells a damaged file from a whole one. It is
written beside its place and renamed when it is complete: its place holds the old file or the new
one, never half of one.
"""

import contextlib
import copy
import hashlib
import io
import json
import math
import os
import secrets
import stat
import time
import zipfile
from pathlib import Path

import numpy as np

from .. import _validate
from ..mlp import MLP
from ..optimizers import Adam, Held, kind_of, put_back, take_state, thawed

VERSION = 2  # 1, of tinymeta 0.1.0, had no SHA-256, and no state that is nested
INIT, CHECKPOINT = "tinymeta initialisation", "tinymeta checkpoint"


class BadFile(ValueError):
    """A file that is broken, or is not the one that was asked for."""


def save_init(path, model, theta, algorithm="", seed=None, **settings):
    """Save an initialisation with its model and with how it was trained.

    Parameters
    ----------
    path : str or Path
        By custom it ends in .npz.
    model : MLP
    theta : array (..., P)
        float32 or float64.
    algorithm : str
    seed : int, optional
    settings
        Anything else to be known of it: numbers, text, lists, and dicts whose keys are text, as
        JSON holds them. Arrays and tuples come back as lists.

    Raises
    ------
    ValueError
        If theta is not of the model, is complex or not finite, or JSON cannot hold a setting.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from tinymeta import MLP
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_init(f"{folder}/maml.npz", MLP([1, 1]), np.ones(2), "MAML", seed=3, inner_lr=0.01)
    ...     model, theta, about = load_init(f"{folder}/maml.npz")
    >>> theta.tolist(), about["algorithm"], about["seed"], about["settings"]
    ([1.0, 1.0], 'MAML', 3, {'inner_lr': 0.01})
    """
    about = {"algorithm": algorithm, "seed": seed, "settings": settings}
    write(path, INIT, model, theta, about)


def load_init(path, model=None):
    """Return a saved initialisation.

    Parameters
    ----------
    path : str or Path
    model : MLP, optional
        The model that it has to be for; by default an MLP is made.

    Returns
    -------
    model : MLP
    theta : array (..., P)
    about : dict
        algorithm, seed, settings, and the versions of tinymeta and numpy that wrote the file.

    Raises
    ------
    BadFile
        If the file is broken, or is for another model.
    OSError
        If there is no file, or it cannot be read.
    """
    data = Path(path).read_bytes()
    with bad_file(path, INIT):
        model, arrays, about = read(data, INIT, model)
        check_no_more(arrays)
        return (
            model,
            arrays["theta"],
            {key: about[key] for key in ("algorithm", "seed", "settings", "tinymeta", "numpy")},
        )


def save_checkpoint(path, model, theta, optimizer, rng, iteration, tasks=None):
    """Save all that meta_train needs to go on: best from its callback, every now and then.

    Parameters
    ----------
    path : str or Path
    model : MLP
    theta : array (..., P)
        float32 or float64.
    optimizer : optimiser
        Its state is saved, by its method state() or else all of its attributes, those of an
        optimiser that it holds included: see `tinymeta.meta_train`.
    rng : numpy.random.Generator
    iteration : int
        The number of complete iterations.
    tasks : task distribution, optional
        One that has a state, such as `tinymeta.tasks.Views`.

    Raises
    ------
    TypeError
        If something cannot be saved; its name is given.
    ValueError
        If the numbers do not fit each other, or are not finite.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from tinymeta import MLP, Adam
    >>> model, rng = MLP([1, 1]), np.random.default_rng(0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_checkpoint(f"{folder}/c.npz", model, np.ones(2), Adam(0.5), rng, iteration=7)
    ...     optimizer, rng = Adam(), np.random.default_rng()
    ...     theta, iteration = load_checkpoint(f"{folder}/c.npz", model, optimizer, rng)
    >>> theta.tolist(), iteration, optimizer, rng.random() == np.random.default_rng(0).random()
    ([1.0, 1.0], 7, Adam(0.5), True)
    """
    _validate.check_generator(rng)
    iteration = _validate.check_count("iteration", iteration, least=0)
    if tasks is not None and not _validate.has_state(tasks):
        raise TypeError(
            f"tasks: expected methods state() and restore(state); got {type(tasks).__name__}; if "
            "its samples depend on rng alone, leave it out"
        )
    held = {"optimizer": Held(kind_of(optimizer), take_state(optimizer)), "rng": rng}
    if tasks is not None:
        held["tasks"] = Held(kind_of(tasks), tasks.state())
    arrays = {}
    about = {name: encode(name, value, arrays) for name, value in held.items()}
    about["iteration"] = iteration
    theta = as_saved_theta(model, theta)
    check_moments(optimizer, theta)
    prove_restore("optimizer", optimizer)
    write(path, CHECKPOINT, model, theta, about, arrays)


def load_checkpoint(path, model, optimizer, rng, tasks=None):
    """Return theta and the number of iterations of a checkpoint, and set the optimiser, the
    generator and the tasks to the states that were saved: training goes on as if it had never
    stopped.

    Parameters
    ----------
    path : str or Path
    model : MLP
    optimizer : optimiser
    rng : numpy.random.Generator
    tasks : task distribution, optional
        All four of the kinds that were saved.

    Returns
    -------
    theta : array (..., P)
    iteration : int

    Raises
    ------
    BadFile
        If the file is broken, or was saved with others; then nothing is set.
    OSError
        If there is no file, or it cannot be read.
    """
    fresh = type(_validate.check_generator(rng).bit_generator)()
    data = Path(path).read_bytes()
    with bad_file(path, CHECKPOINT):
        _, arrays, about = read(data, CHECKPOINT, model)
        states = decode_legacy if about["version"] == 1 else decode_states
        held, fresh.state = states(arrays, about, optimizer)
        check_no_more(arrays)
        iteration = _validate.check_count("iteration", about["iteration"], least=0)
        if ("tasks" in held) != (tasks is not None):
            word = "with" if "tasks" in held else "without"
            raise ValueError(f"it was saved {word} the state of tasks; load it {word} tasks=...")
        things = {"optimizer": optimizer} | ({} if tasks is None else {"tasks": tasks})
        before = {name: take_state(thing) for name, thing in things.items()}
        try:
            for name, thing in things.items():
                thawed(name, held[name], thing)
            check_moments(optimizer, arrays["theta"])
        except BaseException:
            for name, thing in things.items():
                put_back(thing, before[name])
            raise
    rng.bit_generator.state = fresh.state
    return arrays["theta"], iteration


# States as JSON and arrays


def encode(name, value, arrays):
    """Return a value as JSON holds it, and put the arrays in it into `arrays`; refuse by its name
    one that would not come back as it is.

    A list is a JSON list; a tuple, a dict and others are a JSON object with one key, their kind."""
    kind = type(value)
    if value is None or kind in (bool, int, str):
        return value
    if kind is float:
        return value if math.isfinite(value) else {"float": repr(value)}
    if kind is complex:
        parts = (value.real, value.imag)
        return {"complex": [encode(name, part, arrays) for part in parts]}
    if kind is np.ndarray or isinstance(value, np.generic):
        array = np.asarray(value)
        if array.dtype.hasobject:
            raise cannot_save(name, f"an array of {array.dtype}")
        key = f"array {len(arrays)}"
        arrays[key] = array
        return {"array" if kind is np.ndarray else "scalar": key}
    if kind is np.random.Generator:
        value, kind = Held(kind_of(value), value.bit_generator.state), Held
    if kind is Held:
        return {"held": [value.kind, encode(name, value.state, arrays)]}
    if kind in (list, tuple):
        items = [encode(f"{name}[{i}]", item, arrays) for i, item in enumerate(value)]
        return items if kind is list else {"tuple": items}
    if kind is dict:
        return {
            "dict": [
                [encode(f"{name}: key {key!r}", key, arrays), encode(f"{name}.{key}", item, arrays)]
                for key, item in value.items()
            ]
        }
    raise cannot_save(name, kind.__name__)


def cannot_save(name, got):
    return TypeError(
        f"{name}: expected numbers, arrays, strings, None, or lists, tuples and dicts of them, to "
        f"save; got {got}; methods state() and restore(state) can leave it out"
    )


def decode(node, arrays):
    """Return the value that `encode` made the node of, taking its arrays out of `arrays`."""
    if isinstance(node, list):
        return [decode(item, arrays) for item in node]
    if not isinstance(node, dict):
        return node
    ((kind, inside),) = node.items()
    if kind == "float":
        return float(inside)
    if kind == "complex":
        return complex(*decode(inside, arrays))
    if kind in ("array", "scalar"):
        array = arrays.pop(inside)
        return array if kind == "array" else array[()]
    if kind == "held":
        return Held(inside[0], decode(inside[1], arrays))
    if kind == "tuple":
        return tuple(decode(inside, arrays))
    if kind == "dict":
        return {decode(key, arrays): decode(item, arrays) for key, item in inside}
    raise ValueError(f"it has a value of the unknown kind {kind!r}")


def decode_states(arrays, about, optimizer):
    """Return the states that a checkpoint holds, by name, and the generator's."""
    held = {"optimizer": decode(about["optimizer"], arrays)}
    if "tasks" in about:
        held["tasks"] = decode(about["tasks"], arrays)
    return held, decode(about["rng"], arrays).state


def decode_legacy(arrays, about, optimizer):
    """Return the same from a file of tinymeta 0.1.0, whose arrays are all of theta's shape."""
    kind, state = about["optimizer"]
    if kind != type(optimizer).__name__ or state.keys() != vars(optimizer).keys():
        raise ValueError(f"one of {kind_of(optimizer)} was expected; got one of {kind}")
    for name in [name for name in state if f"optimizer.{name}" in arrays]:
        array = arrays.pop(f"optimizer.{name}")
        state[name] = _validate.as_theta_and_grad(arrays["theta"], array)[1]
    return {"optimizer": Held(kind_of(optimizer), state)}, about["rng"]


def check_no_more(arrays):
    """Refuse arrays of which the text of a file says nothing."""
    if len(arrays) > 1:
        raise ValueError(f"it has arrays too many: {sorted(arrays.keys() - {'theta'})}")


def check_moments(optimizer, theta):
    """Refuse an Adam that is of another training than theta."""
    if isinstance(optimizer, Adam) and optimizer.m is not None:
        for name in ("m", "v"):
            moment = getattr(optimizer, name)
            if moment.shape != theta.shape:
                raise ValueError(
                    f"optimizer.{name}: expected the shape of theta, {theta.shape}; got "
                    f"{moment.shape}"
                )
            _validate.check_finite(f"optimizer.{name}", moment)


def prove_restore(name, thing):
    """Refuse an object whose own restore(state) does not set its state, where it can be tried on a
    copy."""
    try:
        other = copy.deepcopy(thing)
    except Exception:
        return
    state = take_state(thing)
    put_back(other, state)
    if not same(take_state(other), state):
        raise ValueError(f"{name}: expected restore(state) to set what state() returned")


def same(a, b):
    """Return whether two decoded values are equal, types and bits included."""
    if type(a) is not type(b):
        return False
    if isinstance(a, (np.ndarray, np.generic)):
        a, b = np.asarray(a), np.asarray(b)
        return (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return same(list(a), list(b)) and all(map(same, a.values(), b.values()))
    return a == b or repr(a) == repr(b)  # nan


# Bytes


@contextlib.contextmanager
def replacing(path):
    """Yield a file to write bytes to, which takes the place of `path` when it is complete and on
    the disk. If anything fails, nothing changes."""
    place = Path(path).resolve()
    # open() gives it the mode of any new file, which the functions of tempfile do not
    temporary = place.with_name(f".{place.name}.{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if place.is_file():
            os.chmod(temporary, stat.S_IMODE(place.stat().st_mode))
        replace(temporary, place)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename == str(temporary):
            raise type(error)(error.errno, error.strerror, str(path)) from None
        raise


def replace(temporary, place, pauses=(0.01, 0.02, 0.05, 0.1, 0.2, 0.4)):
    """Rename a file to one that may exist; on Windows, that is denied while another process reads
    it."""
    for pause in pauses:
        try:
            return os.replace(temporary, place)
        except PermissionError:
            time.sleep(pause)
    return os.replace(temporary, place)


@contextlib.contextmanager
def bad_file(path, kind):
    """Turn whatever zipfile, NumPy and json raise at bytes that are not what they seem into a
    BadFile."""
    try:
        yield
    except Exception as error:
        why = f"it lacks {error}" if isinstance(error, KeyError) else error or type(error).__name__
        raise BadFile(f"{path}: expected a {kind}; {why}") from error


def plain(value):
    """Return numbers and arrays of NumPy as those that JSON knows."""
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__}")


def check_keys(value):
    """Refuse dicts with keys that are not text, which JSON would turn into text."""
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"the key {key!r}")
            check_keys(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            check_keys(item)


def digest(arrays):
    """Return the SHA-256 of arrays: their names, dtypes, shapes and bytes."""
    total = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        descr = np.lib.format.dtype_to_descr(array.dtype)
        total.update(repr((name, descr, array.shape, array.nbytes)).encode())
        total.update(array.tobytes())
    return total.hexdigest()


def as_saved_theta(model, theta):
    """Return theta, refusing one that no file may hold."""
    theta = _validate.check_finite_theta(_validate.as_theta(model, theta))
    if theta.dtype not in (np.float32, np.float64):
        raise ValueError(f"theta: expected float32 or float64; got {theta.dtype}")
    return theta


def write(path, kind, model, theta, about, arrays=()):
    from .. import __version__

    theta = as_saved_theta(model, theta)
    network = {"model": repr(model)}
    if network["model"] == object.__repr__(model):
        raise TypeError(f"model: expected a repr that names its sizes; got {model!r}")
    if type(model) is MLP:
        network |= {
            "sizes": model.sizes,
            "activation": model.activation,
            "criterion": model.criterion,
        }
    about = {
        "format": kind,
        "version": VERSION,
        **network,
        **about,
        "tinymeta": __version__,
        "numpy": np.__version__,
    }
    try:
        check_keys(about.get("settings"))
        text = json.dumps(about, default=plain, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"settings: expected numbers, text, lists and dicts, which JSON can hold; got {error}"
        ) from None
    arrays = {"theta": theta, "about": np.array(text), **dict(arrays)}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays, sha256=np.array(digest(arrays)))
    data = buffer.getvalue()
    loaded = read(data, kind, model)[1]  # proof, before anything is written
    for name, array in loaded.items():
        if not same(array, np.asarray(arrays[name])):
            raise ValueError(f"{name}: expected an array that an .npz file holds as it is")
    with replacing(path) as file:
        file.write(data)


def read(data, kind, wanted):
    """Return (model, {name: array}, about) from the bytes of a file of this kind, for the wanted
    model if there is one."""
    if not data.startswith(b"PK"):
        raise ValueError("it is no .npz file")
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        if file.testzip() is not None:  # before NumPy looks at anything
            raise ValueError(f"its part {file.testzip()} is damaged")
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    sha256 = arrays.pop("sha256", None)
    about = json.loads(str(arrays["about"]))
    if about["format"] != kind or about["version"] not in (1, VERSION):
        raise ValueError(
            f"version {VERSION} was expected; got a {about['format']}, version {about['version']}"
        )
    if sha256 is None and about["version"] > 1:
        raise KeyError("sha256")
    if sha256 is not None and str(sha256) != digest(arrays):
        raise ValueError("its contents are not those that its SHA-256 was taken of")
    arrays.pop("about")
    model = wanted
    if wanted is None and "sizes" not in about:
        raise ValueError(f"it is for {about['model']}: pass that model")
    if wanted is None or "model" not in about:
        model = MLP(about["sizes"], about["activation"], about["criterion"])
    if wanted is not None and about.get("model", repr(model)) != repr(wanted):
        got = about.get("model", repr(model))
        raise ValueError(f"one for {wanted!r} was expected; got one for {got}")
    if arrays["theta"].dtype not in (np.float32, np.float64):
        raise ValueError(f"theta: expected float32 or float64; got {arrays['theta'].dtype}")
    _validate.check_finite_theta(_validate.as_theta(model, arrays["theta"]))
    return model, arrays, about
