"""The instructor's guide and the lessons' own page: every link, heading, number and command in them
is there and works."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from running import LESSONS

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "lessons"
GUIDE = (FOLDER / "INSTRUCTOR.md").read_text(encoding="utf-8")
# heading: text
SECTIONS = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", GUIDE, re.MULTILINE | re.DOTALL))
PLANS = {
    heading[7:9]: text
    for heading, text in SECTIONS.items()
    if heading.startswith("Lesson ") and "to be written" not in text
}
LINKS = [
    (page, target)
    for page in ("README.md", "INSTRUCTOR.md")
    for target in re.findall(
        r'(?:\]\(|src=")([^)"#]+)', (FOLDER / page).read_text(encoding="utf-8")
    )
    if not target.startswith("http")
]


@pytest.mark.parametrize("page, target", dict.fromkeys(LINKS))
def test_every_link_leads_somewhere(page, target):
    assert (FOLDER / target).exists()


# The plans


def test_every_lesson_has_its_plan():
    headings = [heading for heading in SECTIONS if heading.startswith("Lesson ")]
    assert [heading[7:9] for heading in headings] == sorted(heading[7:9] for heading in headings)
    assert {path.name[:2] for path in LESSONS} <= {heading[7:9] for heading in headings}
    assert {f"{n:02d}" for n in (1, 2, 3, 4, 5, 6, 9, 10)} <= set(PLANS)


@pytest.mark.parametrize("lesson", PLANS)
def test_a_plan_has_all_its_parts_and_its_minutes_add_up(lesson):
    parts = re.findall(r"^\*\*(.*?)\*\*", PLANS[lesson], re.MULTILINE)
    total, *others = parts
    assert others == ["On the board.", "Ask.", "What goes wrong.", "Numbers."]
    timetable = re.search(
        r"^\*\*\d+ minutes:\*\*(.*?)\n\n", PLANS[lesson], re.MULTILINE | re.DOTALL
    )[1]
    minutes = [int(item.split()[0]) for item in timetable.split("·")]
    assert total == f"{sum(minutes)} minutes:" and len(minutes) >= 3


def test_every_measured_number_names_what_its_lesson_calls_it():
    """Outside code, a number with a point is checked (0.73<!--03: ...-->; see test_readme.py), or
    it is a setting, or printed in the paper. For the problems on paper see test_on_paper.py."""
    checked = r"[\d.]*<!--(?:\d\d|paper): .*?-->"
    boards = r"\*\*On the board\.\*\*.*?(?=\*\*Ask)"  # see test_plans.py
    tried = r"^\| [1-3]: .*?\n(?!\|)"  # see test_projects.py
    text = re.sub(rf"{boards}|```.*?```|`.*?`|{checked}", "", GUIDE, flags=re.DOTALL)
    text = re.sub(tried, "", text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"^\| \d\d_\w+ \|.*$", "", text, flags=re.MULTILINE)  # see test_diagnosis.py
    text = re.sub(r"arXiv \d{4}\.\d{5}", "", text)
    settings = {"0.01", "0.003", "0.001", "0.05", "0.1", "0.03", "0.8", "0.9", "1.9"}
    settings |= {"3.10", "3.11", "3.13", "5.1"}  # of Python and PowerShell
    printed = {"2.41", "0.67", "0.38", "0.35"}
    assert set(re.findall(r"\d+\.\d+", text)) <= settings | printed


# What students believe

ROWS = re.findall(
    r"^\| (\d+) \| (.*?) \| (.*?) \| (.*?) \| (.*?) \| (.*?) \|$",
    SECTIONS["What students believe"],
    re.MULTILINE,
)
PUBLIC = 14  # of them, each with its thread
MET = r"\[(\d\d)\]\((\w+\.py)\) \*(.+?)\*"  # [03](03_maml.py) *Three steps*


def test_there_are_fourteen_of_the_public_and_as_many_as_a_fair_rerun_refuted():
    assert [int(number) for number, *_ in ROWS] == list(range(1, len(ROWS) + 1))
    assert len(ROWS) >= PUBLIC + 12
    assert {lesson for row in ROWS for lesson, _, _ in re.findall(MET, row[4])} >= {
        f"{n:02d}" for n in (*range(1, 12), 13, 14)
    }


@pytest.mark.parametrize(
    "number, belief, question, answer, where, held", ROWS, ids=[row[0] for row in ROWS]
)
def test_a_belief_has_a_question_an_answer_and_its_place_in_the_lessons(
    number, belief, question, answer, where, held
):
    assert question.endswith("?")
    assert "<!--" in answer or "`" in answer  # a number that is checked, or something to run
    places = re.findall(MET, where)
    assert places
    for lesson, path, heading in places:
        assert path.startswith(lesson)
        assert f"\n## {heading}\n" in (FOLDER / path).read_text(encoding="utf-8")
    assert held and (int(number) > PUBLIC or re.search(r"#\d+", held) or "ANIML" in held)


# The commands, in a fresh clone


def blocks(text):
    """What is to be typed: the blocks marked sh, and tests named within a sentence or a table."""
    return re.findall(r"```sh\n(.*?)```", text, re.DOTALL) + re.findall(
        r"`(python -m pytest tests/[^`]*)`", text
    )


OFFLINE = "Without a network"
COMMANDS = [
    block for heading, text in SECTIONS.items() if heading != OFFLINE for block in blocks(text)
]
needs_sh = pytest.mark.skipif(
    os.name == "nt" or not (ROOT / ".git").exists(), reason="needs a POSIX shell and the repository"
)


def clone(folder):
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
    return folder


def with_environment(folder):
    """Put what `.venv/bin/python` stands for into a clone: this Python."""
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    return folder


def sh(block, cwd, **environment):
    """Run a block of the guide, stopping at what fails; a variable given as None is unset."""
    env = {
        name: value for name, value in {**os.environ, **environment}.items() if value is not None
    }
    return subprocess.run(
        ["sh", "-ec", block],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=1800,
    )


def test_every_word_that_picks_tests_is_in_the_name_of_one():
    """Found at once, not when a slow run of the command picks none."""
    picks = re.findall(r"pytest (?:-q )?(tests/\S+) -k (\"[^\"]+\"|\w+)", "\n".join(COMMANDS))
    assert len(picks) >= 3
    for path, words in picks:
        names = re.findall(r"^def (test_\w+)", (ROOT / path).read_text(encoding="utf-8"), re.M)
        for word in words.strip('"').split(" or "):
            assert any(word in name for name in names), f"{path} -k {word}"


@needs_sh
@pytest.mark.slow
@pytest.mark.parametrize("block", COMMANDS, ids=lambda block: block.splitlines()[0][:60])
def test_a_command_runs_in_a_fresh_clone(block, tmp_path):
    here = with_environment(clone(tmp_path / "tinymeta"))
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    done = sh(block, here, PATH=path, PYTHONPATH=str(here))
    assert done.returncode == 0, done.stdout + done.stderr


@needs_sh
@pytest.mark.slow
def test_the_wheelhouse_is_made_with_a_network_and_installs_without(tmp_path):
    at_the_desk, in_the_room = blocks(SECTIONS[OFFLINE])
    # of python3: none but this test's own
    path = os.pathsep.join((str(Path(sys.base_prefix) / "bin"), os.environ["PATH"]))
    desk, room = clone(tmp_path / "desk" / "tinymeta"), clone(tmp_path / "room" / "tinymeta")
    probe = sh(f'"{sys.executable}" -m pip download -q --no-deps --dest ../probe iniconfig', desk)
    if probe.returncode:
        pytest.skip("no package index in reach")
    done = sh(at_the_desk, desk, PATH=path, PYTHONPATH=None)
    assert done.returncode == 0, done.stdout + done.stderr

    nowhere = "http://127.0.0.1:9"
    silence = {name: None for name in os.environ if name.startswith("PIP_")} | {
        "PIP_CONFIG_FILE": os.devnull,
        "PYTHONPATH": None,
    }
    silence |= {
        "PATH": path,
        "http_proxy": nowhere,
        "https_proxy": nowhere,
        "HTTP_PROXY": nowhere,
        "HTTPS_PROXY": nowhere,
    }
    (tmp_path / "room" / "wheelhouse").mkdir()
    # from an empty wheelhouse nothing can come
    assert sh(in_the_room, room, **silence).returncode != 0
    shutil.copytree(
        tmp_path / "desk" / "wheelhouse", tmp_path / "room" / "wheelhouse", dirs_exist_ok=True
    )
    done = sh(in_the_room, room, **silence)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "What you should see" in done.stdout
    assert sh("git status --short", room).stdout == ""  # and nothing is left lying about
