"""Files: what comes back, what no broken file gets past, and what no interruption destroys."""

import doctest
import errno
import io
import json
import os
import pickle
import re
import stat
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from test_training import LEARNED, OPTIMIZERS, Setting, two_views

import tinymeta as tm
from tinymeta.extras import storage
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
        (THETA + 0j, "theta: expected float32 or float64; got complex128"),
    ],
)
def test_a_theta_that_is_wrong_is_not_saved(path, theta, message):
    with pytest.raises(ValueError, match=message):
        save_init(path, MODEL, theta)
    with pytest.raises(ValueError, match=message):
        save_checkpoint(path, MODEL, theta, tm.SGD(0.1), np.random.default_rng(0), 1)
    assert np.array_equal(load_init(path)[1], THETA) and os.listdir(path.parent) == ["init.npz"]


@pytest.mark.parametrize("setting", [object(), np.nan, {1, 2}, b"x", {0: 0.1}, [{"a": {1: 2}}]])
def test_settings_that_json_cannot_hold_are_not_saved(path, setting):
    with pytest.raises(
        ValueError,
        match="settings: expected numbers, text, lists and dicts, which JSON can hold; got ",
    ):
        save_init(path, MODEL, THETA, setting=setting)
    assert np.array_equal(load_init(path)[1], THETA)


def test_a_folder_in_the_way_or_missing_is_an_oserror_that_names_it_and_leaves_nothing(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(storage.time, "sleep", lambda seconds: None)
    (tmp_path / "folder").mkdir()
    for place in (tmp_path / "folder", tmp_path / "none" / "init.npz"):
        with pytest.raises(OSError) as caught:
            save_init(place, MODEL, THETA)
        assert caught.value.filename == str(place) and caught.value.errno
        assert ".tmp" not in str(caught.value)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"none.init\.npz'$"):
        save_init("none/init.npz", MODEL, THETA)
    assert os.listdir(tmp_path) == ["folder"] and not os.listdir(tmp_path / "folder")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_a_file_has_the_mode_that_open_would_give_it(tmp_path, umask):
    before = os.umask(umask)
    try:
        (tmp_path / "usual").write_text("")
        save_init(tmp_path / "init.npz", MODEL, THETA)
    finally:
        os.umask(before)
    assert mode(tmp_path / "init.npz") == mode(tmp_path / "usual")
    (tmp_path / "init.npz").chmod(0o640)
    save_init(tmp_path / "init.npz", MODEL, THETA)
    assert mode(tmp_path / "init.npz") == 0o640


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_reader_who_holds_the_file_on_windows_is_waited_for(path, monkeypatch):
    replace, calls, slept = os.replace, [], []

    def denied(*places):
        calls.append(places)
        if len(calls) < 4:
            raise PermissionError(errno.EACCES, "Access is denied", *map(str, places))
        replace(*places)

    monkeypatch.setattr(os, "replace", denied)
    monkeypatch.setattr(storage.time, "sleep", slept.append)
    save_init(path, MODEL, 2 * THETA)
    assert np.array_equal(load_init(path)[1], 2 * THETA)
    assert len(calls) == 4 and 0 < sum(slept) < 1
    monkeypatch.setattr(os, "replace", lambda *places: denied_for_good(path))
    with pytest.raises(PermissionError):
        save_init(path, MODEL, THETA)
    assert np.array_equal(load_init(path)[1], 2 * THETA) and sum(slept) < 3
    assert os.listdir(path.parent) == ["init.npz"]


def denied_for_good(path):
    raise PermissionError(errno.EACCES, "Access is denied", str(path))


