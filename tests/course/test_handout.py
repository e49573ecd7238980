"""What students get has no answers and passes its own tests; the teacher keeps the rest."""

import ast
import os
import re
import runpy
import subprocess
import sys

import pytest
from running import ROOT

from tinymeta.course import grade, handout, hunt

WORD = "walnut"
SOLUTIONS = sorted((ROOT / "tests" / "solutions").glob("*.py"))
PAGE = """# A page

Read [this](kept.md). For teachers: [a plan](lessons/INSTRUCTOR.md#minutes),
and more. Then [that](https://example.org/lessons/INSTRUCTOR.md).

Teaching it? [INSTRUCTOR.md](lessons/INSTRUCTOR.md) has
a plan.

The end, 1.5 m away.
"""


@pytest.fixture
def project(tmp_path):
    """Return the folder of a small project."""
    root = tmp_path / "project"
    texts = dict.fromkeys(handout.TAKEN[:5], "text\n") | {
        "README.md": PAGE,
        "lessons/README.md": "[a](INSTRUCTOR.md)\n",
        "lessons/INSTRUCTOR.md": "[solutions](../tests/solutions/03_maml.py)\n",
        "lessons/03_maml.py": "x = 1\n",
        "lessons/book/03_maml.html": "",
        "lessons/book/03_maml.slides.html": "",
        "lessons/output/03_maml.json": "{}",
        "lessons/exercises/implementations.py": "of another word\n",
        "tests/test_mlp.py": "",
        "tests/solutions/03_maml.py": "the answer\n",
        "tests/repository/test_pages.py": "",
        "tinymeta/mlp.py": "",
        "tinymeta/__pycache__/mlp.pyc": "",
        "tinymeta/course/hunt_bugs.py": "the key\n",
        ".git/config": "",
        "build/left.py": "",
    }
    for path, text in texts.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    return root


def listed(folder):
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_each_file_goes_to_the_students_or_to_the_teacher(project, tmp_path):
    students = tmp_path / "course" / "students"
    teachers = handout.hand_out(students, WORD, project)
    assert teachers == tmp_path / "course" / "students-teacher"
    assert listed(students) == {
        *handout.TAKEN[:5],
        "lessons/README.md",
        "lessons/03_maml.py",
        "lessons/book/03_maml.html",
        "lessons/exercises/implementations.py",
        "tests/test_mlp.py",
        "tinymeta/mlp.py",
    }
    assert listed(teachers) == {
        "KEY.md",
        "lessons/INSTRUCTOR.md",
        "lessons/book/03_maml.slides.html",
        "tests/solutions/03_maml.py",
        "tinymeta/course/hunt_bugs.py",
    }
    assert (students / "lessons/03_maml.py").read_bytes() == b"x = 1\n"
    assert (
        (teachers / "lessons/INSTRUCTOR.md").read_text(encoding="utf-8").startswith("[solutions]")
    )


