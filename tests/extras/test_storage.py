"""Files: what comes back, what no broken file gets past, and what no interruption destroys."""

import io
import json
import os
import pickle
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import tinymeta as tm
from tinymeta.extras.storage import (
    BadFile,
    digest,
    load_checkpoint,
    load_init,
    save_checkpoint,
    save_init,
)

MODEL = tm.MLP([1, 4, 2], "tanh", "mse")
THETA = MODEL.init(np.random.default_rng(0))
SINES = tm.SineTasks()


@pytest.fixture
def path(tmp_path):
    save_init(tmp_path / "init.npz", MODEL, THETA, "MAML", seed=3, inner_lr=0.01)
    return tmp_path / "init.npz"


# Initialisations


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("lead", [(), (3,), (2, 3)])
def test_what_was_saved_comes_back_to_the_last_bit(tmp_path, dtype, lead):
    theta = np.random.default_rng(0).standard_normal((*lead, MODEL.n_params)).astype(dtype)
    save_init(
        tmp_path / "a file.npz",
        MODEL,
        theta,
        algorithm="Reptile",
        seed=7,
        inner_lr=np.float32(0.5),
        rates=np.arange(3),
        note="für θ",
    )
    for wanted in (None, MODEL):
        model, got, about = load_init(str(tmp_path / "a file.npz"), wanted)
        assert np.array_equal(got, theta) and got.dtype == dtype
        assert repr(model) == repr(MODEL)
        assert about == {
            "algorithm": "Reptile",
            "seed": 7,
            "settings": {"inner_lr": 0.5, "rates": [0, 1, 2], "note": "für θ"},
            "tinymeta": tm.__version__,
            "numpy": np.__version__,
        }


def test_a_file_is_arrays_and_json_and_says_what_it_is(path):
    with np.load(path) as file:
        assert {*file.files} == {"theta", "about", "sha256"}
        about = json.loads(str(file["about"]))
    assert about["format"] == "tinymeta initialisation" and about["version"] == 2
    assert (about["sizes"], about["activation"], about["criterion"]) == ([1, 4, 2], "tanh", "mse")


def test_saving_again_replaces_and_leaves_nothing_else(path):
    save_init(path, MODEL, 2 * THETA)
    assert np.array_equal(load_init(path)[1], 2 * THETA)
    assert os.listdir(path.parent) == ["init.npz"]


def test_a_link_goes_on_pointing_at_its_file(path):
    link = path.with_name("link.npz")
    try:
        link.symlink_to(path)
    except OSError:
        pytest.skip("no links here")
    save_init(link, MODEL, 2 * THETA)
    assert link.is_symlink() and np.array_equal(load_init(path)[1], 2 * THETA)


@pytest.mark.parametrize(
    "theta, message",
    [
        (THETA[:-1], r"theta: expected shape \(\.\.\., 18\).*; got \(17,\)"),
        (np.full(18, np.nan), r"theta: expected finite numbers; got nan at \(0,\)"),
    ],
)
def test_a_theta_that_is_wrong_is_not_saved(path, theta, message):
    with pytest.raises(ValueError, match=message):
        save_init(path, MODEL, theta)
    assert np.array_equal(load_init(path)[1], THETA)


@pytest.mark.parametrize("setting", [object(), np.nan, {1, 2}, b"x"])
def test_settings_that_json_cannot_hold_are_not_saved(path, setting):
    with pytest.raises(
        ValueError,
        match="settings: expected numbers, text, lists and dicts, which JSON can hold; got ",
    ):
        save_init(path, MODEL, THETA, setting=setting)
    assert np.array_equal(load_init(path)[1], THETA)


def test_a_folder_in_the_way_or_missing_is_an_oserror_and_leaves_nothing(tmp_path):
    (tmp_path / "folder").mkdir()
    for place in (tmp_path / "folder", tmp_path / "none" / "init.npz"):
        with pytest.raises(OSError):
            save_init(place, MODEL, THETA)
    assert os.listdir(tmp_path) == ["folder"] and not os.listdir(tmp_path / "folder")


# Broken files


def rewritten(path, change):
    """Change the file's {name: array}, with a SHA-256 that is right again; `about` is a dict for
    the change."""
    with np.load(path) as file:
        arrays = dict(file)
    about = json.loads(str(arrays["about"]))
    arrays["about"] = about
    change(arrays)
    if isinstance(arrays.get("about"), dict):
        arrays["about"] = np.array(json.dumps(arrays["about"]))
    if arrays.pop("sha256", None) is not None and not any(
        a.dtype.hasobject for a in arrays.values()
    ):
        arrays["sha256"] = np.array(digest(arrays))
    np.savez(path, **arrays)