def test_threads_that_save_to_one_path_leave_a_whole_file_at_any_time(path):
    thetas = [np.full(18, float(n)) for n in range(3)]
    errors, going = [], threading.Event()
    going.set()

    def work(do):
        try:
            while going.is_set():
                do()
        except BaseException as error:
            errors.append(error)

    loaded = []
    threads = [
        threading.Thread(target=work, args=[lambda t=t: save_init(path, MODEL, t, seed=int(t[0]))])
        for t in thetas
    ]
    for thread in threads:
        thread.start()
    try:
        while len(loaded) < 100:
            _, theta, about = load_init(path)
            loaded.append(np.array_equal(theta, THETA) or (theta == about["seed"]).all())
    finally:
        going.clear()
        for thread in threads:
            thread.join()
    assert not errors and all(loaded)
    assert os.listdir(path.parent) == ["init.npz"]


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
    "no sizes": (without("sizes", lambda arrays: arrays["about"]), r"it is for MLP\(.*: pass that"),
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
    whole, history = train(start, np.random.Generator(bits(0)), make(), 30)
    path, rng, optimizer = tmp_path / "checkpoint.npz", np.random.Generator(bits(0)), make()

    def callback(iteration, theta, loss):
        if (iteration + 1) % 13 == 0:
            save_checkpoint(path, SINE_MODEL, theta, optimizer, rng, iteration + 1)

    train(start, rng, optimizer, 28, callback)  # 2 more than are kept
    rng, optimizer = (
        of_another_kind(bits),
        tm.Adam(0.5) if isinstance(optimizer, tm.Adam) else tm.SGD(0.5),
    )
    rng.random(7)
    theta, iteration = load_checkpoint(path, SINE_MODEL, optimizer, rng)
    assert iteration == 26 and theta.dtype == dtype
    theta, rest = train(theta, rng, optimizer, 30 - iteration)
    assert np.array_equal(theta, whole) and np.array_equal(rest, history[26:])


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


