"""The files for those who cite, contribute, report or watch the tests agree with the rest."""

import configparser
import re

import pytest
from running import ROOT

import tinymeta

README = (ROOT / "README.md").read_text(encoding="utf-8")
GITHUB = ROOT / ".github"
CONTRIBUTING = (GITHUB / "CONTRIBUTING.md").read_text(encoding="utf-8")
WORKFLOW = (GITHUB / "workflows" / "tests.yml").read_text(encoding="utf-8")
FORM = (GITHUB / "ISSUE_TEMPLATE" / "number_differs.yml").read_text(encoding="utf-8")
SETTINGS = configparser.ConfigParser()
SETTINGS.read(ROOT / "setup.cfg", encoding="utf-8")
VERSIONS = (ROOT / ".ci" / "versions").read_text(encoding="utf-8")


# Citing


def test_the_version_to_cite_is_the_packages():
    (entry,) = re.findall(r"```bibtex\n(.*?)```", README, re.DOTALL)
    fields = dict(re.findall(r"^  (\w+) += \{(.*)\},$", entry, re.MULTILINE))
    assert entry.startswith("@software{") and set(fields) == {"author", "title", "version", "year"}
    assert fields["version"] == tinymeta.__version__


# Contributing


def test_the_contributors_page_is_one_page():
    assert len(CONTRIBUTING.splitlines()) <= 100


def test_every_file_that_the_contributors_page_names_exists():
    linked = re.findall(r"\]\(([^)]+)\)", CONTRIBUTING)
    assert linked and all((GITHUB / target).exists() for target in linked)
    named = re.findall(r"(?<![\w/])((?:tests|tinymeta|\.ci)/[\w/.]*\w)", CONTRIBUTING)
    assert len(named) >= 8 and all((ROOT / path).exists() for path in named)


def test_every_file_of_tests_that_the_contributors_page_names_exists():
    files = set(re.findall(r"`(test_\w+\.py)`", CONTRIBUTING))
    assert files and all((ROOT / "tests" / "repository" / name).exists() for name in files)


def test_the_number_on_the_contributors_page_is_one_of_the_readme():
    (example,) = re.findall(r"`([\d.]+<!--.*?-->)`", CONTRIBUTING)
    assert example in README


@pytest.mark.parametrize(
    "script, options",
    [
        ("tests/benchmarks/run.py", ["--against", "--repeats"]),
        ("tests/tools/mutate.py", ["--changed"]),
    ],
)
def test_the_options_that_the_contributors_page_gives_to_a_script_are_its_own(script, options):
    (command,) = re.findall(rf"^python {script} (.*)$", CONTRIBUTING, re.MULTILINE)
    assert re.findall(r"--\w+", command) == options
    source = (ROOT / script).read_text(encoding="utf-8")
    assert all(f'add_argument("{option}"' in source for option in options)


# The tests that a host runs


def test_the_oldest_python_of_the_workflow_is_the_oldest_that_the_package_allows():
    oldest = SETTINGS["options"]["python_requires"].removeprefix(">=")
    (tested,) = re.findall(r"python: \[(.*?)\]", WORKFLOW)
    first, last = re.findall(r"[\d.]+", tested)
    assert first == oldest
    newest = re.search(r"^for version in (\S+) ", VERSIONS, re.MULTILINE)[1]
    assert last == newest and f"find_python {oldest})" in VERSIONS


def test_the_oldest_packages_tested_are_the_oldest_that_the_package_allows():
    required = SETTINGS["options"]["install_requires"] + SETTINGS["options.extras_require"]["test"]
    allowed = dict(re.findall(r"(\w+)>=([\d.]+)", required))
    tested = dict(re.findall(r"'(\w+)==([\d.]+)\.\*'", VERSIONS))
    assert allowed == {name: tested[name] for name in allowed} and len(allowed) == 4


def test_the_workflow_reads_the_repository_and_needs_no_secret():
    permissions = re.search(r"^permissions:\n((?:  .*\n)+)", WORKFLOW, re.MULTILINE)[1]
    assert permissions == "  contents: read\n" and WORKFLOW.count("permissions") == 1
    assert "secrets" not in WORKFLOW
    assert {*re.findall(r"uses: (\S+)@v\d+$", WORKFLOW, re.MULTILINE)} == {
        "actions/checkout",
        "actions/setup-python",
    }


def test_the_workflow_runs_the_fast_tests_on_three_systems_and_everything_on_one():
    (systems,) = re.findall(r"system: \[(.*?)\]", WORKFLOW)
    assert systems.split(", ") == ["ubuntu", "macos", "windows"]
    runs = re.findall(r"- run: (.*)$", WORKFLOW, re.MULTILINE)
    assert "python -m pytest -q" in runs and ".ci/run" in runs


# Reporting a number


def test_the_form_for_a_number_asks_for_everything_that_can_change_it():
    asked = dict(re.findall(r"^    id: (\w+)\n((?:    .*\n)+)", FORM, re.MULTILINE))
    needed = {"command", "seed", "table", "machine", "python", "numpy"}
    assert needed == {name for name, text in asked.items() if "required: true" in text}
    assert "numpy.show_config()" in asked["numpy"]
