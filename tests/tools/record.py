"""A pytest plugin for mutate.py.

    pytest -p record --record=FILE    write {test: [seconds, functions of tinymeta that it calls]}
                                      as JSON; the test "" stands for imports and collection
    pytest -p record --only=FILE      run the tests of a JSON list, in its order

A function is named by its module and the line that it begins at, such as mlp:95. Calls in
subprocesses are not seen."""

import json
import os
import sys
import time
from pathlib import Path

import pytest


def pytest_addoption(parser):
    parser.addoption("--record", type=Path)
    parser.addoption("--only", type=Path)


def pytest_configure(config):
    if path := config.getoption("--record"):
        config.pluginmanager.register(Recorder(path))


@pytest.hookimpl(trylast=True)  # after pytest has put them in its own order
def pytest_collection_modifyitems(config, items):
    if path := config.getoption("--only"):
        place = {test: i for i, test in enumerate(json.loads(path.read_text(encoding="utf-8")))}
        chosen = [item for item in items if item.nodeid in place]
        items[:] = sorted(chosen, key=lambda item: place[item.nodeid])


class Recorder:
    def __init__(self, path):
        self.path, self.calls, self.codes = path, {}, {}

    def see(self, frame, event, _):
        """Keep the code of each call. This runs at every call and return: it does no more."""
        if event == "call" and id(frame.f_code) not in self.codes:
            self.codes[id(frame.f_code)] = frame.f_code  # kept alive, its id stays its own

    def watch(self, test):
        """Record the calls while a hook runs: the body of its wrapper."""
        self.codes, began = {}, time.perf_counter()
        sys.setprofile(self.see)
        yield
        sys.setprofile(None)
        self.calls[test] = time.perf_counter() - began, self.codes.values()

    @pytest.hookimpl(hookwrapper=True)
    def pytest_collection(self):
        yield from self.watch("")

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item):
        yield from self.watch(item.nodeid)

    def pytest_sessionfinish(self):
        import tinymeta

        package = Path(tinymeta.__file__).parent
        found = {}
        for test, (seconds, codes) in self.calls.items():
            ours = [code for code in codes if code.co_filename.startswith(f"{package}{os.sep}")]
            names = {f"{module_name(package, c.co_filename)}:{c.co_firstlineno}" for c in ours}
            found[test] = seconds, sorted(names)
        self.path.write_text(json.dumps(found), encoding="utf-8")


def module_name(package, path):
    """The path of a module in the package, without .py, such as mlp or course/figures."""
    return Path(path).relative_to(package).with_suffix("").as_posix()