def bytes_of(save, value):
    buffer = io.BytesIO()
    save(buffer, value)
    return buffer.getvalue()


def set_about(**items):
    return lambda path: rewritten(path, lambda arrays: arrays["about"].update(items))


def set_array(name, array):
    return lambda path: rewritten(path, lambda arrays: arrays.update({name: array}))


def without(name, of=lambda arrays: arrays):
    return lambda path: rewritten(path, lambda arrays: of(arrays).pop(name))


def with_entry(value):
    theta = THETA.copy()
    theta[5] = value
    return theta


def compressed(path):
    with np.load(path) as file:
        np.savez_compressed(path, **file)
    data = bytearray(path.read_bytes())
    data[len(data) // 4] ^= 0xFF
    path.write_bytes(data)


BROKEN = {
    "empty": (lambda path: path.write_bytes(b""), "it is no .npz file"),
    "text": (lambda path: path.write_text("theta = 1\n"), "it is no .npz file"),
    "a pickle": (lambda path: path.write_bytes(pickle.dumps(THETA)), "it is no .npz file"),
    "a pickle renamed to a zip's start": (
        lambda path: path.write_bytes(b"PK\x03\x04" + pickle.dumps(THETA)),
        "expected a tinymeta initialisation; ",
    ),
    "npy renamed": (lambda path: path.write_bytes(bytes_of(np.save, THETA)), "it is no .npz file"),
    "truncated": (
        lambda path: path.write_bytes(path.read_bytes()[:-30]),
        "expected a tinymeta initialisation; ",
    ),
    "half": (
        lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
        "expected a tinymeta initialisation; ",
    ),
    "spoiled compression": (compressed, "expected a tinymeta initialisation; "),
    "a zip of something else": (
        lambda path: zipfile.ZipFile(path, "w").close(),
        "it lacks 'about'",
    ),
    "an object array": (
        set_array("theta", np.array([1, "a"], object)),
        "Object arrays cannot be loaded",
    ),
    "an object for about": (
        set_array("about", np.array({"format": 1}, object)),
        "Object arrays cannot be loaded",
    ),
    "no theta": (without("theta"), "it lacks 'theta'"),
    "no about": (without("about"), "it lacks 'about'"),
    "no sizes": (without("sizes", lambda arrays: arrays["about"]), "it lacks 'sizes'"),
    "no format": (without("format", lambda arrays: arrays["about"]), "it lacks 'format'"),
    "no seed": (without("seed", lambda arrays: arrays["about"]), "it lacks 'seed'"),
    "about no JSON": (set_array("about", np.array("{")), "expected a tinymeta initialisation; "),
    "about a list": (set_array("about", np.array("[]")), "expected a tinymeta initialisation; "),
    "about numbers": (set_array("about", np.ones(3)), "expected a tinymeta initialisation; "),
    "another version": (
        set_about(version=3),
        "version 2 was expected; got a tinymeta initialisation, version 3",
    ),
    "another format": (
        set_about(format="tinymeta checkpoint"),
        "version 2 was expected; got a tinymeta checkpoint, version 2",
    ),
    "sizes that are none": (
        set_about(sizes=[1, 0.5]),
        "sizes: expected at least two positive whole numbers",
    ),
    "an unknown activation": (
        set_about(activation="gelu"),
        "activation: expected one of 'relu', 'tanh', 'sigmoid', 'softplus'; got 'gelu'",
    ),
    "sizes of another network": (
        set_about(sizes=[1, 5, 2]),
        r"theta: expected shape \(\.\.\., 22\).*; got \(18,\)",
    ),
    "nan": (
        set_array("theta", with_entry(np.nan)),
        r"theta: expected finite numbers; got nan at \(5,\)",
    ),
    "inf": (
        set_array("theta", with_entry(np.inf)),
        r"theta: expected finite numbers; got inf at \(5,\)",
    ),
    "whole numbers": (
        set_array("theta", np.ones(18, int)),
        "theta: expected float32 or float64; got int",
    ),
    "complex numbers": (
        set_array("theta", THETA + 0j),
        "theta: expected float32 or float64; got complex128",
    ),
}


@pytest.mark.parametrize("spoil, why", BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_a_badfile_that_says_why(path, spoil, why):
    spoil(path)
    with pytest.raises(
        BadFile,
        match=re.escape(str(path))
        + ": expected a tinymeta initialisation; .*"
        + why.removeprefix("expected a tinymeta initialisation; "),
    ):
        load_init(path)
    assert issubclass(BadFile, ValueError)


@pytest.mark.parametrize(
    "other",
    [
        tm.MLP([1, 5, 2], "tanh"),
        tm.MLP([1, 4, 2], "relu"),
        tm.MLP([1, 4, 2], "tanh", "cross_entropy"),
    ],
    ids=repr,
)
def test_an_initialisation_of_another_network_is_refused(path, other):
    with pytest.raises(
        BadFile, match=re.escape(f"one for {other!r} was expected; got one for {MODEL!r}")
    ):
        load_init(path, other)


def test_that_there_is_no_file_is_not_that_it_is_bad(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_init(tmp_path / "none.npz")


def test_a_flipped_bit_is_caught_or_harmless(path):
    data = path.read_bytes()
    rng, caught = np.random.default_rng(0), 0
    # the zip's own records above all
    places = [
        *range(0, 100, 2),
        *range(len(data) - 200, len(data)),
        *rng.integers(len(data), size=100).tolist(),
    ]
    for place in places:
        flipped = bytearray(data)
        flipped[place] ^= 1 << rng.integers(8)
        path.write_bytes(flipped)
        try:
            model, theta, about = load_init(path)
        except BadFile:
            caught += 1
        else:
            assert (
                repr(model) == repr(MODEL) and np.array_equal(theta, THETA) and about["seed"] == 3
            ), place
    assert caught > 0.6 * len(places)  # the rest are dates and the like


@pytest.mark.parametrize("length", [1, 4, 50, 200, 1000, -1, -22, -23])
def test_a_file_cut_off_anywhere_is_a_badfile(path, length):
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(BadFile):
        load_init(path)


class Mine:
    def __reduce__(self):
        return os.mkdir, ("unpickled",)


@pytest.mark.parametrize("name", ["theta", "about"])
def test_nothing_is_ever_unpickled(path, name, monkeypatch):
    monkeypatch.chdir(path.parent)
    set_array(name, np.array(Mine(), object))(path)
    with pytest.raises(BadFile, match="Object arrays cannot be loaded"):
        load_init(path)
    assert os.listdir(path.parent) == ["init.npz"]


# Checkpoints


def train(theta, rng, optimizer, iterations, callback=None, inner_lr=0.01):
    model = tm.MLP([1, 4, 1], "tanh")
    return tm.meta_train(
        tm.maml_grad,
        model,
        theta,
        SINES,
        rng=rng,
        iterations=iterations,
        meta_batch_size=2,
        shots=3,
        inner_lr=inner_lr,
        optimizer=optimizer,
        callback=callback,
    )


SINE_MODEL = tm.MLP([1, 4, 1], "tanh")
BIT_GENERATORS = [np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64]


def of_another_kind(bits):
    return np.random.Generator(bits(99))


@pytest.mark.parametrize("bits", BIT_GENERATORS)
@pytest.mark.parametrize(
    "make", [lambda: tm.Adam(0.01, 0.8, 0.99), lambda: tm.SGD(0.1)], ids=["Adam", "SGD"]
)
@pytest.mark.parametrize("dtype, lead", [(np.float32, (3,)), (np.float64, ())])
def test_a_resumed_training_equals_an_unbroken_one_bit_for_bit(tmp_path, make, bits, dtype, lead):
    start = np.random.default_rng(1).standard_normal((*lead, SINE_MODEL.n_params)).astype(dtype)
    whole, history = train(start, np.random.Generator(bits(0)), make(), 130)
    path, rng, optimizer = tmp_path / "checkpoint.npz", np.random.Generator(bits(0)), make()

    def callback(iteration, theta, loss):
        if (iteration + 1) % 55 == 0:
            save_checkpoint(path, SINE_MODEL, theta, optimizer, rng, iteration + 1)

    train(start, rng, optimizer, 120, callback)  # 10 more than are kept
    rng, optimizer = (
        of_another_kind(bits),
        tm.Adam(0.5) if isinstance(optimizer, tm.Adam) else tm.SGD(0.5),
    )
    rng.random(7)
    theta, iteration = load_checkpoint(path, SINE_MODEL, optimizer, rng)
    assert iteration == 110 and theta.dtype == dtype
    theta, rest = train(theta, rng, optimizer, 130 - iteration)
    assert np.array_equal(theta, whole) and np.array_equal(rest, history[110:])


def checkpoint(path, optimizer=None):
    optimizer = tm.Adam() if optimizer is None else optimizer
    rng = np.random.default_rng(0)
    theta, _ = train(np.ones(SINE_MODEL.n_params), rng, optimizer, 3)
    save_checkpoint(path, SINE_MODEL, theta, optimizer, rng, 3)
    return theta, optimizer, rng


def test_a_checkpoint_before_the_first_step_is_one(tmp_path):
    optimizer, rng = tm.Adam(0.5), np.random.default_rng(0)
    save_checkpoint(tmp_path / "c.npz", SINE_MODEL, np.ones(13), optimizer, rng, 0)
    _, again, fresh = checkpoint(tmp_path / "other.npz")
    theta, iteration = load_checkpoint(tmp_path / "c.npz", SINE_MODEL, again, fresh)
    assert (theta == 1).all() and iteration == 0 and vars(again) == vars(optimizer)
    assert fresh.bit_generator.state == rng.bit_generator.state


STATES = {
    "no optimizer": (without("optimizer", lambda arrays: arrays["about"]), "it lacks 'optimizer'"),
    "no rng": (without("rng", lambda arrays: arrays["about"]), "it lacks 'rng'"),
    "no iteration": (without("iteration", lambda arrays: arrays["about"]), "it lacks 'iteration'"),
    "half an iteration": (
        set_about(iteration=1.5),
        "iteration: expected a whole number of at least 0; got 1.5",
    ),
    "a negative iteration": (
        set_about(iteration=-1),
        "iteration: expected a whole number of at least 0; got -1",
    ),
    "a broken generator": (
        set_about(rng={"held": ["PCG64", {"dict": [["bit_generator", "PCG64"]]}]}),
        "it lacks ",
    ),
    "another generator": (
        set_about(rng=np.random.MT19937(0).state["bit_generator"]),
        "expected a tinymeta checkpoint; ",
    ),
    "moments that are not finite": (
        set_array("array 0", np.full(13, np.inf)),
        r"optimizer.m: expected finite numbers; got inf at \(0,\)",
    ),
    "moments of another network": (
        set_array("array 1", np.ones(12)),
        r"m and v: expected two arrays of one shape .*; got \(13,\) of float64 and \(12,\)",
    ),
    "objects": (set_array("array 1", np.array([None] * 13)), "Object arrays cannot be loaded"),
    "an initialisation": (
        set_about(format="tinymeta initialisation"),
        "version 2 was expected; got a tinymeta initialisation, version 2",
    ),
    "nan": (
        set_array("theta", np.full(13, np.nan)),
        r"theta: expected finite numbers; got nan at \(0,\)",
    ),
}


@pytest.mark.parametrize("spoil, why", STATES.values(), ids=STATES)
def test_a_broken_checkpoint_is_a_badfile_and_changes_nothing(tmp_path, spoil, why):
    path = tmp_path / "checkpoint.npz"
    _, optimizer, rng = checkpoint(path)
    kept, state = {k: np.copy(v) for k, v in vars(optimizer).items()}, rng.bit_generator.state
    spoil(path)
    with pytest.raises(
        BadFile,
        match=r"checkpoint.npz: expected a tinymeta checkpoint; .*"
        + why.removeprefix("expected a tinymeta checkpoint; "),
    ):
        load_checkpoint(path, SINE_MODEL, optimizer, rng)
    assert all(np.array_equal(vars(optimizer)[k], v) for k, v in kept.items())
    assert rng.bit_generator.state == state


def test_a_checkpoint_names_what_it_is_of(tmp_path):
    path, rng = tmp_path / "checkpoint.npz", np.random.default_rng(0)
    checkpoint(path)
    with pytest.raises(BadFile, match="optimizer: one of SGD was expected; got one of Adam"):
        load_checkpoint(path, SINE_MODEL, tm.SGD(0.1), rng)
    of_that_name = type("Adam", (), {})()
    of_that_name.lr = 0.1
    with pytest.raises(
        BadFile, match=r"one of Adam without state\(\) was expected; got one of Adam"
    ):
        load_checkpoint(path, SINE_MODEL, of_that_name, rng)
    with pytest.raises(BadFile, match="state must be for a MT19937|PCG64"):
        load_checkpoint(path, SINE_MODEL, tm.Adam(), of_another_kind(np.random.MT19937))
    with pytest.raises(
        BadFile, match=r"one for MLP\(\[1, 5, 1\].* was expected; got one for MLP\(\[1, 4, 1\]"
    ):
        load_checkpoint(path, tm.MLP([1, 5, 1], "tanh"), tm.Adam(), rng)
    with pytest.raises(
        BadFile, match="version 2 was expected; got a tinymeta checkpoint, version 2"
    ):
        load_init(path)


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda path: save_checkpoint(path, SINE_MODEL, np.ones(13), tm.Adam(), 0, 1),
            "rng: expected a NumPy Generator",
        ),
        (
            lambda path: save_checkpoint(
                path, SINE_MODEL, np.ones(13), tm.Adam(), np.random.default_rng(0), -1
            ),
            "iteration: expected a whole number of at least 0",
        ),
        (
            lambda path: save_checkpoint(
                path, SINE_MODEL, np.ones(12), tm.Adam(), np.random.default_rng(0), 1
            ),
            "theta: expected shape",
        ),
        (
            lambda path: load_checkpoint(path, SINE_MODEL, tm.Adam(), 0),
            "rng: expected a NumPy Generator",
        ),
    ],
)
def test_checkpoints_name_wrong_arguments(tmp_path, call, message):
    with pytest.raises(ValueError, match=message):
        call(tmp_path / "checkpoint.npz")
    assert not os.listdir(tmp_path)