def test_the_hunt_is_dealt_by_the_word_which_the_teacher_keeps(project, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    teachers = handout.hand_out("students", WORD, project)
    assert teachers == tmp_path / "students-teacher"
    hunt.write(tmp_path, WORD)
    dealt = (tmp_path / "students/lessons/exercises/implementations.py").read_bytes()
    assert dealt == (tmp_path / "implementations.py").read_bytes()
    key = (teachers / "KEY.md").read_text(encoding="utf-8")
    for letter, name in hunt.key(WORD).items():
        assert f"| {letter} | {name} |\n" in key
    assert f"--word {WORD}\n" in key and f'"{WORD}"' in key and "`students`" in key


def test_pages_do_not_speak_of_what_is_left_out(project, tmp_path):
    handout.hand_out(tmp_path / "students", WORD, project)
    assert (tmp_path / "students/README.md").read_text(encoding="utf-8") == (
        "# A page\n\nRead [this](kept.md). "
        "Then [that](https://example.org/lessons/INSTRUCTOR.md).\n\nThe end, 1.5 m away.\n"
    )
    assert (tmp_path / "students/lessons/README.md").read_text(encoding="utf-8").strip() == ""


def test_a_folder_with_something_in_it_is_left_alone(project, tmp_path):
    (tmp_path / "students").mkdir()
    handout.hand_out(tmp_path / "students", WORD, project)
    with pytest.raises(FileExistsError, match="students: expected an empty folder, or none"):
        handout.hand_out(tmp_path / "students", WORD, project)
    (tmp_path / "b-teacher").write_text("", encoding="utf-8")
    with pytest.raises(FileExistsError, match="b-teacher: expected an empty folder"):
        handout.hand_out(tmp_path / "b", WORD, project)
    with pytest.raises(ValueError, match="word: expected a word"):
        handout.hand_out(tmp_path / "c", " ", project)
    assert not (tmp_path / "b").exists() and not (tmp_path / "c").exists()


def test_an_installed_package_alone_cannot_be_handed_out(project, tmp_path):
    (project / "LICENSE").unlink()
    with pytest.raises(FileNotFoundError, match="expected the whole project; it lacks LICENSE"):
        handout.hand_out(tmp_path / "students", WORD, project)


def test_the_command(project, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(handout.hand_out, "__defaults__", (project,))
    handout.main([str(tmp_path / "students"), "--word", WORD])
    assert capsys.readouterr().out == (
        f"for students: {tmp_path / 'students'}\n"
        f"for you alone: {tmp_path / 'students-teacher'}, and the word\n"
    )
    monkeypatch.setattr(sys, "argv", ["handout", str(tmp_path / "students"), "--word", WORD])
    monkeypatch.delitem(sys.modules, "tinymeta.course.handout")
    with pytest.raises(SystemExit):
        runpy.run_module("tinymeta.course.handout", run_name="__main__")
    said = capsys.readouterr().err
    assert "expected an empty folder" in said
    assert said.startswith("usage: python -m tinymeta.course.handout ")


# The project itself


def plain(text):
    """Return the lines of a text without spaces and comments."""
    return re.sub(r"[^\S\n]|#.*", "", text)


def answers():
    """Return the bodies of the solutions' functions, and the claims of exercise 4."""
    found = []
    for path in SOLUTIONS:
        text = path.read_text(encoding="utf-8")
        functions = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
        lines = text.splitlines()
        found += ["\n".join(lines[f.lineno : f.end_lineno]) for f in functions]
        found += re.findall(r"^(?:FIRST_TO_FAIL|BY) = .*$", text, re.MULTILINE)
    return found


def texts_for_students():
    for path in handout.files(ROOT):
        if handout.is_in(path, (*handout.FOR_TEACHERS, *handout.OF_THE_REPOSITORY)):
            continue
        if path.endswith((".py", ".md", ".cfg", ".toml")):
            yield path, (ROOT / path).read_text(encoding="utf-8")


def test_no_file_for_students_has_an_answer_or_needs_one_that_they_do_not_get():
    wanted, paths = [*map(plain, answers())], []
    modules = [path for path in handout.FOR_TEACHERS if path.endswith(".py")]
    names = "|".join(path.rpartition("/")[2].removesuffix(".py") for path in modules)
    imports = re.compile(rf"^\s*(?:import|from)\b.*\b(?:{names})\b", re.MULTILINE)
    for path, text in texts_for_students():
        paths.append(path)
        squeezed = plain(text)
        assert not [answer for answer in wanted if answer in squeezed], path
        assert "INSTRUCTOR" not in text or not path.startswith("tests/"), path
        assert not imports.search(text) or path == "tinymeta/course/hunt.py"  # it does without
    assert handout.ROOT == ROOT
    assert len(paths) > 100 and imports.search("from . import diagnosis, hunt_bugs\n")


def test_an_answer_would_be_found():
    for path in SOLUTIONS[:6]:
        text = path.read_text(encoding="utf-8").replace("    ", "\t").replace("\n", "  # mine\n")
        assert [answer for answer in answers() if plain(answer) in plain(text)], path


@pytest.mark.slow
def test_both_commands_of_the_readme_pass_in_what_students_get(tmp_path):
    """It needs the network, for pip, as the README's commands do."""
    students = tmp_path / "students"
    handout.hand_out(students, WORD)
    everything = b"".join(p.read_bytes() for p in students.rglob("*") if p.is_file())
    assert WORD.encode() not in everything
    readme = (students / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"^python3 -m venv .*$", readme, re.MULTILINE)
    assert len(commands) == 2 and "INSTRUCTOR" not in readme
    dropped = ("PYTHONPATH", "VIRTUAL_ENV", "MPLBACKEND", "DISPLAY")
    environment = {name: value for name, value in os.environ.items() if name not in dropped}
    for command in commands:
        done = subprocess.run(
            command, shell=True, cwd=students, env=environment, capture_output=True, check=False
        )
        if done.returncode:
            pytest.fail((done.stdout[-9000:] + done.stderr[-999:]).decode(errors="replace"))
    assert int(re.search(rb"(\d+) passed", done.stdout)[1]) > 1500


@pytest.mark.slow
def test_students_can_grade_themselves_but_for_the_hunt(tmp_path):
    students = tmp_path / "students"
    handout.hand_out(students, WORD)
    exercises = students / "lessons" / "exercises"
    (exercises / "01_backward.py").write_bytes(SOLUTIONS[0].read_bytes())
    done = subprocess.run(
        [sys.executable, "-m", "tinymeta.course.grade", exercises, "--exercise", "01_backward",
         "03_maml", grade.HUNT],
        cwd=students, env={**os.environ, "PYTHONPATH": str(students)}, capture_output=True,
        text=True, encoding="utf-8", check=False,
    )  # fmt: skip
    first, blank, hunted = done.stdout.splitlines()[1:]
    assert first == "exercises,01_backward,24,24,all right"
    assert "still blank" in blank and ",0," in blank
    assert "exercises,07_bug_hunt,,8,not graded" in hunted.replace('"', "")