def lose_a_moment(arrays):
    del arrays["array 0"]
    for entry in arrays["about"]["optimizer"]["held"][1]["dict"]:
        if entry[0] == "m":
            entry[1] = None


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
    "a negative mean of squares": (
        set_array("array 1", np.full(13, -1.0)),
        "v: expected a mean of squares; got a negative number",
    ),
    "steps without moments": (
        lambda path: rewritten(path, lose_a_moment),
        "m and v: expected two arrays, for t = 3; got NoneType and ndarray",
    ),
    "an array too many": (
        set_array("optimizer.step", np.ones(13)),
        r"it has arrays too many: \['optimizer.step'\]",
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


# What is in a state


class Own:
    """An optimiser with the attributes given."""

    def __init__(self, **state):
        vars(self).update(state)

    def step(self, theta, grad):
        return theta


EVERYTHING = {
    "none": None,
    "numbers": [True, False, 3, -(2**100), 0.1, -0.0, 1e-320, 2 - 3j],
    "not finite": (np.inf, -np.inf, np.nan, complex(np.nan, np.inf)),
    "text": ["", "θ\n\0", "\ud800"],
    "scalars of NumPy": [
        np.float32(0.1),
        np.int8(-3),
        np.bool_(True),
        np.complex64(1j),
        np.str_("a"),
    ],
    "arrays": [
        np.arange(6).reshape(2, 3),
        np.array([True, False]),
        np.array([np.nan, np.inf, -np.inf, -0.0], np.float32),
        np.array(3.0),
        np.zeros((0, 4), np.int8),
        np.ones((2, 1, 3), np.float16),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(10.0)[::3],
        np.array(["a", "bc"]),
        np.arange(3, dtype=">f8"),
        np.array([1 + 2j]),
        np.zeros(2, [("a", int), ("b", float, 3)]),
        np.array(["2020-01-01"], "M8[D]"),
    ],
    "nested": {"m": {0: (np.ones(2), [np.zeros(3), {}]), (1, "a"): [], None: ()}, "float": "nan"},
    "keys": {True: 1, 2: "2", "2": 2, 0.5: 1.5, "array": "array 0"},
}


@pytest.mark.parametrize("name", EVERYTHING)
def test_an_attribute_of_any_plain_kind_comes_back_exactly(tmp_path, name):
    value = EVERYTHING[name]
    optimizer, rng = Own(value=value), np.random.default_rng(0)
    save_checkpoint(tmp_path / "c.npz", SINE_MODEL, np.ones(13), optimizer, rng, 1)
    fresh = Own(value=0, later=1)
    load_checkpoint(tmp_path / "c.npz", SINE_MODEL, fresh, rng)
    assert vars(fresh).keys() == {"value"} and exactly(fresh.value) == exactly(value)
    assert exactly(optimizer.value) == exactly(value)


def exactly(value):
    """The value as nested tuples of types and bytes."""
    if isinstance(value, (list, tuple)):
        return type(value), [*map(exactly, value)]
    if isinstance(value, dict):
        return dict, [(exactly(key), exactly(item)) for key, item in value.items()]
    if isinstance(value, np.ndarray):
        return np.ndarray, value.dtype, value.shape, value.tobytes()
    return type(value), repr(value)


@pytest.mark.parametrize(
    "value, name, got",
    [
        (lambda t: t, "optimizer.schedule", "function"),
        ({1, 2}, "optimizer.schedule", "set"),
        (b"x", "optimizer.schedule", "bytes"),
        (np.float64, "optimizer.schedule", "type"),
        (np.array([None]), "optimizer.schedule", "an array of object"),
        (np.ma.masked_array([1.0], [True]), "optimizer.schedule", "MaskedArray"),
        ([0, {"a": (1, iter([]))}], r"optimizer.schedule\[1\].a\[1\]", "list_iterator"),
        (tm.TaskBatch(1, 2, 3, 4), "optimizer.schedule", "TaskBatch"),
        (Own(rate=print), "optimizer.schedule.rate", "builtin_function_or_method"),
    ],
)
def test_an_attribute_that_cannot_be_saved_is_refused_by_its_name(tmp_path, value, name, got):
    rng = np.random.default_rng(0)
    with pytest.raises(TypeError, match=f"^{name}: expected numbers, arrays, .* got {got};"):
        save_checkpoint(tmp_path / "c.npz", SINE_MODEL, np.ones(13), Own(schedule=value), rng, 1)
    assert not os.listdir(tmp_path)


class Schedule:
    """A rate that falls; it and the optimiser know each other."""

    def __init__(self, optimizer):
        self.optimizer, self.steps = optimizer, 0
        optimizer.schedule = self

    def step(self):
        self.steps += 1
        self.optimizer.lr *= 0.9


class Scheduled(Own):
    def step(self, theta, grad):
        self.schedule.step()
        return theta - self.lr * grad


def test_two_objects_that_know_each_other_are_saved_and_kept(tmp_path):
    optimizer, rng = Scheduled(lr=0.1), np.random.default_rng(0)
    Schedule(optimizer).step()
    save_checkpoint(tmp_path / "c.npz", SINE_MODEL, np.ones(13), optimizer, rng, 1)
    fresh = Scheduled(lr=0.5)
    schedule = Schedule(fresh)
    load_checkpoint(tmp_path / "c.npz", SINE_MODEL, fresh, rng)
    assert fresh.lr == optimizer.lr and schedule.steps == 1
    assert fresh.schedule is schedule and schedule.optimizer is fresh
    train(np.ones(13), np.random.default_rng(0), fresh, 2)
    assert schedule.steps == 3


class WithMethods:
    """Its state is not its attributes."""

    def __init__(self):
        self.function, self.momentum = print, None

    def step(self, theta, grad):
        old = 0.0 if self.momentum is None else self.momentum
        self.momentum = 0.9 * old + grad
        return theta - 0.01 * self.momentum

    def state(self):
        return {"momentum": self.momentum}

    def restore(self, state):
        self.momentum = state["momentum"]


def test_methods_state_and_restore_are_used_where_there_are_any(tmp_path):
    optimizer, fresh, rng = WithMethods(), WithMethods(), np.random.default_rng(0)
    theta, _ = train(np.ones(13), rng, optimizer, 3)
    save_checkpoint(tmp_path / "c.npz", SINE_MODEL, theta, optimizer, rng, 3)
    load_checkpoint(tmp_path / "c.npz", SINE_MODEL, fresh, rng)
    assert np.array_equal(fresh.momentum, optimizer.momentum) and fresh.function is print


@pytest.mark.parametrize(
    "right, wrong",
    [
        (1.0, 0.0),
        (1.0, 1),
        ((1, 2), (1, 3)),
        ((1, 2), (1, 2, 3)),
        ({"a": 1, "b": [2]}, {"a": 1, "b": [3]}),
        ({"a": 1, "b": 2}, {"a": 1, "c": 2}),
        (np.ones(2), np.array([1.0, 2.0])),
        (np.ones(2), np.ones((2, 1))),
        (np.ones(2), np.ones(2, np.float32)),
    ],
    ids=repr,
)
def test_a_restore_that_does_not_restore_is_found_when_it_is_saved(tmp_path, right, wrong):
    class Forgetful(WithMethods):
        def restore(self, state):
            self.momentum = wrong

    optimizer, rng = Forgetful(), np.random.default_rng(0)
    optimizer.momentum = right
    with pytest.raises(ValueError, match=r"optimizer: expected restore\(state\) to set what "):
        save_checkpoint(tmp_path / "c.npz", SINE_MODEL, np.ones(13), optimizer, rng, 3)
    assert not os.listdir(tmp_path)


def nested(**changes):
    values = {"list": [1, 2.0, np.nan], "tuple": (None, "a"), "array": np.zeros(2), "b": {"c": 1}}
    return [{**values, **changes}, "last"]


OTHERS = {
    "another number": nested(list=[1, 2.5, np.nan]),
    "another kind of number": nested(list=[1, 2, np.nan]),
    "a shorter list": nested(list=[1, 2.0]),
    "a list for a tuple": nested(tuple=[None, "a"]),
    "another sign of 0": nested(array=np.array([0.0, -0.0])),
    "another dtype": nested(array=np.zeros(2, np.float32)),
    "another shape": nested(array=np.zeros((2, 1))),
    "another value inside": nested(b={"c": 2}),
    "another key inside": nested(b={"d": 1}),
    "one more key": nested(d=1),
    "another order of keys": [dict([*nested()[0].items()][::-1]), "last"],
    "another end": [nested()[0], "end"],
}


@pytest.mark.parametrize("what", OTHERS)
def test_nested_values_are_the_same_in_all_or_not_at_all(what):
    assert storage.same(nested(), nested())
    assert not storage.same(nested(), OTHERS[what]) and not storage.same(OTHERS[what], nested())


def test_a_restore_that_fails_halfway_sets_nothing(tmp_path):
    rng = np.random.default_rng(0)
    optimizer = Own(lr=0.5, inner=[tm.Adam(0.1), tm.SGD(0.2)])
    save_checkpoint(tmp_path / "c.npz", SINE_MODEL, np.ones(13), optimizer, rng, 3)
    other = Own(lr=0.7, inner=[tm.Adam(0.3), tm.Adam(0.4)])
    adam, state = other.inner[0], rng.bit_generator.state
    rng.random()
    state = rng.bit_generator.state
    message = r"inner\[1\]: one of Adam was expected; got one of SGD"
    with pytest.raises(BadFile, match=message):
        load_checkpoint(tmp_path / "c.npz", SINE_MODEL, other, rng)
    assert other.lr == 0.7 and other.inner[0] is adam and adam.lr == 0.3
    assert rng.bit_generator.state == state


@pytest.mark.parametrize("state", [{}, {"waiting": 3, "tasks": None}, {"waiting": [], "tasks": 1}])
def test_views_refuse_a_state_of_something_else(state):
    views = two_views()
    with pytest.raises(ValueError, match="^state: expected a state of Views"):
        views.restore(state)


def test_tasks_are_saved_and_loaded_or_neither(tmp_path):
    path, rng, sgd = tmp_path / "c.npz", np.random.default_rng(0), tm.SGD(0.1)
    with pytest.raises(TypeError, match="^tasks: expected methods state.. and restore.*SineTasks"):
        save_checkpoint(path, SINE_MODEL, np.ones(13), sgd, rng, 3, tasks=SINES)
    save_checkpoint(path, SINE_MODEL, np.ones(13), sgd, rng, 3, tasks=two_views())
    with pytest.raises(BadFile, match="saved with the state of tasks; load it with tasks="):
        load_checkpoint(path, SINE_MODEL, sgd, rng)
    save_checkpoint(path, SINE_MODEL, np.ones(13), sgd, rng, 3)
    with pytest.raises(BadFile, match="saved without the state of tasks; load it without tasks="):
        load_checkpoint(path, SINE_MODEL, sgd, rng, tasks=two_views())


def test_an_adam_of_another_training_is_refused_when_it_is_saved(tmp_path):
    _, optimizer, rng = checkpoint(tmp_path / "c.npz")
    with pytest.raises(ValueError, match=r"optimizer.m: expected the shape of theta, \(2, 13\)"):
        save_checkpoint(tmp_path / "d.npz", SINE_MODEL, np.ones((2, 13)), optimizer, rng, 3)
    optimizer.v[0] = np.inf
    with pytest.raises(ValueError, match=r"optimizer.v: expected finite numbers; got inf"):
        save_checkpoint(tmp_path / "d.npz", SINE_MODEL, np.ones(13), optimizer, rng, 3)
    assert os.listdir(tmp_path) == ["c.npz"]


def test_a_model_that_is_no_mlp_is_saved_and_has_to_be_given_again(tmp_path):
    phi = np.ones(LEARNED.n_params)
    save_init(tmp_path / "c.npz", LEARNED, phi)
    model, loaded, _ = load_init(tmp_path / "c.npz", LEARNED)
    assert model is LEARNED and np.array_equal(loaded, phi)
    with pytest.raises(BadFile, match=r"it is for MetaSGDModel\(MLP\(.*: pass that model"):
        load_init(tmp_path / "c.npz")


def test_a_model_without_a_repr_of_its_own_is_refused(tmp_path):
    class Nameless:
        n_params = 13

    with pytest.raises(TypeError, match="model: expected a repr that names its sizes"):
        save_init(tmp_path / "c.npz", Nameless(), np.ones(13))


# Resuming


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_after_an_interrupt_anywhere_a_checkpoint_resumes_bit_for_bit(tmp_path, name):
    """In the middle of a batch's views, with every optimiser, in each of an iteration's 8 calls."""
    path = tmp_path / "c.npz"
    whole, history = Setting(name).run(Setting(name).theta, 3)
    for at in range(1, 3 * 8 + 1, 3):
        first, second = Setting(name), Setting(name)
        with pytest.raises(KeyboardInterrupt) as caught:
            first.run(first.theta, 3, at)
        reached = caught.value
        save_checkpoint(
            path, first.model, reached.theta, first.optimizer, first.rng, len(reached.history),
            first.tasks,
        )  # fmt: skip
        second.rng.random(3)
        theta, done = load_checkpoint(
            path, second.model, second.optimizer, second.rng, second.tasks
        )
        theta, rest = second.run(theta, 3 - done)
        assert np.array_equal(theta, whole), at
        assert np.array_equal(np.concatenate((reached.history, rest)), history), at


SIGINT = """
import signal, sys
import numpy as np
sys.path[:0] = sys.argv[4:]
from test_training import MODEL, Setting
import tinymeta as tm
from tinymeta.extras.storage import load_checkpoint, save_checkpoint
from tinymeta.training import Interrupted

path, name, moments = *sys.argv[1:3], int(sys.argv[3])
# the system's clock, for a thread of our own may wait long for its turn
signal.signal(signal.SIGALRM, signal.default_int_handler)


def run(setting, theta, iterations):
    return tm.meta_train(
        setting.method, setting.model, theta, setting.tasks, rng=setting.rng,
        iterations=iterations, meta_batch_size=2, shots=3, inner_lr=0.01,
        optimizer=setting.optimizer, callback=lambda *_: None)


whole, history = run(Setting(name), Setting(name).theta, 150)
delays, places = np.random.default_rng(1), set()
while len(places) < moments:
    first, second = Setting(name), Setting(name)
    try:
        signal.setitimer(signal.ITIMER_REAL, delays.uniform(0.002, 0.025))
        run(first, first.theta, 10**5)
    except Interrupted as error:
        reached = error
    except KeyboardInterrupt:  # before it began
        continue
    save_checkpoint(path, first.model, reached.theta, first.optimizer, first.rng,
                    len(reached.history), first.tasks)
    theta, done = load_checkpoint(path, second.model, second.optimizer, second.rng, second.tasks)
    if done <= 150:
        theta, rest = run(second, theta, 150 - done)
        assert np.array_equal(theta, whole), done
        assert np.array_equal(np.concatenate((reached.history, rest)), history), done
        places.add(done)
print(len(places))
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no os.kill of SIGINT for one process")
@pytest.mark.parametrize(
    "name, moments",
    [
        ("holding another", 3),
        pytest.param("Adam", 20, marks=pytest.mark.slow),
        pytest.param("holding another", 20, marks=pytest.mark.slow),
    ],
)
def test_after_ctrl_c_at_any_moment_a_checkpoint_resumes_bit_for_bit(tmp_path, name, moments):
    done = python(SIGINT, tmp_path / "c.npz", name, moments, ROOT, ROOT / "tests")
    assert done.stdout == f"{moments}\n", done.stderr


# Files of an older version, and damaged ones

OLD = Path(__file__).parent / "version_0_1_0"


def test_an_initialisation_of_version_0_1_0_is_loaded():
    model, theta, about = load_init(OLD / "init.npz", SINE_MODEL)
    assert model == SINE_MODEL and theta.shape == (13,)
    assert about["settings"] == {"inner_lr": 0.01, "ranges": [1, 2]}
    assert (about["algorithm"], about["seed"], about["tinymeta"]) == ("MAML", 0, "0.1.0")


def test_a_checkpoint_of_version_0_1_0_is_loaded_and_resumed():
    optimizer, rng = tm.Adam(), np.random.default_rng(5)
    theta, iteration = load_checkpoint(OLD / "checkpoint.npz", SINE_MODEL, optimizer, rng)
    assert iteration == 30 and optimizer.t == 30 and optimizer.lr == 0.01
    theta, history = train(theta, rng, optimizer, 20)
    stored = [0.34289483254628494, -0.5250031196933591, -0.8175579523616413]
    assert theta[:3] == pytest.approx(stored, rel=1e-9)
    assert history.sum() == pytest.approx(76.78829747763298, rel=1e-9)


@pytest.mark.parametrize(
    "spoil, why",
    [
        (set_array("optimizer.step", np.ones(13)), "arrays too many: .'optimizer.step'"),
        (set_array("optimizer.v", np.full(13, -1.0)), "v: expected a mean of squares; got a neg"),
        (set_array("optimizer.v", np.ones(12)), r"expected the shape of theta"),
        (set_array("optimizer.m", np.full(13, np.inf)), "optimizer.m: expected finite numbers"),
        (without("optimizer.m"), "m and v: expected two arrays, for t = 30; got NoneType"),
        (lambda path: rewritten(path, forget_a_rate), "one of Adam was expected; got one of Adam"),
    ],
)
def test_a_checkpoint_of_version_0_1_0_is_checked(tmp_path, spoil, why):
    path = tmp_path / "c.npz"
    path.write_bytes((OLD / "checkpoint.npz").read_bytes())
    spoil(path)
    optimizer, rng = tm.Adam(0.5), np.random.default_rng(5)
    with pytest.raises(BadFile, match=why):
        load_checkpoint(path, SINE_MODEL, optimizer, rng)
    assert optimizer.state() == tm.Adam(0.5).state()
    assert rng.bit_generator.state == np.random.default_rng(5).bit_generator.state


def forget_a_rate(arrays):
    del arrays["about"]["optimizer"][1]["lr"]


def test_arrays_exchanged_in_a_file_are_found_by_the_sha256(tmp_path):
    path = tmp_path / "c.npz"
    _, optimizer, rng = checkpoint(path)
    with np.load(path) as file:
        arrays = dict(file)
    assert {"array 0", "array 1"} <= arrays.keys()
    arrays["array 0"], arrays["array 1"] = arrays["array 1"], arrays["array 0"]
    np.savez(path, **arrays)
    with pytest.raises(BadFile, match="its contents are not those that its SHA-256 was taken of"):
        load_checkpoint(path, SINE_MODEL, optimizer, rng)
    arrays.pop("sha256")
    np.savez(path, **arrays)
    with pytest.raises(BadFile, match="it lacks 'sha256'"):
        load_checkpoint(path, SINE_MODEL, optimizer, rng)


@pytest.mark.parametrize("n", [200, pytest.param(4000, marks=pytest.mark.slow)])
def test_a_damaged_checkpoint_is_a_badfile_or_identical(tmp_path, n):
    path = tmp_path / "c.npz"
    theta, optimizer, rng = checkpoint(path)
    data, state, draws = path.read_bytes(), optimizer.state(), np.random.default_rng(n)
    bad = 0
    for _ in range(n):
        path.write_bytes(damaged(data, draws))
        other, fresh = tm.Adam(0.5), np.random.default_rng(9)
        try:
            got, iteration = load_checkpoint(path, SINE_MODEL, other, fresh)
        except BadFile:
            bad += 1
            assert other.state() == tm.Adam(0.5).state()
            assert fresh.bit_generator.state == np.random.default_rng(9).bit_generator.state
        else:
            assert iteration == 3 and np.array_equal(got, theta)
            assert exactly(other.state()) == exactly(state)
            assert fresh.bit_generator.state == rng.bit_generator.state
    assert bad > 0.6 * n


def test_a_damaged_header_is_found_before_numpy_warns_of_it(path):
    data = path.read_bytes()
    assert data.count(b"(18,), }") == 1
    path.write_bytes(data.replace(b"(18,), }", b"(18L,),}"))  # as Python 2 wrote it: a warning
    with pytest.raises(BadFile, match="its part theta.npy is damaged"):
        load_init(path)


def damaged(data, draws):
    """The bytes with up to four of them changed, or cut off, or with a piece moved or lost."""
    data = bytearray(data)
    place, other = sorted(draws.integers(len(data), size=2).tolist())
    kind = draws.integers(4)
    if kind == 0:
        for where in draws.integers(len(data), size=draws.integers(1, 5)):
            data[where] = draws.integers(256)
    elif kind == 1:
        del data[place:]
    elif kind == 2:
        data[place:other] = data[place:other][::-1]
    else:
        del data[place:other]
    return data


def test_the_examples_in_the_docstrings_run():
    failed, run = doctest.testmod(storage)
    assert run >= 8 and not failed


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


# One process imports everything, then forks one that saves and saves, and kills it at some moment
# after it began to write, again and again.
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
    while not any(name.endswith(".tmp") for name in os.listdir(os.path.dirname(path))):
        pass  # until it writes
    time.sleep(random.Random(n).uniform(0, 0.01))
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


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has neither fork nor SIGKILL")
def test_a_kill_in_the_middle_of_writing_leaves_the_old_file(tmp_path):
    model = tm.MLP([100, 500, 100])
    save_init(tmp_path / "init.npz", model, np.full(model.n_params, 1.0), "constant", seed=1)
    done = python(KILLER, tmp_path / "init.npz", 25)
    assert done.returncode == 0, done.stderr
    # rounds in which a half-written file beside it shows that it was in the middle
    assert int(done.stdout) >= 5


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