# Interruptions in the middle of writing

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}


def python(code, *arguments, **options):
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=120,
        **options,
    )


# One process imports everything, then forks one that saves and saves, and kills it at some moment,
# again and again.
KILLER = """
import os, random, signal, sys, time
import numpy as np, tinymeta as tm
from tinymeta.extras.storage import load_init, save_init
path, rounds = sys.argv[1], int(sys.argv[2])
model = tm.MLP([100, 500, 100])
left = 0
for n in range(rounds):
    child = os.fork()
    if child == 0:
        while True:
            for value in (1.0, 2.0):
                theta = np.full((5, model.n_params), value)
                save_init(path, model, theta, "constant", seed=int(value))
    time.sleep(random.Random(n).uniform(0.03, 0.12))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    theta, about = load_init(path, model)[1:]
    assert (theta == about["seed"]).all(), n
    left += any(name.endswith(".tmp") for name in os.listdir(os.path.dirname(path)))
    for name in os.listdir(os.path.dirname(path)):
        if name.endswith(".tmp"):
            os.unlink(os.path.join(os.path.dirname(path), name))
print(left)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has neither fork nor SIGKILL")
def test_a_kill_in_the_middle_of_writing_leaves_the_old_file(tmp_path):
    model = tm.MLP([100, 500, 100])
    save_init(tmp_path / "init.npz", model, np.full(model.n_params, 1.0), "constant", seed=1)
    done = python(KILLER, tmp_path / "init.npz", 60)
    assert done.returncode == 0, done.stderr
    # rounds in which a half-written file beside it shows that it was in the middle
    assert int(done.stdout) >= 3  # 12 and more


FULL_DISK = """
import resource, sys
import numpy as np, tinymeta as tm
from tinymeta.extras.storage import save_init
# for a write past that, the system has an error, as on a full disk
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    save_init(sys.argv[1], tm.MLP([1, 40, 40, 1]), np.ones(1761))
except OSError as error:
    print(type(error).__name__)
"""


@pytest.mark.skipif(os.name == "nt", reason="no such limit on Windows")
def test_a_full_disk_leaves_the_old_file_alone(path):
    done = python(FULL_DISK, path)
    assert done.stdout == "OSError\n", done.stderr
    assert np.array_equal(load_init(path)[1], THETA) and os.listdir(path.parent) == ["init.npz"]


def test_ctrl_c_in_the_middle_of_writing_leaves_the_old_file_alone(path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_init(path, MODEL, 2 * THETA)
    assert np.array_equal(load_init(path)[1], THETA) and os.listdir(path.parent) == ["init.npz"]


def test_a_file_is_on_the_disk_before_it_takes_its_place(path, monkeypatch):
    order = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(
        os,
        "fsync",
        lambda number: (order.append(("sync", os.fstat(number).st_size)), fsync(number)),
    )
    monkeypatch.setattr(
        os, "replace", lambda a, b: (order.append(("rename", os.stat(a).st_size)), replace(a, b))
    )
    save_init(path, MODEL, THETA)
    assert order == [("sync", path.stat().st_size), ("rename", path.stat().st_size)]
